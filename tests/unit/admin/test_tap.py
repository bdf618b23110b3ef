"""A tap: order, its bound, and its ends; the room's side on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from admin.errors import Refusal, stopping
from admin.tap import MAX_QUEUED, Tap

Offering = Callable[[Tap[int]], None]


def read(offering: Offering, *, limit: int = MAX_QUEUED) -> tuple[list[int], Refusal | None]:
    """What a reader gets of a room that offers on its own thread and is through before the reading."""

    async def play() -> tuple[list[int], Refusal | None]:
        tap = Tap[int]("room", limit=limit)
        room = threading.Thread(target=offering, args=(tap,))
        room.start()
        room.join()
        got: list[int] = []
        try:
            while True:
                got.append(await anext(tap))
        except StopAsyncIteration:
            return got, None
        except Refusal as refusal:
            return got, refusal

    return asyncio.run(play())


def offer_all(tap: Tap[int], count: int) -> None:
    for number in range(count):
        tap.offer(number)


def test_a_reader_gets_everything_in_order_and_then_the_end() -> None:
    def offering(tap: Tap[int]) -> None:
        offer_all(tap, 100)
        tap.end()

    assert read(offering) == (list(range(100)), None)


def test_a_reader_that_waits_is_woken_by_another_thread() -> None:
    async def play() -> list[int]:
        tap = Tap[int]("room")
        asked = asyncio.ensure_future(anext(tap))
        await asyncio.sleep(0)  # it waits now

        def room() -> None:
            tap.offer(1)
            tap.offer(2)

        threading.Thread(target=room).start()
        return [await asked, await anext(tap)]

    assert asyncio.run(play()) == [1, 2]


def test_a_reader_that_falls_behind_gets_what_was_queued_and_how_much_was_not() -> None:
    got, refusal = read(lambda tap: offer_all(tap, 15), limit=10)
    assert got == list(range(10))
    assert refusal is not None
    assert (refusal.reason_name, refusal.metadata) == ("SLOW_CONSUMER", {"dropped": "5"})


def test_after_an_overflow_no_place_that_is_freed_is_filled_again() -> None:
    async def play() -> list[int]:
        tap = Tap[int]("room", limit=2)
        offer_all(tap, 3)
        got = [await anext(tap)]
        tap.offer(99)
        got.append(await anext(tap))
        with pytest.raises(Refusal):
            await anext(tap)
        return got

    assert asyncio.run(play()) == [0, 1]


def test_a_room_that_goes_down_ends_the_stream_with_its_name() -> None:
    def offering(tap: Tap[int]) -> None:
        tap.offer(1)
        tap.lost()
        tap.offer(2)

    got, refusal = read(offering)
    assert got == [1]
    assert refusal is not None
    assert (refusal.reason_name, refusal.metadata) == ("ACTOR_DOWN", {"actor": "room"})


def test_the_first_end_counts() -> None:
    def offering(tap: Tap[int]) -> None:
        tap.end(stopping())
        tap.lost()

    _, refusal = read(offering)
    assert refusal is not None
    assert refusal.reason_name == "STOPPING"


def test_a_room_may_offer_to_a_loop_that_has_closed() -> None:
    async def make() -> Tap[int]:
        return Tap("room")

    tap = asyncio.run(make())
    tap.offer(1)
    tap.end()
