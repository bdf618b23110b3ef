"""One fetch for many callers."""

from __future__ import annotations

import asyncio

import pytest

from admin.sharing import Shared


class Source:
    """A fetch that a test lets finish."""

    def __init__(self) -> None:
        self.begun = 0
        self.started = asyncio.Event()
        self.gate = asyncio.Event()

    async def fetch(self) -> int:
        self.begun += 1
        self.started.set()
        number = self.begun
        await self.gate.wait()
        return number


def test_callers_during_a_fetch_share_the_next_one() -> None:
    async def play() -> None:
        source = Source()
        shared = Shared(source.fetch)
        first = asyncio.create_task(shared.get())
        await source.started.wait()
        later = [asyncio.create_task(shared.get()) for _ in range(5)]
        await asyncio.sleep(0)
        source.gate.set()
        assert await first == 1
        assert await asyncio.gather(*later) == [2] * 5
        assert await shared.get() == 3

    asyncio.run(play())


def test_a_cancelled_caller_takes_nothing_from_the_others() -> None:
    async def play() -> None:
        source = Source()
        shared = Shared(source.fetch)
        impatient, patient = asyncio.create_task(shared.get()), asyncio.create_task(shared.get())
        await source.started.wait()
        impatient.cancel()
        source.gate.set()
        assert await patient == 1

    asyncio.run(play())


def test_what_was_fetched_serves_for_a_moment() -> None:
    async def play() -> None:
        source = Source()
        source.gate.set()
        shared = Shared(source.fetch, fresh_s=3600.0)
        assert [await shared.get() for _ in range(3)] == [1, 1, 1]

    asyncio.run(play())


def test_a_change_ends_the_moment() -> None:
    async def play() -> None:
        source = Source()
        source.gate.set()
        shared = Shared(source.fetch, fresh_s=3600.0)
        assert await shared.get() == 1
        shared.forget()
        assert await shared.get() == 2

    asyncio.run(play())


def test_what_a_change_overtook_serves_nobody_who_calls_later() -> None:
    async def play() -> None:
        source = Source()
        shared = Shared(source.fetch, fresh_s=3600.0)
        early = asyncio.create_task(shared.get())
        await source.started.wait()
        shared.forget()
        source.gate.set()
        assert await early == 1
        assert await shared.get() == 2

    asyncio.run(play())


def test_a_failure_is_not_kept() -> None:
    async def play() -> None:
        answers = iter((RuntimeError("down"), 2))

        async def fetch() -> int:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        shared = Shared(fetch, fresh_s=3600.0)
        with pytest.raises(RuntimeError):
            await shared.get()
        assert await shared.get() == 2

    asyncio.run(play())
