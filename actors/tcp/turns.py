"""Whose frames go into the house, and how many at a time: fairness between connections.

All frames pass the same rooms on one thread, first come, first served. So what is there at a time is what an
honest frame waits behind, whoever sent it: with 24 connections that each have 256 frames there (their read
credit), that is half a second. Here a round lets each connection in with its share of a small number, and the
next one waits until the thread is through with it. Who is alone has all of it. Must not live here: whether a
connection is read (`connection`).
"""

from __future__ import annotations

from actors.runtime.address import Address
from actors.tcp.connection import Connection
from actors.tcp.messages import FramesReceived

ROUND_FRAMES = 256
"""In a round, of all connections: some 10 ms of the thread. One connection alone has its whole read credit."""
LEAST_FRAMES = 8
"""Of each in a round, however many there are: with fewer a frame costs more letters than work."""
MAX_PUT_OFF = 8
"""Turns of the crew until a round is due even if letters are left: together they are more letters than a round
leads to, so somebody else is the cause, and not reading peers would not end it."""


class Turns:
    """Those who have frames to hand on, and whether it is time to."""

    def __init__(self, messaging: Address[FramesReceived]) -> None:
        self._messaging = messaging
        self._waiting: dict[Connection, None] = {}
        self._is_due, self._put_off = True, 0

    def look_at(self, connection: Connection) -> None:
        """Let it take part in the next round, if it has what may go in."""
        if connection.may_hand_on:
            self._waiting[connection] = None

    def leave(self, connection: Connection) -> None:
        """It is gone, and what it had still to say with it."""
        self._waiting.pop(connection, None)

    def decide(self, *, is_idle: bool) -> float | None:
        """Whether a round is due, now that the thread has come by, with letters left or without; for how many
        seconds it may sleep before (None: until something happens).
        """
        self._is_due = is_idle or self._put_off >= MAX_PUT_OFF
        self._put_off = 0 if self._is_due else self._put_off + 1
        return None if is_idle and not self._waiting else 0.0

    def take(self) -> tuple[Connection, ...]:
        """Have a round, if one is due: hand on each one's share. Who took part."""
        if not self._is_due or not self._waiting:
            return ()
        taking, self._waiting = tuple(self._waiting), {}
        share = max(LEAST_FRAMES, ROUND_FRAMES // len(taking))
        for connection in taking:
            if frames := connection.hand_on(share):
                self._messaging.tell(FramesReceived(connection.id, frames))
        return taking
