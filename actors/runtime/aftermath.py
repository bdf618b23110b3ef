"""What becomes of the letter that felled an actor: it is tried once more, and given up if it fells again.

A fall may be chance: a disk that was full, a state that had gone wrong. So the next incarnation gets the
letter first, and where it holds much, part by part: what is innocent is done after all. What fells two
incarnations in a row is poison: it is counted as lost, what is owed for it is paid, and what a peer sent is
kept (`quarantine`). Must not live here: what the rooms' letters say (`actors.letters`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from actors.runtime.actor import NO_LETTER, Fall, Waiting
from actors.runtime.mailbox import Mailbox


class Letters(Protocol):
    """What is to be known of the rooms' messages. Its methods run on the supervisor's thread."""

    def parts(self, message: object) -> Sequence[object]:
        """What another incarnation is to handle in its place, in order; none: it would not understand it."""

    def give_up(self, name: str, fall: Fall, *, was_second: bool) -> int:
        """Pay what is owed for a letter that nobody will deal with; how many messages it held.

        ``was_second``: it felled two incarnations in a row, so it is not chance.
        """

    def blame(self, name: str, fall: Fall, suspect: int) -> None:
        """An actor fell without a letter, while it was busy with this one."""

    def forfeit(self, mailbox: Mailbox) -> int:
        """Give up what waits there of who is banned for poison, and what was sent too long ago to be of use; how
        many messages it held.
        """


class NoLetters:
    """Knows none: each letter in hand is lost."""

    def blame(self, _name: str, _fall: Fall, _suspect: int) -> None:
        """Nobody is told."""

    def forfeit(self, _mailbox: Mailbox) -> int:
        return 0

    def parts(self, _message: object) -> Sequence[object]:
        return ()

    def give_up(self, _name: str, _fall: Fall, *, was_second: bool) -> int:  # noqa: ARG002
        return 1


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of it. Value.

    Attributes:
        again: What the next incarnation handles first.
        lost: How many messages are lost.
        was_second: It is a second fall by the same letter, and no news of how the actor fares.
    """

    again: tuple[object, ...] = ()
    lost: int = 0
    was_second: bool = False


class Aftermath:
    """Remembers what is tried again, of each actor that of its last such letter: messages by identity."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._again: dict[str, tuple[object, ...]] = {}

    def settle(self, mailbox: Mailbox, fall: Fall) -> Settled:
        """Decide on the letter in hand of an actor that fell, and on those that wait; nobody reads its mailbox now."""
        settled = self._settle(mailbox.name, fall)
        settled = replace(settled, lost=settled.lost + self._letters.forfeit(mailbox))
        mailbox.put_back(settled.again)
        mailbox.count_lost(settled.lost)
        return settled

    def forfeit(self, mailboxes: Iterable[Mailbox]) -> None:
        """The same of letters that wait for members which rest with one that fell: nobody reads these now."""
        for mailbox in mailboxes:
            mailbox.count_lost(self._letters.forfeit(mailbox))

    def _settle(self, name: str, fall: Fall) -> Settled:
        message = fall.message
        if isinstance(message, Waiting) and message.suspect is not None:
            self._letters.blame(name, fall, message.suspect)
        if message is None or isinstance(message, NO_LETTER):
            return Settled()
        was_second = any(message is each for each in self._again.get(name, ()))
        if not was_second and not fall.asked:
            parts = self._again[name] = tuple(self._letters.parts(message))
            if parts:
                return Settled(again=parts)
        lost = self._letters.give_up(name, fall, was_second=was_second)
        return Settled(lost=lost, was_second=was_second)
