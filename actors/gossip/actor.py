"""The gossip actor: hears rumours, has them judged, passes them on.

Built for batches: one ``Received`` becomes at most one message to each handler, one batch of verdicts
one relay for each peer that they came from, and read credit returns once per batch.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import NamedTuple, assert_never

from actors.gossip.kinds import WIRE_PREFIX, Kinds, salt_of
from actors.gossip.links import Links
from actors.gossip.messages import (
    Decision,
    GetGossip,
    GossipCommand,
    GossipInfo,
    GossipItem,
    GossipReceived,
    Publish,
    PublishTo,
    Verdicts,
)
from actors.gossip.seen import SeenKeys
from actors.messaging.messages import (
    Done,
    Inbound,
    MessageType,
    MessagingCommand,
    Received,
    SendBatch,
    SendRegular,
)
from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.tcp.messages import ConnId

ID_BYTES = 16
"""WIRE: gossip."""
VERDICT_TIMEOUT_S = 60.0
"""A handler that fell has lost its tickets; their senders' read credit must not be lost with them."""
SWEEP_S = 10.0
MAX_AWAITING = 32_768
"""Read credit bounds them to some 20,000 (80 connections of 256 frames each); connections that come
and go are what this is against.
"""


MAX_HELD = 1_024
"""Publishes before the peers room has told the links, a few messages after a start: of more than these,
such as a mempool told anew, the newest count most.
"""


class _Awaiting(NamedTuple):
    """A rumour at its handler. A tuple for speed."""

    message: Inbound
    peer: PeerId
    content: bytes
    """Hash of kind and payload."""
    since_s: float


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Some verdicts may be overdue. Tell."""

    incarnation: int


GossipInput = GossipCommand | Received | PeerEvent | _Sweep


class GossipActor(NodeActor):
    """Floods; keeps what was seen and what awaits a verdict."""

    def __init__(
        self,
        *,
        me: Address[GossipInput],
        handlers: Mapping[str, Address[GossipReceived]],
        limits_bytes: Mapping[str, int],
        messaging: Address[MessagingCommand],
        peers: Address[Resync],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        super().__init__()
        self._me, self._messaging, self._peers = me, messaging, peers
        self._clock, self._rng = clock, rng
        self._kinds = Kinds(handlers, limits_bytes)
        self._links = Links()
        self._held: deque[Publish] = deque(maxlen=MAX_HELD)
        # Ids are kept with the hash of what they named, or known ids would suppress other news.
        self._seen, self._judged = SeenKeys(), SeenKeys()
        self._awaiting: dict[int, _Awaiting] = {}
        self._owed: Counter[ConnId] = Counter()  # read credit that is with us
        # Verdicts on an earlier incarnation's tickets may still arrive: ours differ from them.
        self._incarnation = self._last_ticket = rng.getrandbits(62)
        self._received = self._duplicates = self._relayed = 0
        self._published = self._unhandled = 0

    def on_start(self) -> None:
        self._peers.tell(Resync(self._me))
        self._sweep()

    def on_crash(self) -> None:
        """Give back all read credit, of which the next incarnation will not know, and leave it what is
        still to be published.
        """
        for conn, messages in self._owed.items():
            self._messaging.tell(Done(conn, messages))
        for publish in self._held:
            self._me.tell(publish)

    def on_receive(self, message: GossipInput) -> GossipInfo | None:
        match message:
            case Received(messages):
                self._on_received(messages)
            case Verdicts(decisions):
                self._on_verdicts(decisions)
            case Publish():
                self._held.append(message)
                self._publish_held()
            case PublishTo(conns, kind, payload):
                self._publish(conns, kind, payload)
            case PeerLinked() | PeerUnlinked() | LinksReset():
                self._links.apply(message)
                self._publish_held()
            case GetGossip():
                return self._info()
            case _Sweep(incarnation):
                if incarnation == self._incarnation:
                    self._sweep()
            case _:
                assert_never(message)
        return None

    # -- in -------------------------------------------------------------------------------------

    def _on_received(self, messages: tuple[Inbound, ...]) -> None:
        conn = messages[0].conn
        self._received += len(messages)
        self._owed[conn] += len(messages)
        peer = self._links.peer_of(conn)
        asked = self._ask_handlers(messages, peer) if peer is not None else 0
        self._give_back({conn: len(messages) - asked})

    def _ask_handlers(self, messages: tuple[Inbound, ...], peer: PeerId) -> int:
        """Have what is news judged; how many messages that is."""
        now_s = self._clock.now_s()
        self._seen.expire(now_s)
        self._judged.expire(now_s)
        kinds = {kind: self._kinds.on_wire(kind) for kind in {message.kind for message in messages}}
        items: defaultdict[Address[GossipReceived], list[GossipItem]] = defaultdict(list)
        asked = 0
        for message in messages:
            kind = kinds[message.kind]
            payload = message.payload
            if (
                kind is None
                or message.type is not MessageType.REGULAR
                or not ID_BYTES <= len(payload) <= ID_BYTES + kind.limit_bytes
                or len(self._awaiting) >= MAX_AWAITING
            ):
                self._unhandled += 1
                continue
            body = payload[ID_BYTES:]
            content = sha256(kind.salt + body).digest()
            if content in self._judged or not self._seen.add(payload[:ID_BYTES] + content, now_s):
                self._duplicates += 1
                continue
            self._last_ticket = ticket = self._last_ticket + 1
            self._awaiting[ticket] = _Awaiting(message, peer, content, now_s)
            items[kind.handler].append(GossipItem(ticket, kind.name, body, peer, message.conn))
            asked += 1
        for handler, batch in items.items():
            handler.tell(GossipReceived(tuple(batch)))
        return asked

    # -- verdicts -------------------------------------------------------------------------------

    def _on_verdicts(self, decisions: tuple[tuple[int, Decision], ...]) -> None:
        now_s = self._clock.now_s()
        done: Counter[ConnId] = Counter()
        relays: defaultdict[PeerId, list[tuple[str, bytes]]] = defaultdict(list)
        for ticket, decision in decisions:
            judged = self._awaiting.pop(ticket, None)
            if judged is None:
                continue  # it took too long, or was asked by an earlier incarnation
            message = judged.message
            done[message.conn] += 1
            if decision is Decision.RELAY or decision is Decision.FINAL:
                self._judged.add(judged.content, now_s)
            if decision is Decision.RELAY or decision is Decision.PASS:
                relays[judged.peer].append((message.kind, message.payload))
        for peer, messages in relays.items():
            self._relayed += len(messages)
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(messages)))
        self._give_back(done)

    def _sweep(self) -> None:
        """End what no handler will judge any more, as if dropped."""
        self._clock.tell_after(SWEEP_S, self._me, _Sweep(self._incarnation))
        latest_s = self._clock.now_s() - VERDICT_TIMEOUT_S
        overdue = takewhile(lambda entry: entry[1].since_s <= latest_s, self._awaiting.items())
        self._on_verdicts(tuple((ticket, Decision.DROP) for ticket, _ in overdue))

    def _give_back(self, done: Mapping[ConnId, int]) -> None:
        """Return the read credit of messages that are dealt with."""
        for conn, messages in done.items():
            if messages:
                self._messaging.tell(Done(conn, messages))
                self._owed[conn] -= messages
            if not self._owed[conn]:
                del self._owed[conn]

    # -- out ------------------------------------------------------------------------------------

    def _publish_held(self) -> None:
        """Send our news to every peer, once it is known who that is: after a restart the links are told
        behind what was in the mailbox already.
        """
        while self._held and self._links.known:
            publish = self._held.popleft()
            self._publish(self._links.outbound(), publish.kind, publish.payload)

    def _publish(self, conns: tuple[ConnId, ...], kind: str, payload: bytes) -> None:
        """Send news of our own; it is accepted by definition, so its echo is a duplicate."""
        wire_kind = WIRE_PREFIX + kind
        message_id = self._rng.randbytes(ID_BYTES)
        content = sha256(salt_of(wire_kind) + payload).digest()
        now_s = self._clock.now_s()
        self._seen.add(message_id + content, now_s)
        self._judged.add(content, now_s)
        self._published += 1
        self._messaging.tell(SendRegular(conns, wire_kind, message_id + payload))

    def _info(self) -> GossipInfo:
        return GossipInfo(
            received=self._received,
            duplicates=self._duplicates,
            relayed=self._relayed,
            published=self._published,
            unhandled=self._unhandled,
            seen_ids=len(self._seen),
            awaiting_verdict=len(self._awaiting),
        )
