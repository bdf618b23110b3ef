"""Where an engine on real threads or processes tells: a mailbox that a test reads."""

from __future__ import annotations

import threading
import time
from typing import Any, TypeVar

from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox

T = TypeVar("T")


class Results:
    """Keeps everything in order; a wait without an end is the test's time limit's."""

    def __init__(self) -> None:
        self._mailbox = Mailbox("miner", time.monotonic)
        self._posted = threading.Semaphore(0)
        self._mailbox.wake = self._posted.release
        self.address: Address[Any] = Address(self._mailbox)
        self.messages: list[Any] = []

    def until(self, kind: type[T]) -> T:
        """Wait for the next message of a kind."""
        while True:
            self._posted.acquire()
            message = self._mailbox.get().message
            self.messages.append(message)
            if isinstance(message, kind):
                return message

    def rest(self) -> list[Any]:
        """What else was told."""
        left = []
        while self._posted.acquire(blocking=False):
            left.append(self._mailbox.get().message)
        return left
