"""Who is stuck: an actor that has been at one letter for too long, or whose thread does not come to it.

Pure but for the mailboxes that it looks at; costs the actors nothing, since it compares what they count
anyhow. Must not live here: what is done about it (`supervisor`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from actors.runtime.mailbox import Letter, Mailbox

STUCK_S = 30.0
"""No letter takes so long: the longest, a deep reorganisation, hands over after some seconds."""
LOOK_EVERY_S = 5.0
"""Hence a stuck actor is noticed at the latest so long after that."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """An actor with work, as it was first seen so: while all of this stays the same, nothing moves."""

    handled: int
    in_hand: Letter | None
    since_s: float


class Watch:
    """Remembers how far each actor was."""

    def __init__(self) -> None:
        self._sights: dict[str, _Sight] = {}

    def look(self, mailboxes: Iterable[Mailbox], now_s: float) -> dict[str, str]:
        """Who is stuck, and where, in some words."""
        stuck: dict[str, str] = {}
        for mailbox in mailboxes:
            sight = self._sight(mailbox, now_s)
            if sight is not None and now_s - sight.since_s >= STUCK_S:
                letter = sight.in_hand
                stuck[mailbox.name] = (
                    "stuck: its thread does not come to its letters"
                    if letter is None
                    else f"stuck in {type(letter.message).__name__}"
                )
        return stuck

    def _sight(self, mailbox: Mailbox, now_s: float) -> _Sight | None:
        handled, letter = mailbox.handled, mailbox.in_hand
        if letter is None and mailbox.empty():
            self._sights.pop(mailbox.name, None)
            return None
        before = self._sights.get(mailbox.name)
        if before is not None and before.handled == handled and before.in_hand is letter:
            return before
        sight = self._sights[mailbox.name] = _Sight(handled, letter, now_s)
        return sight
