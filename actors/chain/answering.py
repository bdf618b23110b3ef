"""The requests of peers: `chain:status` and `chain:get_blocks`, answered (WIRE: extensions)."""

from __future__ import annotations

from collections.abc import Sequence

from actors.chain.greeting import Greeting
from actors.chain.room import Room
from actors.chain.serving import Serving
from actors.chain.wire import GET_BLOCKS_KIND, STATUS_KIND, decode_status
from actors.messaging.messages import ANSWER_BUDGET_BYTES, Done, Inbound, MessageType, Respond


class Answering:
    """Answers what it can, and gives back the credit of what it cannot."""

    def __init__(self, room: Room, greeting: Greeting, serving: Serving) -> None:
        self._table, self._to = room.table, room.to
        self._greeting, self._serving = greeting, serving

    def on_requests(self, messages: Sequence[Inbound]) -> None:
        """Answer the requests of one batch, all of one connection, within the budget for it."""
        unanswered, budget_bytes = 0, ANSWER_BUDGET_BYTES
        for message in messages:
            wanted = message.type is MessageType.REQUEST and budget_bytes > 0
            answer = self._answer(message) if wanted else None
            if answer is None:
                unanswered += 1
            else:
                budget_bytes -= len(answer)
                self._to.messaging.tell(Respond(message.conn, message.message_id, answer))
        if unanswered:
            self._to.messaging.tell(Done(messages[0].conn, unanswered))

    def _answer(self, request: Inbound) -> bytes | None:
        if request.kind == GET_BLOCKS_KIND:
            return self._serving.blocks_after(request.payload)
        if request.kind != STATUS_KIND:
            return None
        peer, status = self._table.owner(request.conn), decode_status(request.payload)
        if peer is not None and status is not None:
            self._greeting.learn(peer, status)
        return self._greeting.status()
