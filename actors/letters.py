"""What the supervisor must know of the rooms' letters: which are tried again after a fall, how, what is owed
for one that is given up, and what in it came from a peer.

The one place that knows every room's messages; it knows nothing of what the rooms do with them.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from actors.chain.messages import BlockMined, TipChanged
from actors.chain.schema import StoreError
from actors.gossip.messages import (
    Decision,
    GossipReceived,
    Publish,
    PublishTo,
    Unlisten,
    Verdicts,
)
from actors.mempool.messages import GetCandidates, PoolChanged
from actors.messaging.fingerprint import (
    fingerprint,
    frame_fingerprint,
    gossip_fingerprint,
)
from actors.messaging.messages import (
    CallRoll,
    Disconnect,
    Done,
    LinksNow,
    OpenGate,
    Received,
    Respond,
    RespondBatch,
    Response,
    SendBatch,
    SendRegular,
    SendRequest,
    Unwatch,
)
from actors.miner.messages import AbandonGenerate
from actors.peers.messages import (
    Brought,
    Classify,
    ConnectionMisbehaved,
    DropPeer,
    Misbehaved,
    PeerEvent,
    Poisoned,
    Resync,
)
from actors.runtime.actor import Fall
from actors.runtime.address import Address
from actors.runtime.events import Happened
from actors.runtime.mailbox import Mailbox
from actors.runtime.quarantine import MAX_ERROR_CHARS, Find, Frame, Quarantine
from actors.runtime.tracebacks import traceback_of
from actors.search.messages import CloseSearch, LookedUp, LookUp, SearchEnded, StartSearch
from actors.tcp.messages import (
    Answer,
    Close,
    CloseReason,
    Connect,
    ConnectFailed,
    ConnectionsNow,
    ConnId,
    Establish,
    FramesReceived,
    Handled,
    HelloSaid,
    LinkEvent,
    RollCall,
    Send,
)

BANNED_AT = 2
"""Poison of one sender (ARCHITECTURE: supervision)."""
STALE_S = 60.0
"""What a peer has sent so long ago is given up when its reader falls, or fails to come back: nobody waits for what
comes of it (`gossip.actor.VERDICT_TIMEOUT_S`), and else it would gather for as long as the reader is down. So is
news of the house and of peers, and what is asked because of either: who begins anew begins with how things are, and
says so."""
MAX_POISONED = 1_024
"""Connections that brought some; each cost us falls."""
OURS = (OSError, MemoryError, sqlite3.Error, StoreError)
"""What fell an actor so is the machine's doing, whatever it had in hand: no peer answers for it."""
AGAIN = (
    *(Connect, Send, Answer, HelloSaid, Establish, Handled, Close, RollCall),
    *(*get_args(LinkEvent), ConnectionsNow, *get_args(PeerEvent), LinksNow),
    *(SendRegular, SendBatch, SendRequest, Respond, RespondBatch, Done, OpenGate, Disconnect),
    *(CallRoll, Unwatch, Resync, DropPeer, Misbehaved, ConnectionMisbehaved, Classify, Poisoned),
    *(Publish, PublishTo, Unlisten, StartSearch, LookUp, CloseSearch, BlockMined, TipChanged),
    *(GetCandidates, PoolChanged, AbandonGenerate, Brought, Happened),
)
"""What another incarnation understands as well as the one that fell, and may get twice: a handler that had done
its work before it fell does it again. The rest are timers and answers: they speak of what ended with it."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a peer sent, and on which connection. Value."""

    conn: ConnId
    peer: str
    frames: tuple[Frame, ...]
    fingerprint: bytes


class HouseLetters:
    """The supervisor's thread; it only tells."""

    def __init__(
        self,
        at: Mapping[str, Address[Any]],
        quarantine: Quarantine,
        name_of: Callable[[ConnId], str],
    ) -> None:
        """``name_of`` says whose a connection is, for people."""
        self._at, self._quarantine, self._name_of = at, quarantine, name_of
        self._poisoned: Counter[ConnId] = Counter()

    def parts(self, message: object) -> Sequence[object]:
        """What peers sent one by one, so that what is innocent is dealt with; else the letter itself."""
        match message:
            case FramesReceived(conn, frames):
                return [FramesReceived(conn, (frame,)) for frame in frames]
            case Received(messages):
                return [Received((each,)) for each in messages]
            case GossipReceived(items):
                return [GossipReceived((item,)) for item in items]
        return (message,) if isinstance(message, AGAIN) else ()

    def give_up(self, name: str, fall: Fall, *, was_second: bool) -> int:
        message = fall.message
        evidence = None if isinstance(fall.error, OURS) else self._evidence(message)
        if evidence is not None:
            self._keep(name, fall, evidence, is_proven=was_second)
        return self._settle(message)

    def blame(self, name: str, fall: Fall, suspect: int) -> None:
        """What a connection sent fell tcp before it was a frame: it is closed, and gone with what it sent."""
        if not isinstance(fall.error, OURS):
            evidence = _Evidence(ConnId(suspect), "", (), b"")
            self._keep(name, fall, evidence, is_proven=False)

    def forfeit(self, mailbox: Mailbox) -> int:
        """What is stale, of peers and of the house; and all of a connection that brought poison twice: it is
        closed, and each such letter more would be a fall.
        """
        return sum(map(self._settle, mailbox.take_out(self._is_forfeit)))

    def _is_forfeit(self, message: object, age_s: float) -> bool:
        match message:
            case FramesReceived(conn):
                sender = conn
            case Received(messages):
                sender = messages[0].conn
            case GossipReceived(items):
                sender = items[0].conn
            case TipChanged() | PoolChanged() | GetCandidates() | Happened():
                return age_s > STALE_S
            case LookUp() | Brought() | Classify():
                return age_s > STALE_S
            case _:
                return False
        return age_s > STALE_S or self._poisoned[sender] >= BANNED_AT

    def _settle(self, message: object) -> int:  # noqa: C901 - a case a message
        """Pay what is owed, so that nobody waits for what does not come; how many messages are lost."""
        at = self._at
        match message:
            case FramesReceived(conn, frames):
                at["tcp"].tell(Handled(conn, len(frames)))
                return len(frames)
            case Answer(conn, messages):
                at["tcp"].tell(Handled(conn, len(messages)))
                return len(messages)
            case Done(conn, count):
                at["tcp"].tell(Handled(conn, count))
            case Received(messages):
                at["messaging"].tell(Done(messages[0].conn, len(messages)))
                return len(messages)
            case RespondBatch(conn, answers):
                at["messaging"].tell(Done(conn, len(answers)))
                return len(answers)
            case Respond(conn):
                at["messaging"].tell(Done(conn, 1))
            case GossipReceived(items):
                dropped = tuple((item.ticket, Decision.DROP) for item in items)
                at["gossip"].tell(Verdicts(dropped))
                return len(items)
            case SendRequest(conn, token=token, reply_to=asker):
                asker.tell(Response(token, conn, None))
            case StartSearch(token, reply_to=searcher):
                searcher.tell(SearchEnded(token, None, None))
            case LookUp(ticket, reply_to=looker):
                looker.tell(LookedUp(ticket, None))
            case Connect(token):
                at["messaging"].tell(ConnectFailed(token, CloseReason.IO_ERROR))
        return 1

    def _keep(self, name: str, fall: Fall, evidence: _Evidence, *, is_proven: bool) -> None:
        """What is kept already was passed on by somebody else: only who came first answers for it."""
        find = Find(
            actor=name,
            letter=type(fall.message).__name__,
            error=traceback_of(fall.error)[-MAX_ERROR_CHARS:],
            peer=evidence.peer or self._name_of(evidence.conn),
            frames=evidence.frames,
            fingerprint=evidence.fingerprint if is_proven else b"",
        )
        if self._quarantine.take(find):
            self._poisoned[evidence.conn] += 1
            if len(self._poisoned) > MAX_POISONED:
                del self._poisoned[next(iter(self._poisoned))]
            self._at["peers"].tell(Poisoned(evidence.conn))

    def _evidence(self, message: object) -> _Evidence | None:
        """None: no peer has sent it."""
        match message:
            case FramesReceived(conn, frames):
                kept = tuple(Frame("", frame) for frame in frames)
                return _Evidence(conn, "", kept, frame_fingerprint(frames[0]))
            case Received(messages):
                first = messages[0]
                kept = tuple(Frame(each.kind, each.payload) for each in messages)
                mark = fingerprint(first.type, first.kind, first.payload)
                return _Evidence(first.conn, "", kept, mark)
            case GossipReceived(items):
                item = items[0]
                kept = tuple(Frame(f"gossip:{each.kind}", each.payload) for each in items)
                return _Evidence(
                    item.conn, item.peer, kept, gossip_fingerprint(item.kind, item.payload)
                )
            case Response(_, conn, bytes() as payload):
                return _Evidence(conn, "", (Frame("(response)", payload),), b"")
            case SearchEnded(_, bytes() as answer, conn) if conn is not None:
                return _Evidence(conn, "", (Frame("(search response)", answer),), b"")
        return None
