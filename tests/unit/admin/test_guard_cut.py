"""Calls as the guard ends them: gRPC takes no status while a message is being sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from troupe.admin.v1 import errors_pb2

from actors.runtime.clock import FakeClock
from admin.auth import Minted, Token, Tokens
from admin.counts import CallCounts
from admin.errors import Refusal
from admin.guard import Guard, _cut
from admin.places import Call
from admin.sharing import Changes


class NoStore:
    """Where no token is kept."""

    def load(self) -> Iterable[Token]:
        return ()

    def save(self, tokens: Iterable[Token]) -> None:
        raise AssertionError(tokens)

    def discard(self, minted: Minted) -> None:
        raise AssertionError(minted)


def guard(changes: Changes) -> Guard:
    return Guard(Tokens(NoStore(), FakeClock()), CallCounts(), changes, FakeClock())


def test_a_stream_that_waits_is_cut_at_once_and_one_that_sends_after_its_message() -> None:
    async def scene() -> tuple[bool, bool]:
        outcomes = []
        for writing in (False, True):
            call = Call("/a.B/Watch", is_stream=True, writing=writing)
            task = asyncio.create_task(asyncio.sleep(0))
            _cut(task, call)
            assert call.is_cut
            await asyncio.wait((task,))
            outcomes.append(task.cancelled())
        return outcomes[0], outcomes[1]

    assert asyncio.run(scene()) == (True, False)


def test_a_stream_without_a_token_whose_reader_stands_still_is_cut_at_the_second_look() -> None:
    async def scene() -> None:
        door = guard(Changes())
        gone = Token("1", "gone", b"", frozenset(), 0.0)
        call = Call("/a.B/Watch", is_stream=True, token=gone, has_begun=True, writing=True)
        task: asyncio.Task[Any] = asyncio.create_task(asyncio.Event().wait())
        door._places.take(task, call)
        door.look()
        assert call.is_cut
        assert not task.cancelling()
        door.look()
        assert task.cancelling()
        await asyncio.wait((task,))

    asyncio.run(scene())


@pytest.mark.parametrize("ending", ["well", "with a refusal"])
def test_whoever_keeps_something_hears_of_a_change_before_the_caller(ending: str) -> None:
    heard: list[str] = []

    class Context:
        def peer(self) -> str:
            return "ipv4:127.0.0.1:50000"

        async def abort(self, *_status: object) -> None:
            heard.append("answer")

    async def scene() -> None:
        changes = Changes()
        changes.listen(lambda: heard.append("change"))
        async with guard(changes)._boundary("/a.B/Change", Context()):
            if ending == "with a refusal":
                raise Refusal(errors_pb2.ERROR_REASON_TX_IN_MEMPOOL, "it is there")
        if ending == "well":
            heard.append("answer")

    asyncio.run(scene())
    assert heard == ["change", "answer"]
