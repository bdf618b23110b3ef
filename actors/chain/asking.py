"""The requests of peers for blocks that wait for their answers: each peer has its turn, a few at a time.

An answer is up to 512 KiB off the disk, and a peer may send 256 requests at once. Served in the order in
which they came, a few such peers would have all others wait for seconds. Must not live here: the answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.messaging.messages import ANSWER_BUDGET_BYTES, Inbound, Received
from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerLinked, PeerUnlinked
from actors.runtime.address import Address
from actors.runtime.turnstile import Turnstile
from actors.tcp.messages import ConnId

ANSWERS_A_TURN = 4
"""Milliseconds of work when they are full; an honest peer asks for one at a time."""


class Budget:
    """What the answers to one batch of requests may come to."""

    __slots__ = ("left_bytes",)

    def __init__(self) -> None:
        self.left_bytes = ANSWER_BUDGET_BYTES


@dataclass(frozen=True, slots=True)
class Due(Received):
    """Requests whose turn has come. Tell."""

    budget: Budget = field(default_factory=Budget, compare=False)


class Asking:
    """All that waits: as much as the read credit of all connections lets in."""

    def __init__(self, me: Address[Due]) -> None:
        self._turnstile: Turnstile[PeerId | ConnId, Due] = Turnstile(me)
        self._peer_of: dict[ConnId, PeerId] = {}

    def may_pass(self, requests: tuple[Inbound, ...]) -> bool:
        """Whether they are few, and nobody else waits."""
        return len(requests) <= ANSWERS_A_TURN and self._turnstile.is_free

    def queue(self, requests: tuple[Inbound, ...]) -> None:
        """Have the requests of one batch, all of one connection, wait for their turns."""
        conn, budget = requests[0].conn, Budget()
        parts = range(0, len(requests), ANSWERS_A_TURN)
        letters = [Due(requests[at : at + ANSWERS_A_TURN], budget) for at in parts]
        self._turnstile.queue(self._peer_of.get(conn, conn), letters)

    def passed(self) -> None:
        """Those whose turn it was are answered."""
        self._turnstile.passed()

    def apply(self, event: PeerEvent) -> list[Due]:
        """Know whose a connection is; what is not answered any more, since nobody is left to answer."""
        match event:
            case PeerLinked(peer, conn):
                self._peer_of[conn] = peer
                return []
            case PeerUnlinked(peer, conn):
                self._peer_of.pop(conn, None)
                return self._take_gone(peer)
            case LinksReset(links):
                before = dict.fromkeys(self._peer_of.values())
                self._peer_of = {link.conn: link.peer for link in links}
                return [due for peer in before for due in self._take_gone(peer)]

    def _take_gone(self, peer: PeerId) -> list[Due]:
        """What came on connections of a peer that are gone, whatever others it has."""
        return self._turnstile.forget(peer, but=lambda due: due.messages[0].conn in self._peer_of)

    def abandon(self) -> None:
        """Leave all that waits to the next incarnation."""
        self._turnstile.abandon()
