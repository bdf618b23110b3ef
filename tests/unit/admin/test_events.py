"""One event of the house is at most one of the API."""

from __future__ import annotations

import pytest
from troupe.admin.v1 import event_pb2, event_service_pb2

from actors.chain.messages import MAX_DIGESTS, TipChanged, tip_moved
from actors.ledger.keys import ED25519
from actors.ledger.types import Block
from actors.mempool.messages import RemovalReason, TransactionAdded, TransactionRemoved
from actors.miner.messages import MinerChanged
from actors.peers.messages import PeerId, PeerLinked, PeerUnlinked
from actors.runtime.events import Event
from actors.tcp.messages import ConnId
from admin.events import NodeStopping, convert_event, notice_of
from tests.support.ledger import EASY_MAIN, child, key, transfer

PEER, CONN = PeerId("10.0.0.1:7000"), ConnId(1)
TX = transfer(key(ED25519, "a"), key(ED25519, "b").public, 0, 5)


def converted(body: object) -> event_pb2.Event | None:
    return convert_event(Event(7, "run", 1_700_000_000.25, body))


def blocks(count: int) -> tuple[Block, ...]:
    made = [child(EASY_MAIN.genesis.ref, bytes(32))]
    while len(made) < count:
        made.append(child(made[-1].ref, bytes(32)))
    return tuple(made)


@pytest.mark.parametrize(
    ("body", "type_", "field"),
    [
        (
            tip_moved(TipChanged(EASY_MAIN.genesis.ref)),
            event_pb2.EVENT_TYPE_TIP_CHANGED,
            "tip_changed",
        ),
        (
            TransactionAdded(TX, pending=True),
            event_pb2.EVENT_TYPE_TRANSACTION_ADDED,
            "transaction_added",
        ),
        (
            TransactionRemoved(TX.id, RemovalReason.EXPIRED),
            event_pb2.EVENT_TYPE_TRANSACTION_REMOVED,
            "transaction_removed",
        ),
        (
            PeerLinked(PEER, CONN, initiated=True, first=True),
            event_pb2.EVENT_TYPE_PEER_CONNECTED,
            "peer_connected",
        ),
        (
            PeerUnlinked(PEER, CONN, outbound=None),
            event_pb2.EVENT_TYPE_PEER_DISCONNECTED,
            "peer_disconnected",
        ),
        (MinerChanged(mining=True), event_pb2.EVENT_TYPE_MINING_STARTED, "mining_started"),
        (MinerChanged(mining=False), event_pb2.EVENT_TYPE_MINING_STOPPED, "mining_stopped"),
        (NodeStopping(), event_pb2.EVENT_TYPE_NODE_STOPPING, "node_stopping"),
    ],
)
def test_each_published_event_keeps_its_number_and_has_its_type(
    body: object, type_: int, field: str
) -> None:
    event = converted(body)
    assert event is not None
    assert (event.sequence, event.epoch, event.time.ToMilliseconds()) == (
        7,
        "run",
        1_700_000_000_250,
    )
    assert (event.type, event.WhichOneof("body")) == (type_, field)


@pytest.mark.parametrize(
    "body",
    [
        PeerLinked(PEER, CONN, initiated=True, first=False),
        PeerUnlinked(PEER, CONN, outbound=ConnId(2)),
        object(),
    ],
)
def test_other_happenings_are_not_published(body: object) -> None:
    assert converted(body) is None


def test_a_reorganisation_is_one_event_with_both_branches() -> None:
    old, new = blocks(1), blocks(2)
    event = converted(tip_moved(TipChanged(new[-1].ref, connected=new, disconnected=old)))
    assert event is not None
    assert [block.number for block in event.tip_changed.connected] == [1, 2]
    assert [block.hash for block in event.tip_changed.disconnected] == [old[0].hash.hex()]
    assert event.tip_changed.tip.hash == new[-1].hash.hex()


def test_a_long_move_shows_the_newest_blocks_and_counts_all() -> None:
    many = blocks(MAX_DIGESTS + 5)
    event = converted(tip_moved(TipChanged(many[-1].ref, connected=many, disconnected=many[::-1])))
    assert event is not None
    change = event.tip_changed
    assert (change.connected_count, change.disconnected_count) == (len(many), len(many))
    assert len(change.connected) == len(change.disconnected) == MAX_DIGESTS
    assert change.connected[-1].number == change.disconnected[0].number == many[-1].number
    assert event.ByteSize() < 4 * 1024 * 1024


def test_what_readers_are_sent_is_the_event_as_a_response() -> None:
    event = Event(7, "run", 1_700_000_000.25, TransactionAdded(TX, pending=True))
    shown, notice = convert_event(event), notice_of(event)
    assert shown is not None
    assert notice is not None
    response = event_service_pb2.WatchEventsResponse.FromString(notice.response)
    assert (response.event, notice.sequence, notice.type) == (shown, shown.sequence, shown.type)


def test_of_what_is_not_published_readers_are_sent_nothing() -> None:
    assert notice_of(Event(7, "run", 0.0, PeerUnlinked(PEER, CONN, outbound=CONN))) is None
