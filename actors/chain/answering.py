"""The requests of peers that the chain actor answers: `chain:status` (WIRE: extensions).

Those for blocks go to the `reader`.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.chain.greeting import Greeting
from actors.chain.room import Room
from actors.chain.wire import STATUS_KIND, decode_status
from actors.messaging.messages import Done, Inbound, MessageType, RespondBatch


class Answering:
    """Answers what it can, and gives back the credit of what it cannot."""

    def __init__(self, room: Room, greeting: Greeting) -> None:
        self._table, self._to, self._greeting = room.table, room.to, greeting

    def on_requests(self, messages: Sequence[Inbound]) -> None:
        """Answer the requests of one batch, all of one connection: with the same status, and only the last of
        theirs is looked at. Whoever asks a hundred times at once learns no more, and costs no more.
        """
        conn = messages[0].conn
        asked = [
            each
            for each in messages
            if each.type is MessageType.REQUEST and each.kind == STATUS_KIND
        ]
        if asked:
            self._learn(asked[-1])
            status = self._greeting.status()
            answers = tuple((each.message_id, status) for each in asked)
            self._to.messaging.tell(RespondBatch(conn, answers))
        if useless := len(messages) - len(asked):
            self._to.messaging.tell(Done(conn, useless, useless))

    def _learn(self, request: Inbound) -> None:
        peer, status = self._table.owner(request.conn), decode_status(request.payload)
        if peer is not None and status is not None:
            self._greeting.learn(peer, status)
