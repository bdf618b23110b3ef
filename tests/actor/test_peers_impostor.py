"""The peers actor alone: who says hello as somebody else does not keep the owner of the name out."""

import pytest

from actors.messaging.messages import Disconnect, OpenGate, Respond, Response
from actors.peers.messages import (
    ConnectionMisbehaved,
    ConnectOutcome,
    ConnectPeer,
    DisconnectPeer,
    DropPeer,
    ListBans,
    PeerId,
    PeerLinked,
    PeerUnlinked,
)
from actors.tcp.messages import CloseReason, ConnectFailed
from tests.support.peers_stage import BOOT, PeersStage, gone

ELSEWHERE = PeerId("10.6.6.6:50000")


def refused(stage: PeersStage) -> int:
    """Refuse every dial under way; how many."""
    dials = stage.dials()
    stage.tell(*(ConnectFailed(dial.token, CloseReason.REFUSED) for dial in dials))
    return len(dials)


def test_an_address_that_somebody_elsewhere_claims_is_still_dialed() -> None:
    stage = PeersStage(bootstrap=(BOOT,))
    refused(stage)
    stage.greeted(BOOT, ELSEWHERE)
    stage.pump.run_for(5.0)
    assert [dial.host for dial in stage.dials()] == ["10.0.0.9"]


def test_an_operator_may_dial_an_address_that_somebody_elsewhere_claims() -> None:
    stage = PeersStage()
    impostor = stage.greeted(BOOT, ELSEWHERE)
    conn = stage.joined(BOOT)
    table = stage.table()
    assert (table[BOOT].conns, table[ELSEWHERE].conns) == ((conn,), (impostor,))
    assert stage.ask(ConnectPeer(BOOT)).result() is ConnectOutcome.ALREADY_CONNECTED


def test_who_joins_during_our_dial_gives_the_name_back_when_it_is_answered() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOOT)
    impostor = stage.greeted(BOOT, ELSEWHERE)
    assert stage.tell(Response(hello.token, hello.conn, b"\x01")) == [
        PeerUnlinked(BOOT, impostor, None),
        PeerLinked(ELSEWHERE, impostor, initiated=False, first=True),
        PeerLinked(BOOT, hello.conn, initiated=True, first=True),
        OpenGate(hello.conn, BOOT),
    ]
    assert answer.result() is ConnectOutcome.CONNECTED


def test_the_owner_gets_its_name_back_by_its_own_hello() -> None:
    stage = PeersStage()
    impostor = stage.greeted(BOOT, ELSEWHERE)
    conn = stage.accepted("10.0.0.9:50000")
    assert stage.hello(conn, BOOT) == [
        Respond(conn, 5, b"\x01"),
        PeerUnlinked(BOOT, impostor, None),
        PeerLinked(ELSEWHERE, impostor, initiated=False, first=True),
        PeerLinked(BOOT, conn, initiated=False, first=True),
        OpenGate(conn, BOOT),
    ]


def test_the_owner_finds_a_place_in_a_full_house_as_whoever_nobody_claims_to_be() -> None:
    stage = PeersStage(max_peers=10, maintain_every_s=1e6)
    impostor = stage.greeted(BOOT, ELSEWHERE)
    for number in range(2, 40):
        stage.greeted(f"10.6.0.{number}:1")
    assert len(stage.table()) == 15
    conn = stage.accepted("10.0.0.9:50000")
    stage.hello(conn, BOOT)
    assert stage.table()[BOOT].conns == (conn,)
    assert stage.table()[ELSEWHERE].conns == (impostor,)
    assert len(stage.table()) == 15


def test_who_only_claims_to_be_a_bootstrap_peer_is_parted_with_as_anybody() -> None:
    stage = PeersStage(bootstrap=(BOOT,), max_peers=2)
    refused(stage)
    early = [stage.greeted(f"10.{number}.0.1:1") for number in (1, 2)]
    stage.greeted(BOOT, ELSEWHERE)
    stage.pump.run_for(5.0)
    assert [info.conns for info in stage.table().values()] == [(conn,) for conn in early]


@pytest.mark.parametrize("leaving", ["hangs up", "is dropped"])
def test_what_a_claimant_does_is_not_held_against_the_address(leaving: str) -> None:
    stage = PeersStage(maintain_every_s=1.0)
    for _ in range(20):
        conn = stage.greeted(BOOT, ELSEWHERE)
        drop = DropPeer(BOOT, CloseReason.OTHER_NETWORK)
        stage.tell(gone(conn) if leaving == "hangs up" else drop)
    stage.pump.run_for(1.0)
    assert [dial.host for dial in stage.dials()] == ["10.0.0.9"]


def test_an_operator_who_parts_with_a_claimant_is_heard() -> None:
    stage = PeersStage(bootstrap=(BOOT,))
    refused(stage)
    stage.greeted(BOOT, ELSEWHERE)
    assert stage.ask(DisconnectPeer(BOOT)).result() is True
    stage.pump.run_for(500.0)
    assert stage.dials() == []


def test_a_peer_behind_a_host_name_is_dialed_once_and_gains_a_link() -> None:
    stage = PeersStage()
    theirs = stage.greeted("bob.example:8000", "10.0.0.2:50000")
    stage.pump.run_for(5.0)
    (dial,) = stage.dials()
    ours = stage.connected(dial, "10.0.0.2:8000")
    assert stage.table()["bob.example:8000"].conns == (theirs, ours)
    stage.tell(gone(ours))
    stage.pump.run_for(600.0)
    assert stage.dials() == []


def test_a_peer_that_cannot_be_dialed_stays_and_is_not_dialed_for_ever() -> None:
    stage = PeersStage()
    stage.greeted("192.168.0.5:8000", "10.0.0.2:50000")
    dials = 0
    for _ in range(1_000):
        stage.pump.run_for(1.0)
        dials += refused(stage)
    assert dials == 8
    assert set(stage.table()) == {"192.168.0.5:8000"}


def test_nothing_is_closed_on_a_claimant() -> None:
    stage = PeersStage()
    stage.greeted(BOOT, ELSEWHERE)
    stage.joined(BOOT)
    assert stage.out.of(Disconnect) == []


def test_who_had_the_name_of_a_peer_is_dropped_and_blamed_by_its_connection_and_not_the_owner() -> (
    None
):
    stage = PeersStage()
    impostor = stage.greeted(BOOT, ELSEWHERE)
    owner = stage.joined(BOOT)
    stage.pump.run_for(60.0)
    stage.tell(ConnectionMisbehaved(impostor, 40, "a bad signature"))
    assert (stage.table()[BOOT].score, stage.table()[ELSEWHERE].score) == (0.0, 40.0)
    stage.tell(DropPeer(BOOT, CloseReason.OTHER_NETWORK, impostor))
    assert set(stage.table()) == {BOOT}
    assert stage.table()[BOOT].conns == (owner,)


def test_what_a_connection_did_that_is_gone_is_counted_against_who_had_it_however_late() -> None:
    stage = PeersStage()
    impostor = stage.greeted(BOOT, ELSEWHERE)
    stage.tell(gone(impostor))
    stage.joined(BOOT)
    stage.pump.run_for(600.0)
    stage.tell(ConnectionMisbehaved(impostor, 100, "a bad signature"))
    assert set(stage.table()) == {BOOT}
    assert [ban.target for ban in stage.ask(ListBans()).result()] == ["10.6.6.6"]


def test_of_a_connection_that_is_gone_nobody_is_dropped() -> None:
    stage = PeersStage()
    impostor = stage.greeted(BOOT, ELSEWHERE)
    stage.tell(gone(impostor))
    stage.joined(BOOT)
    stage.tell(DropPeer(BOOT, CloseReason.OTHER_NETWORK, impostor))
    assert set(stage.table()) == {BOOT}
