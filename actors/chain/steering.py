"""The operator's word about blocks: which are not followed, and that word taken back."""

from __future__ import annotations

import logging
from collections.abc import Callable

from actors.chain.greeting import Greeting
from actors.chain.importer import Importer
from actors.chain.messages import (
    InvalidateBlock,
    ReconsiderBlock,
    SteerOutcome,
    SteerVerdict,
    TipChanged,
)
from actors.chain.room import Room

log = logging.getLogger(__name__)


class Steering:
    """Puts and takes back marks, and sees to it that the node goes where they lead."""

    def __init__(
        self,
        room: Room,
        importer: Importer,
        greeting: Greeting,
        moved: Callable[[TipChanged], None],
    ) -> None:
        """Take capabilities besides the room's.

        Args:
            room: Shared with the other handlers.
            importer: Of the room's store.
            greeting: Asks the peers anew: what counts of their chains has changed.
            moved: Called with a change of the tip, after its commit.
        """
        self._store, self._importer, self._greeting = room.store, importer, greeting
        self._moved = moved

    def obey(self, word: InvalidateBlock | ReconsiderBlock) -> SteerVerdict:
        """Do it, or say why not."""
        if isinstance(word, InvalidateBlock):
            steered, what = self._importer.invalidate(word.hash), "invalidated"
        else:
            steered, what = self._importer.reconsider(word.hash), "reconsidered"
        change = steered.change
        if steered.outcome is SteerOutcome.DONE:
            log.warning("block %.8s is %s by the operator's word", word.hash.hex(), what)
            if change is not None:
                self._moved(change)
            self._greeting.ask_anew()
        if change is None:
            return SteerVerdict(steered.outcome, self._store.tip())
        return SteerVerdict(
            steered.outcome, change.tip, len(change.disconnected), len(change.connected)
        )
