"""Refused calls are answered at a pace: whoever is refused and asks again at once waits for it.

A caller that waits does not call, so a flood of calls that must be refused costs the loop little, and those
who are let in hardly notice it. Must not live here: what is refused (``guard``).
"""

from __future__ import annotations

import asyncio
import contextlib
import math

from actors.runtime.clock import Clock

REFUSALS_PER_S = 200.0
"""In the long run: some 7 % of the loop's time. Nobody guesses a token of 256 bits at any rate."""
REFUSAL_BURST = 50
"""Answered at once: a script with an old token is no flood."""
MAX_HELD = 512
"""Refused calls that wait, some 20 kB each. Those above are answered at once: they must not take the places of
others. See ``server.MAX_CALLS``."""
MAX_HOLD_S = 2.5
"""As long as so many take. Callers that give up while they wait make nobody wait for longer."""


class Brake:
    """One pace for all: how refused callers share it is no concern of ours. Only on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_s = -math.inf  # when the last refusal was to go out, had all kept the pace
        self._released = asyncio.Event()
        self._held = 0

    @property
    def held(self) -> int:
        """Calls that wait now."""
        return self._held

    async def hold(self) -> None:
        """Wait until one more refusal may go out."""
        if self._held >= MAX_HELD or self._released.is_set():
            return
        wait_s = self._wait_s()
        if wait_s <= 0:
            return
        self._held += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._released.wait()
        finally:
            self._held -= 1

    def _wait_s(self) -> float:
        """How long the next refusal waits: the generic cell rate algorithm (ITU-T I.371)."""
        now_s = self._clock.now_s()
        due_s = max(self._due_s, now_s - REFUSAL_BURST / REFUSALS_PER_S) + 1 / REFUSALS_PER_S
        self._due_s = min(due_s, now_s + MAX_HOLD_S)
        return self._due_s - now_s

    def release(self) -> None:
        """Let all go, now and later: the node stops."""
        self._released.set()
