"""One connection as messaging sees it: the gate before its hello, and the requests on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from actors.config import RateSettings
from actors.messaging.messages import Inbound, MessageType
from actors.messaging.requests import Requests
from actors.runtime.pace import Bucket
from actors.tcp.messages import Connected, ConnId

MAX_WAITING = 64
"""Messages that wait for the gate. Nobody has reason to say more before the hello is answered."""
HELLO = "p2p:hello"
_ALWAYS_OPEN_FOR = "p2p:"


@dataclass(frozen=True, slots=True)
class Passage:
    """What the gate makes of messages: those to deliver now, and how many it drops for good. Value."""

    delivered: list[Inbound]
    dropped: int = 0
    says_hello: bool = False


class Link:
    """An open connection's gate and requests."""

    __slots__ = (
        "_useless",
        "_waiting",
        "closing",
        "conn",
        "connected",
        "is_open",
        "peer",
        "requests",
    )

    def __init__(self, connected: Connected) -> None:
        self.connected = connected
        self.conn: ConnId = connected.conn
        self.peer = ""
        """Whose it is, once its gate is open."""
        self.requests = Requests()
        self.closing = False
        """We told tcp to close it: what still comes in is of no interest."""
        self.is_open = False
        self._waiting: list[Inbound] = []
        self._useless: Bucket | None = None  # most never say anything useless

    def pass_gate(self, messages: list[Inbound]) -> Passage:
        """Before the gate is open only the peers room is spoken to; a bounded rest waits."""
        if self.is_open:
            return Passage(messages)
        delivered, dropped, says_hello = [], 0, False
        for inbound in messages:
            if inbound.kind.startswith(_ALWAYS_OPEN_FOR):
                delivered.append(inbound)
                says_hello |= inbound.kind == HELLO and inbound.type is MessageType.REQUEST
            elif len(self._waiting) < MAX_WAITING:
                self._waiting.append(inbound)
            else:
                dropped += 1
        return Passage(delivered, dropped, says_hello)

    def open(self, peer: str) -> list[Inbound]:
        """Open the gate for good, to this peer; what waited behind it."""
        self.is_open, self.peer = True, peer
        waited, self._waiting = self._waiting, []
        return waited

    def owe_for(self, useless: int, rates: RateSettings, now_s: float) -> float:
        """It sent so many useless messages; for how long it is not to be read for that, in seconds."""
        if self._useless is None:
            self._useless = Bucket(rates.useless_per_s, rates.useless_burst, now_s)
        return self._useless.owe(useless, now_s)
