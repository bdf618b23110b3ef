"""What is owed for a letter that is given up, and what of it is kept."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from actors.assembly import START_ORDER
from actors.chain.messages import StoreFault, TipChanged
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Verdicts
from actors.ledger.types import BlockRef
from actors.letters import STALE_S, HouseLetters
from actors.mempool.messages import GetCandidates, PoolChanged
from actors.messaging.fingerprint import fingerprint, frame_fingerprint
from actors.messaging.messages import (
    Done,
    Inbound,
    MessageType,
    Received,
    Respond,
    RespondBatch,
    Response,
    SendRequest,
)
from actors.peers.messages import Brought, Classify, PeerId, PeerKind, Poisoned, Resync
from actors.runtime.actor import Fall, Waiting
from actors.runtime.address import Address
from actors.runtime.clock import FakeClock
from actors.runtime.events import Happened
from actors.runtime.mailbox import Mailbox
from actors.runtime.pump import Pump
from actors.runtime.quarantine import Exhibit, ListQuarantine, Quarantine
from actors.search.messages import LookedUp, LookUp, SearchEnded, StartSearch
from actors.tcp.messages import (
    Answer,
    CloseReason,
    Connect,
    ConnectFailed,
    ConnId,
    FramesReceived,
    Handled,
)
from tests.support.probe import Probe

CONN, PEER = ConnId(3), PeerId("192.0.2.7:18750")
RUMOURS = tuple(
    Inbound(CONN, MessageType.REGULAR, n, "gossip:bc:new_tx", bytes(16) + bytes((n,)))
    for n in range(3)
)
ITEMS = tuple(GossipItem(n, "bc:new_tx", bytes((n,)), PEER, CONN) for n in range(3))
BUG = ZeroDivisionError("a bug")


class Scene:
    def __init__(self) -> None:
        self.pump = Pump(1, FakeClock())
        self.probes = {name: Probe(self.pump, name) for name in START_ORDER}
        self.asker = Probe(self.pump, "asker")
        self.quarantine = Quarantine()
        at = {name: probe.address for name, probe in self.probes.items()}
        self.letters = HouseLetters(at, self.quarantine, lambda conn: f"connection {conn}")

    def give_up(self, message: object, error: Exception = BUG, *, second: bool = True) -> int:
        lost = self.letters.give_up("mempool", Fall(error, message), was_second=second)
        self.pump.run_until_idle()
        return lost

    def told(self, name: str) -> list[Any]:
        return self.probes[name].take()

    def kept(self) -> tuple[Exhibit, ...]:
        kept = self.quarantine.answer(ListQuarantine())
        assert isinstance(kept, tuple)
        return kept


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("letter", "lost", "room", "payment"),
    [
        (FramesReceived(CONN, (b"a", b"b")), 2, "tcp", Handled(CONN, 2)),
        (Answer(CONN, (b"a", b"b")), 2, "tcp", Handled(CONN, 2)),
        (Done(CONN, 3), 1, "tcp", Handled(CONN, 3)),
        (Received(RUMOURS), 3, "messaging", Done(CONN, 3)),
        (RespondBatch(CONN, ((1, b""), (2, b""))), 2, "messaging", Done(CONN, 2)),
        (Respond(CONN, 1, b""), 1, "messaging", Done(CONN, 1)),
        (
            GossipReceived(ITEMS),
            3,
            "gossip",
            Verdicts(tuple((n, Decision.DROP) for n in range(3))),
        ),
        (Connect(5, "h", 1), 1, "messaging", ConnectFailed(5, CloseReason.IO_ERROR)),
    ],
)
def test_what_is_owed_is_paid_and_each_message_counted(
    scene: Scene, letter: object, lost: int, room: str, payment: object
) -> None:
    assert scene.give_up(letter) == lost
    assert scene.told(room) == [payment]


def test_nobody_waits_for_an_answer_that_does_not_come(scene: Scene) -> None:
    asker = scene.asker.address
    scene.give_up(SendRequest(CONN, "k", b"", 7, asker))
    scene.give_up(StartSearch(8, "block", b"", asker))
    scene.give_up(LookUp(9, b"", asker))
    assert scene.asker.take() == [
        Response(7, CONN, None),
        SearchEnded(8, None, None),
        LookedUp(9, None),
    ]


def test_a_batch_has_its_messages_for_parts_and_a_command_itself(scene: Scene) -> None:
    parts = scene.letters.parts
    frames = FramesReceived(CONN, (b"a", b"b"))
    assert parts(frames) == [FramesReceived(CONN, (b"a",)), FramesReceived(CONN, (b"b",))]
    assert parts(Received(RUMOURS)) == [Received((each,)) for each in RUMOURS]
    assert parts(GossipReceived(ITEMS)) == [GossipReceived((each,)) for each in ITEMS]
    resync = Resync(Address(Mailbox("x", lambda: 0.0)))
    assert parts(resync) == (resync,)
    for unknown in (Response(1, CONN, b""), "no message of any room", object()):
        assert parts(unknown) == ()


def test_what_a_peer_sent_is_kept_with_its_name_and_it_is_told_of(scene: Scene) -> None:
    scene.give_up(GossipReceived(ITEMS[:1]))
    (kept,) = scene.kept()
    assert (kept.find.actor, kept.find.letter, kept.find.peer) == (
        "mempool",
        "GossipReceived",
        PEER,
    )
    assert "ZeroDivisionError: a bug" in kept.find.error
    assert scene.told("peers") == [Poisoned(CONN)]


def test_an_error_that_holds_a_peers_bytes_is_kept_with_its_name_and_not_with_all_of_them(
    scene: Scene,
) -> None:
    scene.give_up(GossipReceived(ITEMS[:1]), KeyError(bytes(2**20)))
    (kept,) = scene.kept()
    assert kept.find.error.startswith("KeyError: b'")


def test_the_same_content_on_its_way_through_each_room_is_known(scene: Scene) -> None:
    rumour = Inbound(CONN, MessageType.REGULAR, 9, "gossip:bc:new_tx", b"x" * 16 + b"\0")
    scene.give_up(GossipReceived(ITEMS[:1]))
    scene.give_up(Received((rumour,)))
    assert len(scene.kept()) == 1
    assert scene.told("peers") == [Poisoned(CONN)]


def test_a_connection_that_fells_tcp_before_its_bytes_are_a_frame_is_told_of(scene: Scene) -> None:
    scene.letters.blame("tcp", Fall(BUG, Waiting(CONN)), CONN)
    scene.pump.run_until_idle()
    (kept,) = scene.kept()
    assert (kept.find.letter, kept.find.frames, kept.find.fingerprint) == ("Waiting", (), b"")
    assert scene.told("peers") == [Poisoned(CONN)]


def test_a_frame_and_a_message_are_marked_by_what_comes_again(scene: Scene) -> None:
    scene.give_up(FramesReceived(CONN, (b"\0" * 9,)))
    scene.give_up(Received(RUMOURS[1:2]))
    first, second = scene.kept()
    assert first.find.fingerprint == frame_fingerprint(b"\0" * 9)
    assert second.find.fingerprint == fingerprint(0, RUMOURS[1].kind, RUMOURS[1].payload)
    assert first.find.peer == f"connection {CONN}"


def test_an_answer_cannot_be_tried_again_and_is_kept_without_being_refused(scene: Scene) -> None:
    scene.give_up(Response(4, CONN, b"blocks"), second=False)
    scene.give_up(SearchEnded(4, b"a block", CONN), second=False)
    assert [each.find.fingerprint for each in scene.kept()] == [b"", b""]
    assert scene.told("peers") == [Poisoned(CONN), Poisoned(CONN)]


@pytest.mark.parametrize("error", [OSError(28), MemoryError(), sqlite3.OperationalError("disk")])
def test_for_what_the_machine_did_no_peer_answers(scene: Scene, error: Exception) -> None:
    assert scene.give_up(GossipReceived(ITEMS), error) == 3
    assert scene.kept() == ()
    assert scene.told("peers") == []


@pytest.mark.parametrize("letter", [Response(4, CONN, None), SearchEnded(4, None, None), "strange"])
def test_what_no_peer_sent_is_not_kept(scene: Scene, letter: object) -> None:
    assert scene.give_up(letter) == 1
    assert scene.kept() == ()


@pytest.mark.parametrize(
    ("letter", "count", "room", "payment"),
    [
        (FramesReceived(CONN, (b"a", b"b")), 2, "tcp", Handled(CONN, 2)),
        (Received(RUMOURS), 3, "messaging", Done(CONN, 3)),
        (GossipReceived(ITEMS[:1]), 1, "gossip", Verdicts(((0, Decision.DROP),))),
    ],
)
def test_what_waits_of_a_connection_that_brought_poison_twice_is_given_up_and_paid(
    scene: Scene, letter: object, count: int, room: str, payment: object
) -> None:
    box = Mailbox("mempool", lambda: 0.0)
    others = Received((RUMOURS[0]._replace(conn=ConnId(4)),))
    for each in (others, letter, Resync(Address(box))):
        box.post(each)
    scene.give_up(Response(1, CONN, b"poison"), second=False)
    assert scene.letters.forfeit(box) == 0
    scene.give_up(Response(2, CONN, b"another"), second=False)
    assert scene.letters.forfeit(box) == count
    scene.pump.run_until_idle()
    assert scene.told(room) == [payment]
    assert [type(box.get().message) for _ in range(box.qsize())] == [Received, Resync]


def test_what_a_peer_sent_too_long_ago_is_given_up_and_paid(scene: Scene) -> None:
    clock = FakeClock()
    box = Mailbox("mempool", clock.now_s)
    for each in (Received(RUMOURS), Resync(Address(box))):
        box.post(each)
    clock.advance(STALE_S + 1.0)
    box.post(Received(RUMOURS[:1]))
    assert scene.letters.forfeit(box) == 3
    scene.pump.run_until_idle()
    assert scene.told("messaging") == [Done(CONN, 3)]
    assert [type(box.get().message) for _ in range(box.qsize())] == [Resync, Received]


def test_old_news_of_the_house_is_given_up_and_counted_and_what_stands_is_not(scene: Scene) -> None:
    clock = FakeClock()
    box = Mailbox("miner", clock.now_s)
    news = [
        TipChanged(BlockRef(1, bytes(32))),
        PoolChanged(1),
        GetCandidates(9, scene.asker.address),
        Happened("a block"),
        Brought((PEER,), is_block=True),
        Classify(PEER, PeerKind.LEGACY, None, None),
        LookUp(7, b"query", scene.asker.address),
    ]
    for each in (*news, StoreFault("the disk is full")):
        box.post(each)
    clock.advance(STALE_S)
    assert scene.letters.forfeit(box) == 0
    clock.advance(1.0)
    newest = TipChanged(BlockRef(2, bytes(32)))
    box.post(newest)
    assert scene.letters.forfeit(box) == len(news)
    left = [box.get().message for _ in range(box.qsize())]
    assert left == [StoreFault("the disk is full"), newest]
    scene.pump.run_until_idle()
    assert scene.asker.take() == [LookedUp(7, None)]
