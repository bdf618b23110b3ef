"""A first-class test double for the other end of an address: it keeps what it is told, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.pump import Pump

T = TypeVar("T")


class _ProbeActor(NodeActor):
    def __init__(self, kept: list[Any], answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self._kept, self._answer = kept, answer

    def on_receive(self, message: Any) -> Any:
        self._kept.append(message)
        return self._answer(message)


class Probe:
    """An actor under the pump that records; ``answer`` may compute replies to asks."""

    def __init__(
        self, pump: Pump, name: str = "probe", answer: Callable[[Any], Any] = lambda _message: None
    ) -> None:
        self.messages: list[Any] = []
        mailbox = pump.mailbox(name)
        self.address: Address[Any] = Address(mailbox)
        actor = _ProbeActor(self.messages, answer)
        actor.attach(mailbox, lambda _actor, _fall: None)
        pump.run(actor)

    def take(self) -> list[Any]:
        """Everything told since the last take."""
        taken = list(self.messages)
        self.messages.clear()
        return taken

    def of(self, kind: type[T]) -> list[T]:
        """The kept messages of one type, in order."""
        return [message for message in self.messages if isinstance(message, kind)]


def stage(pump: Pump, name: str, build: Callable[[Address[Any]], NodeActor]) -> Address[Any]:
    """Put one real actor on the pump; ``build`` is given its own address.

    A fall of the actor is raised out of the pump, so that a test sees the bug and not its silence.
    """
    mailbox = pump.mailbox(name)
    address: Address[Any] = Address(mailbox)
    actor = build(address)

    def ended(_actor: NodeActor, fall: Any) -> None:
        if fall is not None:
            raise fall.error

    actor.attach(mailbox, ended)
    pump.run(actor)
    return address
