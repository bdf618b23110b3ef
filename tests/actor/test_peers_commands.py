"""What the peers actor is told and asked beside connections: parting, classes, the links anew, idleness."""

from __future__ import annotations

from actors.messaging.messages import Disconnect, Response
from actors.peers.messages import (
    Classify,
    DisconnectPeer,
    LinksReset,
    PeerKind,
    PeerLinked,
    PeerUnlinked,
    Resync,
)
from actors.tcp.messages import CloseReason, ConnId, Idle
from tests.support.peers_stage import BOB, CAROL, OWN, PeersStage
from tests.support.probe import Probe


def test_disconnecting_a_peer_closes_all_its_links_the_outbound_one_last() -> None:
    stage = PeersStage()
    first, second = stage.greeted(BOB), stage.greeted(BOB)
    stage.out.take()
    assert stage.ask(DisconnectPeer(BOB)).result() is True
    assert stage.out.take() == [
        PeerUnlinked(BOB, second, first),
        Disconnect(second, CloseReason.LOCAL),
        PeerUnlinked(BOB, first, None),
        Disconnect(first, CloseReason.LOCAL),
    ]
    assert stage.ask(DisconnectPeer(BOB)).result() is False


def test_a_classified_peer_is_listed_so() -> None:
    stage = PeersStage()
    stage.greeted(BOB)
    stage.tell(Classify(BOB, PeerKind.LEGACY, None, 12))
    info = stage.table()[BOB]
    assert (info.kind, info.agent, info.height) == (PeerKind.LEGACY, None, 12)


def test_a_resync_tells_the_links_as_they_are() -> None:
    stage = PeersStage()
    first, second, other = stage.greeted(BOB), stage.greeted(BOB), stage.joined(CAROL)
    room = Probe(stage.pump, "new room")
    stage.tell(Resync(room.address))
    links = (
        PeerLinked(BOB, first, initiated=False, first=True),
        PeerLinked(BOB, second, initiated=False, first=False),
        PeerLinked(CAROL, other, initiated=True, first=True),
    )
    assert room.take() == [LinksReset(links), *links]


def test_an_idle_peer_is_asked_for_a_sign_of_life() -> None:
    stage = PeersStage()
    conn, stranger = stage.greeted(BOB), stage.accepted("10.0.0.3:50000")
    (asked,) = stage.tell(Idle(conn), Idle(stranger), Idle(ConnId(99)))
    assert (asked.conn, asked.kind, asked.payload) == (conn, "p2p:get_peers", b"")
    stage.dials()
    stage.tell(Response(asked.token, conn, f"{CAROL},{OWN},{BOB}".encode()))
    stage.tell(Response(asked.token, conn, None))
    stage.pump.run_for(5.0)
    assert [dial.host for dial in stage.dials()] == ["10.0.0.3"]
