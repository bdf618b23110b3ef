from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from actors.config import MinerSettings
from actors.ledger.network import MAIN, WORKSHOP
from admin.cli.logs import place_of
from admin.cli.serving import UNREACHABLE, WEAKNESS, Started, banner, serve
from admin.cli.signals import Stops

STARTED = Started(
    version="0.1.0",
    network=MAIN,
    height=1234,
    listen_address="127.0.0.1:18750",
    advertise_address="127.0.0.1:18750",
    admin_address="127.0.0.1:18751",
    data_dir=Path("somewhere"),
    key_address=b"\xab" * 32,
    miner=MinerSettings(),
)


class Part:
    """A node or an admin server that writes down what is done to it."""

    def __init__(self, name: str, diary: list[str], *, fails: bool = False) -> None:
        self._name, self._diary, self._fails = name, diary, fails

    def start(self) -> str:
        self._diary.append(f"{self._name} starts")
        if self._fails:
            message = f"{self._name} cannot"
            raise ValueError(message)
        return "127.0.0.1:18751"

    def stop(self) -> None:
        self._diary.append(f"{self._name} stops")


class PartNode(Part):
    def start(self) -> None:  # type: ignore[override]
        super().start()


def test_the_banner_says_where_everything_is() -> None:
    text = banner(STARTED)
    for part in ("main", "1,234", "127.0.0.1:18750", "127.0.0.1:18751", "somewhere", "ab" * 32):
        assert part in text
    assert WEAKNESS not in text
    assert UNREACHABLE not in text


def test_the_banner_warns_of_a_weak_scheme() -> None:
    assert WEAKNESS in banner(replace(STARTED, network=WORKSHOP))


def test_the_banner_notes_an_address_that_others_cannot_dial() -> None:
    assert UNREACHABLE in banner(replace(STARTED, listen_address="0.0.0.0:18750"))


def test_the_banner_names_a_coinbase_that_is_not_ours() -> None:
    mining = replace(STARTED, miner=MinerSettings(mine=True, threads=2, coinbase=b"\xcd" * 32))
    assert "with 2 threads, for cdcd" in banner(mining)
    ours = replace(STARTED, miner=MinerSettings(mine=True, coinbase=STARTED.key_address))
    assert "with 1 thread\n" in banner(ours)


def test_the_admin_server_starts_after_the_node_and_stops_before_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    diary: list[str] = []
    stops = Stops()
    stops.request("a test")
    serve(PartNode("node", diary), lambda: Part("admin", diary), lambda _: STARTED, stops)
    assert diary == ["node starts", "admin starts", "admin stops", "node stops"]
    assert capsys.readouterr().out == click.unstyle(banner(STARTED)) + "\n"


def test_a_node_whose_admin_server_fails_is_stopped() -> None:
    diary: list[str] = []
    with pytest.raises(ValueError, match="admin cannot"):
        serve(
            PartNode("node", diary),
            lambda: Part("admin", diary, fails=True),
            lambda _: STARTED,
            Stops(),
        )
    assert diary[-1] == "node stops"


def test_a_node_that_does_not_start_is_not_stopped_by_us() -> None:
    diary: list[str] = []
    with pytest.raises(ValueError, match="node cannot"):
        serve(
            PartNode("node", diary, fails=True),
            lambda: Part("admin", diary),
            lambda _: STARTED,
            Stops(),
        )
    assert diary == ["node starts"]


def test_a_log_line_names_the_room_that_speaks() -> None:
    assert place_of("actors.chain.sync") == "chain"
    assert place_of("actors.node") == "node"
    assert place_of("admin.server") == "admin"
    assert place_of("admin.cli.serving") == "troupe"
    assert place_of("grpc") == "grpc"
