"""How many messages of each kind pass, and how many bytes of payload. Pure; counted in runs, not one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from actors.messaging.messages import Inbound, KindTraffic
from actors.messaging.routes import OTHER_KINDS

RESPONSES = "(response)"
"""Under this name, since a response carries no kind."""
FIELD_KINDS = (
    "p2p:hello",
    "p2p:get_peers",
    "gossip:bc:new_tx",
    "gossip:bc:new_block",
    "gossip:search:block",
    "gossip:chat",
    "search_response:block",
    "chain:status",
    "chain:get_blocks",
    "mempool:get",
)
"""The kinds of WIRE always have their own count, whatever else peers invent."""
MAX_FURTHER_KINDS = 64
"""Of others, the first so many to pass; the rest shares one count."""

# By position, which is the faster way: every message passes here.
_kind_of = itemgetter(Inbound._fields.index("kind"))
_payload_of = itemgetter(Inbound._fields.index("payload"))
_first_of, _second_of = itemgetter(0), itemgetter(1)


class _Counts:
    """Of one kind."""

    __slots__ = ("received", "received_bytes", "sent", "sent_bytes")

    def __init__(self) -> None:
        self.received = self.received_bytes = self.sent = self.sent_bytes = 0


class Traffic:
    """Counts since the actor began."""

    def __init__(self) -> None:
        self._kinds = {name: _Counts() for name in (RESPONSES, OTHER_KINDS, *FIELD_KINDS)}
        self._most_kinds = len(self._kinds) + MAX_FURTHER_KINDS

    def received(self, messages: Sequence[Inbound]) -> None:
        """Regular messages and requests came in."""
        for kind, run in groupby(messages, _kind_of):
            sizes = tuple(map(len, map(_payload_of, run)))
            counts = self._of(kind)
            counts.received += len(sizes)
            counts.received_bytes += sum(sizes)

    def received_responses(self, responses: Sequence[Inbound]) -> None:
        counts = self._kinds[RESPONSES]
        counts.received += len(responses)
        counts.received_bytes += sum(map(len, map(_payload_of, responses)))

    def sent_regular(self, messages: Sequence[tuple[str, bytes]], links: int) -> None:
        """Regular messages, of a kind and a payload each, went out on so many links."""
        for kind, run in groupby(messages, _first_of):
            sizes = tuple(map(len, map(_second_of, run)))
            self.sent(kind, links * len(sizes), links * sum(sizes))

    def sent(self, kind: str, messages: int, payload_bytes: int) -> None:
        """So many messages of a kind went out, with so many bytes of payload in all."""
        counts = self._of(kind)
        counts.sent += messages
        counts.sent_bytes += payload_bytes

    def report(self) -> tuple[KindTraffic, ...]:
        """Each kind that has passed."""
        return tuple(
            KindTraffic(kind, each.received, each.received_bytes, each.sent, each.sent_bytes)
            for kind, each in self._kinds.items()
            if each.received or each.sent
        )

    def _of(self, kind: str) -> _Counts:
        counts = self._kinds.get(kind)
        if counts is None:
            if len(self._kinds) >= self._most_kinds:
                return self._kinds[OTHER_KINDS]
            counts = self._kinds[kind] = _Counts()
        return counts
