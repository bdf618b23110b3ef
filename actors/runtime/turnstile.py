"""Letters for one actor that are told to it in turn, so that who writes many waits for himself alone.

Must not live here: how many letters one may have waiting (whoever takes them in bounds that: for peers their
read credit does), or how long one takes (who cuts them does).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from actors.runtime.address import Address
from actors.runtime.rota import Rota

K = TypeVar("K", bound=Hashable)
L = TypeVar("L")


class Turnstile(Generic[K, L]):
    """One letter is on its way to the actor, the others wait here for their turn by whose they are.

    Between two of them the actor looks at its mailbox, so that whoever writes meanwhile queues up as well.
    """

    def __init__(self, me: Address[L]) -> None:
        self._me = me
        self._rota: Rota[K, L] = Rota()
        self._is_one_due = False

    @property
    def is_free(self) -> bool:
        """Whether nothing waits, nor is on its way."""
        return not (self._is_one_due or len(self._rota))

    def queue(self, whose: K, letters: Iterable[L]) -> None:
        """Have these told, in their order."""
        self._rota.add(whose, letters)
        self._tell_next()

    def passed(self) -> None:
        """A letter has come, and is dealt with: the next one's turn."""
        self._is_one_due = False
        self._tell_next()

    def forget(self, whose: K, but: Callable[[L], bool]) -> list[L]:
        """Take out what waits of somebody, ``but`` what it says."""
        return self._rota.forget(whose, but)

    def abandon(self) -> None:
        """Leave all to the actor's next incarnation, which finds them in its mailbox."""
        while letters := self._rota.take(1):
            self._me.tell(*letters)

    def _tell_next(self) -> None:
        if not self._is_one_due and (letters := self._rota.take(1)):
            self._is_one_due = True
            self._me.tell(*letters)
