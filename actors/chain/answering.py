"""The requests of peers that the chain actor answers: `chain:status` (WIRE: extensions).

Those for blocks go to the `reader`.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.chain.greeting import Greeting
from actors.chain.room import Room
from actors.chain.wire import STATUS_KIND, decode_status
from actors.messaging.messages import Done, Inbound, MessageType, Respond


class Answering:
    """Answers what it can, and gives back the credit of what it cannot."""

    def __init__(self, room: Room, greeting: Greeting) -> None:
        self._table, self._to, self._greeting = room.table, room.to, greeting

    def on_requests(self, messages: Sequence[Inbound]) -> None:
        """Answer the requests of one batch, all of one connection. A status is small."""
        unanswered = 0
        for message in messages:
            if message.type is MessageType.REQUEST and message.kind == STATUS_KIND:
                answer = self._on_status(message)
                self._to.messaging.tell(Respond(message.conn, message.message_id, answer))
            else:
                unanswered += 1
        if unanswered:
            self._to.messaging.tell(Done(messages[0].conn, unanswered))

    def _on_status(self, request: Inbound) -> bytes:
        peer, status = self._table.owner(request.conn), decode_status(request.payload)
        if peer is not None and status is not None:
            self._greeting.learn(peer, status)
        return self._greeting.status()
