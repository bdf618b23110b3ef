"""Profiles, ``--wait-ready`` and ``--expect-network``: which node is called, and when."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from actors.chain.messages import GetChain, SyncState
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from tests.support.admin_stage import AdminStage, chain_info

Troupe = Callable[..., Any]


@pytest.fixture
def troupe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Troupe:
    """The command, with profiles of its own."""
    monkeypatch.setenv("TROUPE_PROFILES", str(tmp_path / "config" / "profiles.toml"))
    monkeypatch.setenv("TROUPE_DATA_DIR", str(tmp_path / "elsewhere"))
    return lambda *words: CliRunner().invoke(cli, words)


def profiles_file(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "profiles.toml"
    path.parent.mkdir(exist_ok=True)
    return path


# -- profiles ---------------------------------------------------------------------------------------


def test_a_saved_profile_calls_its_node(stage: AdminStage, troupe: Troupe) -> None:
    saved = troupe("--data-dir", str(stage.data_dir), "profile", "save", "one")
    assert saved.output == "Saved: `troupe --profile one status` calls it.\n"
    assert troupe("--profile", "one", "status").exit_code == ExitCode.OK
    assert troupe("status", "--profile", "one").exit_code == ExitCode.OK
    assert troupe("status").exit_code == ExitCode.FAILED


def test_the_environment_names_a_profile_too(
    stage: AdminStage, troupe: Troupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    troupe("--data-dir", str(stage.data_dir), "profile", "save", "one")
    monkeypatch.setenv("TROUPE_PROFILE", "one")
    assert troupe("status").exit_code == ExitCode.OK


def test_a_profile_can_hold_an_address_and_a_token(stage: AdminStage, troupe: Troupe) -> None:
    token = str(stage.data_dir / "readonly.token")
    troupe("--admin", stage.address, "--token-file", token, "profile", "save", "reader")
    assert troupe("--profile", "reader", "status").exit_code == ExitCode.OK
    assert troupe("--profile", "reader", "miner", "stop").exit_code == ExitCode.UNAUTHORISED


def test_an_option_wins_over_the_profile(stage: AdminStage, troupe: Troupe, tmp_path: Path) -> None:
    troupe("--data-dir", str(tmp_path / "gone"), "profile", "save", "one")
    there = ("--data-dir", str(stage.data_dir))
    assert troupe("--profile", "one", "status", *there).exit_code == ExitCode.OK


def test_an_option_that_names_a_node_is_not_given_the_token_of_the_profiles_own(
    stage: AdminStage, troupe: Troupe, tmp_path: Path
) -> None:
    other = tmp_path / "other.token"
    other.write_text("of another node\n")
    troupe("--admin", "127.0.0.1:5", "--token-file", str(other), "profile", "save", "other")
    there = ("--data-dir", str(stage.data_dir))
    assert troupe("--profile", "other", "status", *there).exit_code == ExitCode.OK


def test_a_profile_of_a_token_alone_goes_with_an_option_that_names_a_node(
    stage: AdminStage, troupe: Troupe
) -> None:
    token = str(stage.data_dir / "readonly.token")
    profile = ("--token-file", token, "profile", "save", "reader")
    assert troupe(*profile).exit_code == ExitCode.OK
    there = ("--profile", "reader", "--admin", stage.address)
    assert troupe(*there, "status").exit_code == ExitCode.OK


def test_profiles_are_listed_and_removed(troupe: Troupe) -> None:
    assert "No profiles." in troupe("profile").output
    troupe("--admin", "127.0.0.1:5", "--expect-network", "dev", "profile", "save", "one")
    (listed,) = json.loads(troupe("profile", "-o", "json").output)
    assert (listed["name"], listed["admin"], listed["expect_network"]) == (
        "one",
        "127.0.0.1:5",
        "dev",
    )
    assert troupe("profile", "remove", "one").exit_code == ExitCode.OK
    assert troupe("profile", "remove", "one").exit_code == ExitCode.NOT_FOUND


def test_saving_keeps_what_people_wrote_into_the_file(troupe: Troupe, tmp_path: Path) -> None:
    file = profiles_file(tmp_path)
    file.write_text('# mine\n[lab]\nadmin = "127.0.0.1:9" # far away\n')
    troupe("--admin", "127.0.0.1:5", "profile", "save", "one")
    assert file.read_text().startswith('# mine\n[lab]\nadmin = "127.0.0.1:9" # far away\n')
    assert [each["name"] for each in json.loads(troupe("profile", "-o", "json").output)] == [
        "lab",
        "one",
    ]


def test_paths_of_a_profile_are_relative_to_its_file(
    stage: AdminStage, troupe: Troupe, tmp_path: Path
) -> None:
    profiles_file(tmp_path).write_text(f'[one]\ndata_dir = "../{stage.data_dir.name}"\n')
    shown = json.loads(troupe("profile", "-o", "json").output)
    assert Path(shown[0]["data_dir"]).resolve() == (tmp_path / stage.data_dir.name).resolve()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("one = 1", "one must be a table"),
        ("[one]\ncolour = 'red'", "colour of one is nothing that a profile can hold"),
        ("[one]\nadmin = 1", "admin of one must be a string"),
        ("[one]\nadmin = 'here'", "admin of one cannot be called"),
        ("[one]\ntls = 'yes'", "tls of one must be true or false"),
        ("[one", "cannot read the profiles"),
    ],
)
def test_a_fault_in_the_file_is_named(
    troupe: Troupe, tmp_path: Path, text: str, fault: str
) -> None:
    profiles_file(tmp_path).write_text(text)
    said = troupe("--profile", "one", "status")
    assert (said.exit_code, fault in said.output) == (ExitCode.USAGE, True), said.output
    assert troupe("--admin", "127.0.0.1:5", "profile", "save", "two").exit_code == ExitCode.USAGE
    assert profiles_file(tmp_path).read_text() == text


def test_an_unknown_profile_and_an_empty_one_are_refused(troupe: Troupe) -> None:
    assert troupe("--profile", "two", "status").exit_code == ExitCode.USAGE
    nothing = troupe("profile", "save", "one")
    assert (nothing.exit_code, "nothing to save" in nothing.output) == (ExitCode.USAGE, True)
    assert troupe("--admin", "127.0.0.1:5", "profile", "save", "x" * 65).exit_code == ExitCode.USAGE


# -- the network that is expected -------------------------------------------------------------------


def test_a_node_on_another_network_is_not_called(stage: AdminStage, troupe: Troupe) -> None:
    there = ("--data-dir", str(stage.data_dir), "--expect-network")
    assert troupe(*there, stage.network.name, "status").exit_code == ExitCode.OK
    wrong = troupe(*there, "moon", "miner", "stop")
    assert wrong.exit_code == ExitCode.REJECTED
    assert f"is on the network {stage.network.name}, not moon" in wrong.output
    assert [type(told).__name__ for told in stage.miner.told] == ["GetMiner"]


# -- waiting ----------------------------------------------------------------------------------------


def only_readiness_sleeps(monkeypatch: pytest.MonkeyPatch, pause: Callable[[float], None]) -> None:
    """Its sleep is the test's; that of other threads is none of ours."""
    times = SimpleNamespace(sleep=pause, monotonic=time.monotonic)
    monkeypatch.setattr("admin.cli.readiness.time", times)


def test_a_node_that_is_ready_is_called_at_once(stage: AdminStage, troupe: Troupe) -> None:
    said = troupe("--data-dir", str(stage.data_dir), "--wait-ready", "0", "status")
    assert said.exit_code == ExitCode.OK


def test_a_node_that_syncs_is_waited_for(
    stage: AdminStage, troupe: Troupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    stage.chain.answer(GetChain, chain_info(stage.tip, SyncState.DOWNLOADING, 9))

    def pause(seconds: float) -> None:
        looks.append(seconds)
        stage.chain.answer(GetChain, chain_info(stage.tip))

    only_readiness_sleeps(monkeypatch, pause)
    said = troupe("--data-dir", str(stage.data_dir), "--wait-ready", "60", "status", "-o", "json")
    assert json.loads(said.output)["state"] == "ready"
    assert len(looks) == 1


def test_what_is_not_ready_in_time_is_said(stage: AdminStage, troupe: Troupe) -> None:
    stage.chain.answer(GetChain, chain_info(stage.tip, SyncState.DOWNLOADING, 9))
    said = troupe("--data-dir", str(stage.data_dir), "--wait-ready", "0", "status")
    assert said.exit_code == ExitCode.TIMED_OUT
    assert "not ready after 0 s: it is syncing; at block 0 of 9" in said.output


def test_where_no_node_comes_up_the_wait_ends(troupe: Troupe, tmp_path: Path) -> None:
    said = troupe("--data-dir", str(tmp_path), "--wait-ready", "0", "status")
    assert (said.exit_code, "no node is running" in said.output) == (ExitCode.TIMED_OUT, True)


def test_a_wrong_token_is_not_waited_for(
    stage: AdminStage, troupe: Troupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_readiness_sleeps(monkeypatch, lambda _s: pytest.fail("it waits"))
    (stage.data_dir / "wrong.token").write_text("wrong\n")
    token = str(stage.data_dir / "wrong.token")
    said = troupe("--admin", stage.address, "--token-file", token, "--wait-ready", "60", "status")
    assert said.exit_code == ExitCode.UNAUTHORISED
