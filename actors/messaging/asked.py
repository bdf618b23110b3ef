"""Requests to peers that somebody outside the house waits for: futures instead of reply addresses."""

from __future__ import annotations

from concurrent.futures import Future

from actors.messaging.messages import RequestFailure, Response

MAX_ASKED = 64
"""In all. A connection has 256 places for requests: the rooms' own always find one."""


class Asked:
    """The futures in flight; each ends once."""

    def __init__(self) -> None:
        self._waiting: set[_Waiting] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, future: Future[bytes | RequestFailure]) -> _Waiting:
        """What to tell the response to."""
        waiting = _Waiting(future, self._waiting)
        self._waiting.add(waiting)
        return waiting

    def abandon(self, error: Exception) -> None:
        """Let down whoever waits: no response will be seen any more."""
        for waiting in self._waiting:
            if not waiting.future.done():
                waiting.future.set_exception(error)
        self._waiting.clear()


class _Waiting:
    """Stands where a room's address would."""

    def __init__(self, future: Future[bytes | RequestFailure], among: set[_Waiting]) -> None:
        self.future, self._among = future, among

    def tell(self, message: Response) -> None:
        self._among.discard(self)
        if self.future.done():
            return  # let down before, perhaps by the fall of the actor as it took the question
        payload = message.payload
        self.future.set_result(RequestFailure.NO_RESPONSE if payload is None else payload)
