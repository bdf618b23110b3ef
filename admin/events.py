"""The rooms' events as the API shows them: one event of the house is at most one of the API.

So a number means the same on both sides, and a filter or an unpublished happening leaves a gap, never a
renumbering. A move of the tip stays one event, however many blocks it carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troupe.admin.v1 import event_pb2, event_service_pb2

from actors.chain.messages import TipMoved
from actors.mempool.messages import TransactionAdded, TransactionRemoved
from actors.miner.messages import MinerChanged
from actors.peers.messages import PeerLinked, PeerUnlinked
from actors.runtime.events import Event
from admin import convert


@dataclass(frozen=True, slots=True)
class NodeStopping:
    """The node begins to stop; told by the admin server, so that streams end with it. Event."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A published event as each of its readers is sent it. Value.

    Attributes:
        response: The serialized WatchEventsResponse: that is a fifth of what a reader of it costs, and made
            once for all.
    """

    sequence: int
    type: event_pb2.EventType.ValueType
    response: bytes


def notice_of(event: Event) -> Notice | None:
    """What readers are sent; None for a happening that is not published."""
    shown = convert_event(event)
    if shown is None:
        return None
    response = event_service_pb2.WatchEventsResponse(event=shown)
    return Notice(shown.sequence, shown.type, response.SerializeToString())


def convert_event(event: Event) -> event_pb2.Event | None:
    """The event as the API shows it; None for a happening that is not published."""
    type_ = event_type(event)
    if type_ is None:
        return None
    return event_pb2.Event(
        sequence=event.sequence,
        epoch=event.epoch,
        time=convert.timestamp(event.at_s),
        type=type_,
        **_body(event.body),
    )


def event_type(event: Event) -> event_pb2.EventType.ValueType | None:
    """The type that it has once converted, which costs more; None: it is not published."""
    match event.body:
        case TipMoved():
            return event_pb2.EVENT_TYPE_TIP_CHANGED
        case TransactionAdded():
            return event_pb2.EVENT_TYPE_TRANSACTION_ADDED
        case TransactionRemoved():
            return event_pb2.EVENT_TYPE_TRANSACTION_REMOVED
        case PeerLinked(first=True):
            return event_pb2.EVENT_TYPE_PEER_CONNECTED
        case PeerUnlinked(outbound=None):
            return event_pb2.EVENT_TYPE_PEER_DISCONNECTED
        case MinerChanged(mining=True):
            return event_pb2.EVENT_TYPE_MINING_STARTED
        case MinerChanged(mining=False):
            return event_pb2.EVENT_TYPE_MINING_STOPPED
        case NodeStopping():
            return event_pb2.EVENT_TYPE_NODE_STOPPING
        case _:
            return None  # a peer's further connections, and what later rooms may tell


def watch_started(position: event_pb2.EventPosition, now_unix_s: float) -> event_pb2.Event:
    """The first message of a stream."""
    return event_pb2.Event(
        sequence=position.sequence,
        epoch=position.epoch,
        time=convert.timestamp(now_unix_s),
        type=event_pb2.EVENT_TYPE_WATCH_STARTED,
        watch_started=event_pb2.WatchStarted(),
    )


def _body(body: object) -> dict[str, Any]:
    """The body of a published event, under the name of its field."""
    match body:
        case TipMoved():
            return {"tip_changed": _tip_changed(body)}
        case TransactionAdded(tx, pending):
            added = event_pb2.TransactionAdded(transaction=convert.transaction(tx), pending=pending)
            return {"transaction_added": added}
        case TransactionRemoved(tx_id, reason):
            removed = event_pb2.TransactionRemoved(tx_id=tx_id.hex(), reason=reason)
            return {"transaction_removed": removed}
        case PeerLinked(peer, _conn, initiated):
            linked = event_pb2.PeerConnected(address=peer, initiated=initiated)
            return {"peer_connected": linked}
        case PeerUnlinked(peer):
            return {"peer_disconnected": event_pb2.PeerDisconnected(address=peer)}
        case MinerChanged(mining=True):
            return {"mining_started": event_pb2.MiningStarted()}
        case MinerChanged():
            return {"mining_stopped": event_pb2.MiningStopped()}
        case _:
            return {"node_stopping": event_pb2.NodeStopping()}


def _tip_changed(moved: TipMoved) -> event_pb2.TipChanged:
    return event_pb2.TipChanged(
        tip=convert.block_ref(moved.tip),
        connected=list(map(convert.block_summary, moved.connected)),
        disconnected=list(map(convert.block_summary, moved.disconnected)),
        connected_count=moved.connected_count,
        disconnected_count=moved.disconnected_count,
    )
