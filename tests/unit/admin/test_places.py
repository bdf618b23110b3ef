"""Places of calls: what a call holds, and how few may leave theirs before they are over."""

from __future__ import annotations

import asyncio

import pytest

from admin.counts import CallCounts
from admin.errors import Refusal
from admin.places import Call, Places

CHECK = "/grpc.health.v1.Health/Check"


def test_only_so_many_calls_that_do_not_end_leave_their_place_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("admin.places.MAX_OPEN_CALLS", 1)
    monkeypatch.setattr("admin.places.MAX_GIVEN_UP", 1)

    async def play() -> None:
        places, ends = Places(CallCounts()), asyncio.Event()

        def take() -> Call:
            call = Call(CHECK, is_stream=False)
            tasks.append(asyncio.create_task(ends.wait()))
            places.take(tasks[-1], call)
            return call

        tasks = list[asyncio.Task[bool]]()
        first = take()
        places.give_up(first)
        places.give_up(first)  # once a second
        second = take()
        places.give_up(second)  # one too many: it keeps its place
        with pytest.raises(Refusal):
            take()
        ends.set()
        await asyncio.gather(*tasks)
        take()  # whoever is over holds nothing
        assert len(places) == 1

    asyncio.run(play())
