"""The links as what outlives an actor: gates that are open, and requests in flight.

The next incarnation goes on with them, so nobody says hello again, and a response that comes later still finds
its request. What is lost with a letter is mended by the roll: tcp says which connections there are, and the
peers room, told which links there are, says whose they are.
"""

from __future__ import annotations

from actors.messaging.asked import Asked
from actors.messaging.link import Link
from actors.messaging.messages import OpenLink, Response
from actors.tcp.messages import Close, CloseReason, Connected, ConnId, Disconnected, Establish


class OpenLinks:
    """The links by connection. Only who plays touches them, or who knows that nobody does."""

    def __init__(self) -> None:
        self.links: dict[ConnId, Link] = {}
        self.asked = Asked()
        self.lives = 0
        """How many incarnations there were."""

    def clear(self) -> None:
        """Forget all: incarnations that went on with them kept failing. The roll brings back what is true."""
        for link in self.links.values():
            for pending in link.requests.give_up():
                pending.reply_to.tell(Response(pending.token, link.conn, None))
        self.links.clear()

    def missed(self, connections: tuple[Connected, ...]) -> list[Connected | Disconnected]:
        """The events that lead from the links to these connections."""
        there = {connected.conn for connected in connections}
        gone = [
            Disconnected(conn, link.connected.initiated, CloseReason.IO_ERROR)
            for conn, link in self.links.items()
            if conn not in there
        ]
        return [*gone, *(each for each in connections if each.conn not in self.links)]

    def repeated(self) -> list[Close | Establish]:
        """What tcp was told of the links, and may have missed: to hear it twice does no harm."""
        commands = list[Close | Establish]()
        for conn, link in self.links.items():
            if link.closing:
                commands.append(Close(conn, CloseReason.LOCAL))
            elif link.is_open:
                commands.append(Establish(conn))
        return commands

    def open(self) -> tuple[OpenLink, ...]:
        """Those that are not on their way out."""
        return tuple(
            OpenLink(link.connected, link.peer) for link in self.links.values() if not link.closing
        )
