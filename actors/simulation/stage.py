"""Where the actors of one simulated node play: the pump, with a look at each letter before and after.

Must not live here: what is looked at (`watch`).
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

from actors.runtime.actor import NodeActor
from actors.runtime.clock import Clock
from actors.runtime.mailbox import Letter, Mailbox
from actors.runtime.pump import Pump


class Onlooker(Protocol):
    """Who looks on while a node plays."""

    def begins(self, node: int, actor: str, message: Any) -> None:
        """An actor takes up a letter."""

    def ended(self, node: int, mailbox: Mailbox) -> None:
        """An actor is done with a letter."""

    def fell(self, node: int, actor: str, error: BaseException | None) -> None:
        """An actor has fallen over a letter, with which it is not done, or at its start."""

    def darkened(self, node: int) -> None:
        """A node has lost its power, maybe in the middle of a letter."""


class SimMailbox(Mailbox):
    """Tells the onlooker of each letter."""

    __slots__ = ("_node", "_onlooker")

    def __init__(self, name: str, clock: Clock, node: int, onlooker: Onlooker) -> None:
        super().__init__(name, clock.now_s)
        self._node, self._onlooker = node, onlooker

    def get(self) -> Letter:
        letter = super().get()
        self._onlooker.begins(self._node, self.name, letter[0])
        return letter

    def finish(self, begun_s: float, *, failed: bool = False) -> float:
        now_s = super().finish(begun_s, failed=failed)
        if failed:
            self._onlooker.fell(self._node, self.name, sys.exception())
        else:
            self._onlooker.ended(self._node, self)
        return now_s


class Stage:
    """A runner of one node's actors; remembers who plays each part now."""

    def __init__(self, pump: Pump, node: int, onlooker: Onlooker | None) -> None:
        self._pump, self._node, self._onlooker = pump, node, onlooker
        self.actors: dict[str, NodeActor] = {}

    def mailbox(self, name: str) -> Mailbox:
        if self._onlooker is None:
            return self._pump.mailbox(name)
        mailbox = SimMailbox(name, self._pump.clock, self._node, self._onlooker)
        self._pump.serve(mailbox)
        return mailbox

    def run(self, actor: NodeActor) -> None:
        name = actor.box.name
        self.actors[name] = actor
        self._pump.run(actor)
        if self._onlooker is not None and actor.fall is not None:
            self._onlooker.fell(self._node, name, actor.fall.error)

    def darken(self) -> None:
        """The power is gone; nobody plays any more."""
        if self._onlooker is not None:
            self._onlooker.darkened(self._node)
