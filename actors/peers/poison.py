"""Who sent what felled an actor: the first time may be bad luck, the second is not.

Lives here: who did it once. Must not live here: what is poison (the supervisor's), or the ban (`bouncer`).
"""

from __future__ import annotations

from actors.peers.messages import BanTarget

MAX_SUSPECTS = 1_024
"""Each cost us an actor's fall: so many are a day of it."""


class Suspects:
    """Those who did it once; the oldest are forgotten first. An incarnation hands them on to the next."""

    def __init__(self) -> None:
        self._once: dict[BanTarget, None] = {}

    def is_second(self, target: BanTarget) -> bool:
        """Note that it did it; whether it had before, which is forgotten with that."""
        if target in self._once:
            del self._once[target]
            return True
        if len(self._once) >= MAX_SUSPECTS:
            del self._once[next(iter(self._once))]
        self._once[target] = None
        return False
