"""Asking actors from the server's event loop: all at once, with a limit in time, no thread kept waiting.

An actor answers on its own thread; the answers of one call wake the loop once, however many they are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from troupe.admin.v1 import errors_pb2

from actors.chain.schema import StoreError
from actors.runtime.address import ActorDownError, Address, Ask, Look
from actors.runtime.supervisor import ActorState, ListActors, SupervisorInput
from admin.errors import Refusal
from admin.verdicts import store_refusal

R = TypeVar("R")

ASK_TIMEOUT_S = 2.0
"""An actor answers within milliseconds; one that takes two seconds is in trouble, and says nothing."""


class Asker:
    """Puts questions to actors and turns silence into the right refusal."""

    def __init__(
        self, supervisor: Address[SupervisorInput], *, timeout_s: float = ASK_TIMEOUT_S
    ) -> None:
        self._supervisor, self._timeout_s = supervisor, timeout_s

    async def ask(
        self, address: Address[Any], question: Ask[R], *, timeout_s: float | None = None
    ) -> R:
        """The actor's answer; ``timeout_s`` where a question takes longer by its nature.

        Raises:
            Refusal: ACTOR_DOWN, ACTOR_BUSY (it will not be handled), ACTOR_TIMEOUT (it may be) or
                STORE_UNREADABLE.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        future = _put(address, question)
        await _settle((future,), limit_s)
        return await self._answer(address, future, limit_s)

    async def ask_each(self, questions: Sequence[tuple[Address[Any], Ask[Any]]]) -> list[Any]:
        """The answers to questions put at once, in their order; a Refusal in the place of a missing one."""
        futures = [_put(address, question) for address, question in questions]
        await _settle(futures, self._timeout_s)
        answers: list[Any] = []
        for (address, _question), future in zip(questions, futures, strict=True):
            try:
                answers.append(await self._answer(address, future, self._timeout_s))
            except Refusal as refusal:
                answers.append(refusal)
        return answers

    async def _answer(self, address: Address[Any], future: Future[R], timeout_s: float) -> R:
        """What a settled future holds. Cancelling tells apart what was never begun from what was."""
        name = address.name
        if future.cancel():
            if await self._is_down(name):
                raise actor_down(name)
            message = (
                f"the {name} actor is busy: not reached within {timeout_s:g} s, nothing was done"
            )
            raise Refusal(errors_pb2.ERROR_REASON_ACTOR_BUSY, message, actor=name)
        if not future.done():
            message = f"the {name} actor did not finish within {timeout_s:g} s: it may still do so"
            raise Refusal(errors_pb2.ERROR_REASON_ACTOR_TIMEOUT, message, actor=name)
        try:
            return future.result()
        except ActorDownError as error:
            raise actor_down(error.name) from error
        except StoreError as error:
            raise store_refusal(error) from error

    async def _is_down(self, name: str) -> bool:
        future = self._supervisor.ask_soon(ListActors())
        await _settle((future,), self._timeout_s)
        if future.cancel() or not future.done() or future.exception() is not None:
            return False
        states = {report.name: report.state for report in future.result()}
        return states.get(name, ActorState.RUNNING) is not ActorState.RUNNING


def actor_down(name: str) -> Refusal:
    """The refusal for an actor that has failed and is not back."""
    return Refusal(errors_pb2.ERROR_REASON_ACTOR_DOWN, f"the {name} actor is down", actor=name)


def _put(address: Address[Any], question: Ask[R]) -> Future[R]:
    """Who looks goes ahead; all else is dealt with in the order in which it came."""
    if isinstance(question, Look):
        return address.look_soon(question)
    return address.ask_soon(question)


async def _settle(futures: Sequence[Future[Any]], timeout_s: float) -> None:
    """Return when all are done, or the time is over. If the caller is cancelled, so are they."""
    loop = asyncio.get_running_loop()
    settled: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not settled.done():
            settled.set_result(None)

    def on_done(_future: Future[Any]) -> None:
        # Whoever finishes last sees all done; that two may see it is harmless.
        if all(future.done() for future in futures):
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                loop.call_soon_threadsafe(wake)

    for future in futures:
        future.add_done_callback(on_done)
    timer = loop.call_later(timeout_s, wake)
    try:
        await settled
    except asyncio.CancelledError:
        for future in futures:
            future.cancel()
        raise
    finally:
        timer.cancel()
