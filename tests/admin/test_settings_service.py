"""WatchNode, ListSettings and UpdateSetting, as a client sees them, and from the command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from troupe.admin.v1 import node_service_pb2, node_service_pb2_grpc

from actors.mempool.messages import GetPool, PoolInfo
from actors.miner.messages import (
    GetMiner,
    MinerRefusal,
    StartMining,
    StopMining,
    UpdateMiner,
)
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from admin.services.settings import setting_message
from admin.tuning import Setting, Source
from tests.support.admin_stage import WAIT_S, AdminStage, miner_info, refusal_of

LIST = node_service_pb2.ListSettingsRequest
UPDATE = node_service_pb2.UpdateSettingRequest
WATCH = node_service_pb2.WatchNodeRequest


def node(stage: AdminStage, *, readonly: bool = False) -> Any:
    return stage.stub(node_service_pb2_grpc.NodeServiceStub, readonly=readonly)


def listed(stage: AdminStage) -> dict[str, node_service_pb2.Setting]:
    return {each.name: each for each in node(stage).ListSettings(LIST()).settings}


def update(stage: AdminStage, name: str, value: str, *, persist: bool = False) -> Any:
    return node(stage).UpdateSetting(UPDATE(name=name, value=value, persist=persist)).setting


def troupe(stage: AdminStage, *words: str) -> Any:
    return CliRunner().invoke(cli, [*words, "--data-dir", str(stage.data_dir)])


@pytest.fixture(autouse=True)
def _obeying_miner(stage: AdminStage) -> None:
    for command in (StartMining, UpdateMiner, StopMining):
        stage.miner.answer(command, None)


# -- ListSettings -----------------------------------------------------------------------------------


def test_a_path_that_is_no_text_is_shown_with_an_escape() -> None:
    path = os.fsdecode(b"/odd\xff")
    shown = setting_message(Setting("data_dir", path, Source.FLAG, default=path))
    assert shown.value == shown.default_value == r"/odd\udcff"


def test_settings_are_listed_with_their_sources(stage: AdminStage) -> None:
    settings = listed(stage)
    assert list(settings) == ["coinbase", "listen", "log_level", "mine", "threads"]
    threads = settings["threads"]
    assert (threads.value, threads.default_value, threads.flag) == ("2", "1", "--threads")
    assert threads.description == "Threads."
    assert settings["listen"].environment_variable == "TROUPE_LISTEN"
    sources = {name: node_service_pb2.SettingSource.Name(s.source) for name, s in settings.items()}
    assert sources["threads"] == "SETTING_SOURCE_FLAG"
    assert sources["listen"] == "SETTING_SOURCE_ENVIRONMENT"
    assert sources["log_level"] == "SETTING_SOURCE_FILE"
    assert sources["mine"] == "SETTING_SOURCE_DEFAULT"
    assert [s.mutable for s in settings.values()] == [True, False, True, True, True]


def test_what_the_miner_was_told_otherwise_is_of_the_run(stage: AdminStage) -> None:
    stage.miner.answer(GetMiner, miner_info(mining=True))
    settings = listed(stage)
    assert (settings["mine"].value, settings["coinbase"].value) == ("true", "01" * 32)
    assert settings["mine"].source == node_service_pb2.SETTING_SOURCE_RUNTIME


def test_without_the_miner_the_settings_are_as_last_known(stage: AdminStage) -> None:
    def fall(_message: object) -> None:
        raise RuntimeError

    stage.miner.compute(GetMiner, fall)
    assert listed(stage)["coinbase"].value == stage.wallet.public.hex()


def test_settings_come_page_by_page(stage: AdminStage) -> None:
    first = node(stage).ListSettings(LIST(page_size=3))
    rest = node(stage).ListSettings(LIST(page_size=3, page_token=first.next_page_token))
    names = [each.name for page in (first, rest) for each in page.settings]
    assert names == ["coinbase", "listen", "log_level", "mine", "threads"]
    assert rest.next_page_token == ""
    wrong = refusal_of(lambda: node(stage).ListSettings(LIST(page_token="x")))
    assert wrong.reason == "PAGE_TOKEN_INVALID"


# -- UpdateSetting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("threads", "3", UpdateMiner(3, None)),
        ("coinbase", "ab" * 32, UpdateMiner(None, b"\xab" * 32)),
        ("mine", "true", StartMining(None, None)),
    ],
)
def test_a_change_reaches_its_actor(stage: AdminStage, name: str, value: str, told: object) -> None:
    setting = update(stage, name, value)
    assert (setting.value, setting.source) == (value, node_service_pb2.SETTING_SOURCE_RUNTIME)
    assert stage.miner.of(type(told)) == [told]


def test_mining_can_be_set_off(stage: AdminStage) -> None:
    update(stage, "mine", "true")
    assert update(stage, "mine", "false").value == "false"
    assert len(stage.miner.of(StopMining)) == 1


def test_the_log_level_changes_at_once(stage: AdminStage) -> None:
    update(stage, "log_level", "debug")
    assert stage.log_levels == ["debug"]


def test_a_persisted_change_is_in_the_file_for_the_next_start(stage: AdminStage) -> None:
    update(stage, "threads", "3", persist=True)
    update(stage, "mine", "true", persist=True)
    assert (stage.data_dir / "settings.toml").read_text() == "threads = 3\nmine = true\n"


def test_what_an_actor_refuses_is_neither_changed_nor_persisted(stage: AdminStage) -> None:
    stage.miner.answer(UpdateMiner, MinerRefusal.BAD_THREADS)
    refusal = refusal_of(lambda: update(stage, "threads", "3", persist=True))
    assert (refusal.reason, refusal.fields) == ("FIELD_INVALID", ("value",))
    assert refusal.message == "value must be a number of threads that the miner can run"
    assert listed(stage)["threads"].source == node_service_pb2.SETTING_SOURCE_FLAG
    assert not (stage.data_dir / "settings.toml").exists()


def test_a_miner_without_a_coinbase_says_so(stage: AdminStage) -> None:
    stage.miner.answer(StartMining, MinerRefusal.NO_COINBASE)
    assert refusal_of(lambda: update(stage, "mine", "true")).reason == "NO_COINBASE"


def test_a_file_that_cannot_be_written_changes_nothing(stage: AdminStage) -> None:
    (stage.data_dir / "settings.toml").write_text("this is no TOML")
    refusal = refusal_of(lambda: update(stage, "threads", "3", persist=True))
    assert refusal.reason == "SETTING_NOT_PERSISTED"
    assert refusal.metadata == {"setting": "threads"}
    assert stage.miner.of(UpdateMiner) == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("colour", "red", "SETTING_NOT_FOUND"),
        ("", "", "SETTING_NOT_FOUND"),
        ("listen", "127.0.0.1:1", "SETTING_IMMUTABLE"),
        ("threads", "many", "FIELD_INVALID"),
        ("threads", "", "FIELD_INVALID"),
        ("mine", "", "FIELD_INVALID"),
        ("coinbase", "a" * 1_025, "FIELD_INVALID"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    stage: AdminStage, name: str, value: str, reason: str
) -> None:
    assert refusal_of(lambda: update(stage, name, value)).reason == reason
    assert stage.miner.of(UpdateMiner) == []


def test_a_reader_may_list_but_not_change(stage: AdminStage) -> None:
    assert node(stage, readonly=True).ListSettings(LIST()).settings
    stub = node(stage, readonly=True)
    refusal = refusal_of(lambda: stub.UpdateSetting(UPDATE(name="threads", value="3")))
    assert refusal.metadata == {"permission": "node:write"}


# -- WatchNode --------------------------------------------------------------------------------------


def test_a_watched_node_is_shown_now_and_when_it_changed(stage: AdminStage) -> None:
    watch = node(stage).WatchNode(WATCH(interval_ms=100), timeout=WAIT_S)
    assert next(watch).node.mempool_pending_count == 3
    stage.mempool.answer(GetPool, PoolInfo(5, 2, 4, 1_234, 5_000, 1_000))
    assert next(watch).node.mempool_pending_count == 5


def test_the_last_word_of_a_watched_node_is_that_it_stops(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.server.FINAL_EVENT_S", WAIT_S)
    watch = node(stage).WatchNode(WATCH(), timeout=WAIT_S)
    assert next(watch).node.state == node_service_pb2.NODE_STATE_READY
    stage.server.stop(grace_s=WAIT_S)
    last = next(watch).node
    assert last.state == node_service_pb2.NODE_STATE_STOPPING
    assert last.state_reasons == ["the node was told to stop"]
    assert last.mempool_pending_count == 3
    assert refusal_of(lambda: watch).reason == "STOPPING"


@pytest.mark.parametrize("interval_ms", [1, 99, 60_001])
def test_an_interval_out_of_range_is_refused(stage: AdminStage, interval_ms: int) -> None:
    refusal = refusal_of(lambda: node(stage).WatchNode(WATCH(interval_ms=interval_ms)))
    assert (refusal.reason, refusal.fields) == ("FIELD_INVALID", ("interval_ms",))


# -- the command ------------------------------------------------------------------------------------


def test_the_command_lists_and_changes_settings(stage: AdminStage) -> None:
    table = troupe(stage, "settings")
    assert table.exit_code == 0, table.output
    assert "threads    2" in table.output
    data = json.loads(troupe(stage, "settings", "-o", "json").output)
    assert [each["source"] for each in data if each["name"] == "threads"] == ["flag"]
    said = troupe(stage, "settings", "set", "log-level", "debug", "--persist")
    assert said.output == "log_level is debug now, and in the settings file.\n"
    assert stage.log_levels == ["debug"]


def test_the_command_says_what_cannot_be_set(stage: AdminStage) -> None:
    unknown = troupe(stage, "settings", "set", "colour", "red")
    assert unknown.exit_code == ExitCode.NOT_FOUND
    fixed = troupe(stage, "settings", "set", "listen", "127.0.0.1:1")
    assert fixed.exit_code == ExitCode.REJECTED
    assert "listen is fixed while the node runs" in fixed.output


def test_the_command_watches_the_node(
    stage: AdminStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.server.FINAL_EVENT_S", WAIT_S)
    assert tmp_path == stage.data_dir
    stage.mempool.compute(GetPool, lambda _: _stop_soon(stage))
    watched = troupe(stage, "status", "--watch", "-o", "jsonl")
    states = [json.loads(line)["state"] for line in watched.output.splitlines()]
    assert states[-1] == "stopping"
    assert watched.exit_code == ExitCode.OK


def _stop_soon(stage: AdminStage) -> PoolInfo:
    """The server is stopped by another thread while the answer is on its way."""
    assert stage.server._loop is not None
    assert stage.server._stop_asked is not None
    stage.server._loop.call_soon_threadsafe(stage.server._stop_asked.set)
    return PoolInfo(3, 2, 4, 1_234, 5_000, 1_000)
