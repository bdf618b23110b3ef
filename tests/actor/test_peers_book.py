"""The peers actor alone: the addresses that it knows outlive it."""

from __future__ import annotations

import pytest

from actors.peers.book import REST_S
from actors.peers.messages import AddressSource, DisconnectPeer, KnownAddress, ListAddresses
from actors.peers.shelf import SAVE_EVERY_S
from actors.tcp.messages import CloseReason, ConnectFailed
from tests.support.peers_stage import BOB, BOOT, CAROL, PeersStage


def known(stage: PeersStage) -> dict[str, KnownAddress]:
    return {each.address: each for each in stage.ask(ListAddresses()).result()}


def saved(stage: PeersStage) -> set[str]:
    return {line.decode().split("\t")[0] for line in stage.book.lines}


def dialed_hosts(stage: PeersStage) -> list[str]:
    return [dial.host for dial in stage.dials()]


def test_a_stopped_node_without_bootstrap_finds_its_peers_again() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.greeted(CAROL)
    stage.player.stop()
    stage.tcp.take()
    stage.player.start()
    assert sorted(dialed_hosts(stage)) == ["10.0.0.2", "10.0.0.3"]
    assert known(stage)[BOB].last_success_s == stage.clock.wall_s()
    assert known(stage)[CAROL].source is AddressSource.HELLO


def test_a_node_that_fell_knows_what_was_saved_before() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.pump.run_for(5.0)
    stage.joined(CAROL)
    stage.player.fell()
    stage.tcp.take()
    stage.player.start()
    assert dialed_hosts(stage) == ["10.0.0.2"]


def test_proven_addresses_are_dialed_before_hearsay_after_a_restart() -> None:
    stage = PeersStage(max_peers=2)
    for port in range(1, 60):
        stage.greeted(f"10.1.0.1:{port}")
        stage.pump.run_for(5.0)
    stage.joined(BOB)
    stage.player.stop()
    stage.tcp.take()
    stage.player.start()
    assert dialed_hosts(stage)[0] == "10.0.0.2"


def test_the_book_is_saved_when_it_changed_and_not_too_often() -> None:
    stage = PeersStage()
    stage.pump.run_for(60.0)
    assert stage.book.saves == 0
    stage.joined(BOB)
    stage.pump.run_for(5.0)
    assert (stage.book.saves, saved(stage)) == (1, {BOB})
    stage.joined(CAROL)
    stage.pump.run_for(SAVE_EVERY_S - 10.0)
    assert stage.book.saves == 1
    stage.pump.run_for(10.0)
    assert (stage.book.saves, saved(stage)) == (2, {BOB, CAROL})
    stage.pump.run_for(600.0)
    assert stage.book.saves == 2
    stage.player.stop()
    assert stage.book.saves == 2


def test_a_full_disk_costs_the_saving_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    stage = PeersStage()
    stage.book.full = True
    stage.joined(BOB)
    stage.pump.run_for(10 * SAVE_EVERY_S)
    assert caplog.text.count("could not be saved") == 1
    stage.book.full = False
    stage.pump.run_for(SAVE_EVERY_S)
    assert saved(stage) == {BOB}
    stage.book.full = True
    stage.joined(CAROL)
    stage.player.stop()
    assert caplog.text.count("could not be saved") == 2


def test_a_damaged_book_costs_what_cannot_be_read() -> None:
    stage = PeersStage()
    stage.player.stop()
    stage.book.lines = [b"\xff\x00", b"half a li", f"{BOB}\thello\t-\t0\t0".encode()]
    stage.tcp.take()
    stage.player.start()
    assert stage.book.bad == 2
    assert dialed_hosts(stage) == ["10.0.0.2"]


def test_a_damaged_ban_list_costs_what_cannot_be_read() -> None:
    stage = PeersStage()
    stage.player.stop()
    stage.bans.lines = [b"\xff\x00"]
    stage.player.start()
    assert stage.bans.bad == 1


def test_a_bootstrap_address_is_dialed_at_once_after_a_restart() -> None:
    stage = PeersStage(bootstrap=(BOOT,))
    for _ in range(10):
        stage.tell(*(ConnectFailed(dial.token, CloseReason.REFUSED) for dial in stage.dials()))
        stage.pump.run_for(30.0)
    stage.player.stop()
    stage.tcp.take()
    stage.player.start()
    assert dialed_hosts(stage) == ["10.0.0.9"]


def test_a_peer_that_is_left_alone_is_left_alone_by_the_next_life_too() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.ask(DisconnectPeer(BOB))
    stage.pump.run_for(100.0)
    stage.player.stop()
    stage.tcp.take()
    stage.player.start()
    stage.pump.run_for(REST_S - 102.0)
    assert dialed_hosts(stage) == []
    stage.pump.run_for(10.0)
    assert dialed_hosts(stage) == ["10.0.0.2"]


def test_the_book_grows_with_the_number_of_peers_that_there_may_be() -> None:
    stage = PeersStage(max_peers=1_000)
    stage.player.stop()
    stage.book.lines = [b"10.%d.0.%d:1\thello\t-\t0\t0" % divmod(n, 100) for n in range(4_000)]
    stage.player.start()
    assert len(known(stage)) == 3_000
