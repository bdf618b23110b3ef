"""A typed, stable handle to an actor: what one room holds of another.

An address names a mailbox, not an incarnation: it stays good across restarts, and telling never
raises into the teller.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from actors.runtime.mailbox import ActorDownError, Mailbox

__all__ = ["ActorDownError", "Address", "Ask", "Look"]

M_contra = TypeVar(
    "M_contra", contravariant=True
)  # an actor that accepts more can stand where less is told
R = TypeVar("R")


class Ask(Generic[R]):
    """Base of a message that is answered with an ``R``. Adds nothing to the instance."""

    __slots__ = ()


class Look(Ask[R]):
    """Base of a question that changes nothing, and that need not wait for what was told before: its answer shows
    what the actor has dealt with, and told to others, by now.
    """

    __slots__ = ()


class Address(Generic[M_contra]):
    """Where to tell an actor messages of type ``M_contra``. Any thread."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def __repr__(self) -> str:
        return f"<address of {self.name}>"

    @property
    def name(self) -> str:
        return self._mailbox.name

    def tell(self, message: M_contra) -> None:
        """Post and go on. Never waits and never raises; to a stopped actor the message is dropped."""
        self._mailbox.post(message)

    def tell_ahead(self, message: M_contra) -> None:
        """Like :meth:`tell`, ahead of what waits: for news of the house that is not to queue behind peers. In
        order among what is told and looked at ahead.
        """
        self._mailbox.post_ahead(message)

    def ask_soon(self, message: Ask[R]) -> Future[R]:
        """Post a question; the future gets the answer, or :class:`ActorDownError`.

        For threads outside the house (gRPC, tests), never from inside an actor.
        """
        future: Future[Any] = Future()
        self._mailbox.post(message, future)
        return future

    def look_soon(self, message: Look[R]) -> Future[R]:
        """Like :meth:`ask_soon`, ahead of what waits: a person's look is not to queue behind peers."""
        future: Future[Any] = Future()
        self._mailbox.post_ahead(message, future)
        return future

    def ask(self, message: Ask[R], *, timeout_s: float) -> R:
        """Like :meth:`ask_soon`, and wait.

        Raises:
            TimeoutError: no answer within ``timeout_s``.
            ActorDownError: the actor is stopped, or fell while handling the question.
        """
        future = self.ask_soon(message)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise
