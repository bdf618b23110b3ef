"""One fetch for many callers, none of whom gets an answer older than his question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


GATHER_S = 0.001
"""How long a fetch waits for more callers, once the one before had several: about what it costs itself."""


class Shared(Generic[T]):
    """Whoever calls while a fetch is on waits for the next one, together with all others who did.

    So a thousand callers at a time cost the actors a few rounds of questions, and whoever calls after a
    change was acknowledged sees it. A lone caller never waits for others. On one event loop.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None
        self._callers = 0

    async def get(self) -> T:
        """What a fetch that begins from now on returns, or raises. A caller that is cancelled takes
        nothing from the others.
        """
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
        return await self._fetch()
