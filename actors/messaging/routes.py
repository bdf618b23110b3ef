"""Which room a message is for: its kind says it, or the first part of it. Pure, but for the log."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter

from actors.messaging.messages import Inbound, Received
from actors.runtime.address import Address

log = logging.getLogger(__name__)

MAX_UNKNOWN_KINDS = 64
"""Kinds counted by name: more than the field has; a peer that invents kinds fills one counter."""
OTHER_KINDS = "(other)"


class Routes:
    """The rooms by their kinds, or by the first part of these, and counts of kinds of nobody."""

    def __init__(self, rooms: Mapping[str, Address[Received]]) -> None:
        self._rooms = dict(rooms)
        self._unknown: Counter[str] = Counter()

    def sort(self, messages: Iterable[Inbound]) -> list[tuple[Address[Received], Received]]:
        """One batch per room, in order; messages for nobody are counted and left out."""
        batches: defaultdict[Address[Received], list[Inbound]] = defaultdict(list)
        for kind, run in groupby(messages, attrgetter("kind")):  # a look per run, not per message
            room = self._rooms.get(kind) or self._rooms.get(kind.partition(":")[0])
            if room is None:
                self._count_unknown(run)
            else:
                batches[room] += run
        return [(room, Received(tuple(batch))) for room, batch in batches.items()]

    @property
    def unknown_kinds(self) -> tuple[tuple[str, int], ...]:
        """Messages for nobody by kind, most frequent first."""
        return tuple(self._unknown.most_common())

    def _count_unknown(self, batch: Iterable[Inbound]) -> None:
        for inbound in batch:
            kind = inbound.kind
            if kind not in self._unknown:
                if len(self._unknown) >= MAX_UNKNOWN_KINDS:
                    kind = OTHER_KINDS
                else:  # so at most a line per counter (WIRE: limits, unknown kind)
                    log.debug("a kind that nobody handles: %r", kind)
            self._unknown[kind] += 1
