"""One real actor on the pump that a test may fell and bring back, as the supervisor would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.runtime.actor import Fall, NodeActor
from actors.runtime.address import Address
from actors.runtime.pump import Pump


class Player:
    """Builds and runs incarnations on one mailbox; a fall that was not asked for is raised."""

    def __init__(self, pump: Pump, name: str, build: Callable[[Address[Any]], NodeActor]) -> None:
        self._pump, self._build = pump, build
        self._mailbox = pump.mailbox(name)
        self.address: Address[Any] = Address(self._mailbox)
        self._felling = False
        self.start()

    def start(self) -> None:
        """The next incarnation, with what the mailbox still holds."""
        self.actor = self._build(self.address)
        self.actor.attach(self._mailbox, self._ended)
        self._pump.run(self.actor)
        self._pump.run_until_idle()

    def fell(self) -> None:
        """Tell it what no actor understands: a bug of ours."""
        self._felling = True
        self.address.tell(object())
        self._pump.run_until_idle()
        self._felling = False

    def fall_and_rise(self) -> None:
        """Let it fall, and begin its next incarnation."""
        self.fell()
        self.start()

    def stop(self) -> None:
        """End it in order."""
        self.actor.halt()
        self._pump.run_until_idle()

    def _ended(self, _actor: NodeActor, fall: Fall | None) -> None:
        if fall is not None and not self._felling:
            raise fall.error
