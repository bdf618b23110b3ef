"""One fetch for many callers, none of whom misses a change that a client of this server can know of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


GATHER_S = 0.001
"""How long a fetch waits for more callers, once the one before had several: about what it costs itself."""


class Changes:
    """Where those who keep what they fetched hear that it may have changed. On one event loop."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def listen(self, forget: Callable[[], None]) -> None:
        """Call ``forget`` at each change from now on, before any client hears of the change."""
        self._listeners.append(forget)

    def tell(self) -> None:
        """Something may have changed."""
        for forget in self._listeners:
            forget()


class Shared(Generic[T]):
    """What a fetch returned serves every caller for a moment, unless it was told to :meth:`forget` it.

    Whoever calls while a fetch is on waits for the next one, together with all others who did. So a
    thousand callers at a time cost the actors a few rounds of questions, and whoever calls after a change
    that was forgotten for sees it. A lone caller never waits for others. On one event loop.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], *, fresh_s: float = 0.0) -> None:
        """``fresh_s`` is the moment, counted from the end of the fetch; 0: each call is a new question."""
        self._fetch, self._fresh_s = fetch, fresh_s
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None
        self._callers = 0
        self._kept: T | None = None
        self._kept_until_s = 0.0
        self._changes = 0

    def forget(self) -> None:
        """Something has changed: what was fetched before, or is being fetched, serves no later caller."""
        self._kept = None
        self._changes += 1

    async def get(self) -> T:
        """What was fetched within the moment, or by a fetch that begins from now on. Raises what that
        raises, which is not kept. A caller that is cancelled takes nothing from the others.
        """
        if self._kept is not None:
            if asyncio.get_running_loop().time() < self._kept_until_s:
                return self._kept
            self._kept = None
        if self._next is None:
            crowded, self._callers = self._callers > 1, 0
            self._next = asyncio.create_task(self._run_after(self._running, crowded))
        self._callers += 1
        return await asyncio.shield(self._next)

    async def _run_after(self, running: asyncio.Task[T] | None, crowded: bool) -> T:
        if running is not None and not running.done():
            await asyncio.wait((running,))
        if crowded:
            await asyncio.sleep(GATHER_S)
        self._running, self._next = self._next, None
        before = self._changes
        fetched = await self._fetch()
        if self._fresh_s and before == self._changes:
            self._kept = fetched
            self._kept_until_s = asyncio.get_running_loop().time() + self._fresh_s
        return fetched
