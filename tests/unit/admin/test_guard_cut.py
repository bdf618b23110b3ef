"""A stream that is cut off while a message of it is being sent: gRPC takes no status meanwhile."""

from __future__ import annotations

import asyncio

from admin.guard import _Call, _cut


def test_a_stream_that_waits_is_cut_at_once_and_one_that_sends_after_its_message() -> None:
    async def scene() -> tuple[bool, bool]:
        outcomes = []
        for writing in (False, True):
            call = _Call("/a.B/Watch", is_stream=True, writing=writing)
            task = asyncio.create_task(asyncio.sleep(0))
            _cut(task, call)
            assert call.is_cut
            await asyncio.wait((task,))
            outcomes.append(task.cancelled())
        return outcomes[0], outcomes[1]

    assert asyncio.run(scene()) == (True, False)
