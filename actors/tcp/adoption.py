"""The open connections as what outlives an actor: the next incarnation goes on with them.

A socket is not what fells an actor, and costs a peer to lose. So the connections belong to the composition
root; an incarnation that falls drops the one that it was busy with, whose state nobody can vouch for, and the
next one takes over the others as they are: frames half read, bytes unsent, deadlines.
"""

from __future__ import annotations

from collections.abc import Collection

from actors.config import TcpSettings
from actors.tcp.admission import Admission
from actors.tcp.connection import Connection
from actors.tcp.messages import ConnId


class Seats:
    """The connections, oldest first. Only who plays touches them, or who knows that nobody does."""

    def __init__(self) -> None:
        self.connections: dict[ConnId, Connection] = {}
        self.lives = 0
        """How many incarnations there were."""

    def clear(self) -> None:
        """Part with all of them: incarnations that went on with them kept failing."""
        for connection in self.connections.values():
            connection.sock.close()
        self.connections.clear()

    def take_over(self) -> Collection[Connection]:
        """Begin a life with the connections of the one before: nobody waits on any of their sockets."""
        self.lives += 1
        for connection in self.connections.values():
            connection.watched = 0
        return self.connections.values()

    def admission(self, settings: TcpSettings) -> Admission:
        """Who has which seat, made anew from the connections."""
        admission = Admission(settings)
        for connection in self.connections.values():
            admission.adopt(
                connection.id,
                connection.remote.ip,
                is_dialed=connection.initiated,
                is_established=connection.established,
                unspoken_s=connection.unspoken_s,
            )
        return admission
