"""Calls as the guard ends them: gRPC takes no status while a message is being sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
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


def test_a_stream_without_a_token_whose_reader_stands_still_is_given_up_at_the_second_look() -> (
    None
):
    async def scene() -> None:
        door = guard(Changes())
        gone = Token("1", "gone", b"", frozenset(), 0.0)
        call = Call("/a.B/Watch", is_stream=True, token=gone, writing=True)
        sent = asyncio.Event()
        task: asyncio.Task[Any] = asyncio.create_task(sent.wait())
        door._places.take(task, call)
        door.look()
        assert call.is_cut
        assert call.held == call.shares()
        door.look()
        assert call.held != call.shares()
        assert not task.cancelling()  # gRPC would count it for ever
        sent.set()
        await task

    asyncio.run(scene())


def test_what_is_behind_a_stream_that_is_given_up_ends_although_its_message_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("admin.guard.STALLED_LOOKS", 1)
    is_open, taken, codes = asyncio.Event(), asyncio.Event(), list[grpc.StatusCode]()

    class Context:
        async def write(self, _response: object) -> None:
            is_open.set()
            await taken.wait()

        async def abort(self, code: grpc.StatusCode, *_more: object) -> None:
            codes.append(code)

        def peer(self) -> str:
            return "ipv4:127.0.0.1:50000"

    async def behaviour(_asked: object, _context: object) -> AsyncIterator[object]:
        try:
            while True:
                yield "a message"
        finally:
            is_open.clear()

    async def asked(_requests: object) -> None:
        return

    async def scene() -> None:
        door = guard(Changes())
        stream = door._stream("/a.B/Watch", behaviour, asked)
        task = asyncio.ensure_future(stream(None, Context()))
        door._places.take(task, Call("/a.B/Watch", is_stream=True))
        await is_open.wait()
        while door._closings or is_open.is_set():
            door.look()
            await asyncio.sleep(0)
        assert not task.done()
        taken.set()  # at last
        await task

    asyncio.run(scene())
    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED]


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
