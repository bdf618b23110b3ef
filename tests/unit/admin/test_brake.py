"""The pace of refusals, in its own right: a clock that stands still, and a loop that does not."""

from __future__ import annotations

import asyncio

import pytest

from actors.runtime.clock import FakeClock
from admin import brake
from admin.brake import MAX_HOLD_S, REFUSAL_BURST, REFUSALS_PER_S, Brake


async def started(count: int, brake_: Brake) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(brake_.hold()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def test_a_burst_goes_out_at_once_and_the_next_waits() -> None:
    async def scene() -> tuple[int, int]:
        clock = FakeClock()
        pace = Brake(clock)
        tasks = await started(REFUSAL_BURST + 3, pace)
        held = pace.held
        pace.release()
        await asyncio.wait(tasks)
        return held, pace.held

    assert asyncio.run(scene()) == (3, 0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each caller would have waited; none does."""
    asked: list[float] = []

    class Timeout:
        async def __aenter__(self) -> None:
            raise TimeoutError

        async def __aexit__(self, *_: object) -> None: ...

    def timeout(seconds: float) -> Timeout:
        asked.append(seconds)
        return Timeout()

    monkeypatch.setattr("admin.brake.asyncio.timeout", timeout)
    return asked


def test_whoever_waits_does_so_for_as_long_as_those_before_him_take(waits: list[float]) -> None:
    async def scene() -> None:
        clock = FakeClock()
        pace = Brake(clock)
        for _ in range(REFUSAL_BURST + 2):
            await pace.hold()
        clock.advance(1.0)
        await pace.hold()

    asyncio.run(scene())
    assert waits == pytest.approx([1 / REFUSALS_PER_S, 2 / REFUSALS_PER_S])


def test_those_who_gave_up_make_nobody_wait_for_longer(
    waits: list[float],
) -> None:
    async def scene() -> None:
        pace = Brake(FakeClock())
        for _ in range(10_000):
            await pace.hold()

    asyncio.run(scene())
    assert max(waits) == MAX_HOLD_S


def test_only_so_many_wait_and_the_others_take_nobody_s_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(brake, "MAX_HELD", 4)

    async def scene() -> tuple[int, int]:
        pace = Brake(FakeClock())
        tasks = await started(REFUSAL_BURST + 10, pace)
        answered, held = sum(task.done() for task in tasks), pace.held
        pace.release()
        await asyncio.wait(tasks)
        return answered, held

    assert asyncio.run(scene()) == (REFUSAL_BURST + 6, 4)


def test_a_caller_that_gives_up_leaves_no_place_taken() -> None:
    async def scene() -> int:
        pace = Brake(FakeClock())
        tasks = await started(REFUSAL_BURST + 5, pace)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return pace.held

    assert asyncio.run(scene()) == 0
