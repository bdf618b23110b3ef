"""The chain room's second actor: answers whoever asks about the chain, beside the one that writes it.

It reads over a connection of its own, each message within one read transaction. So an answer shows the
chain as one commit left it, no answer waits for a batch of blocks to be executed, and no commit waits for
a reader. What the chain actor told or answered was committed before, so whoever asks after that finds it.

Must not live here: what only the chain actor knows (peers, downloads, orphans), or how a question is
answered (`serving`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from actors.chain.messages import (
    GetAccount,
    GetBlock,
    GetTransaction,
    ListAccounts,
    ListBlocks,
    ListTips,
    ReaderCommand,
)
from actors.chain.serving import Serving
from actors.chain.store import Reader
from actors.messaging.messages import (
    ANSWER_BUDGET_BYTES,
    Done,
    Inbound,
    MessageType,
    Received,
    RespondBatch,
)
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.search.messages import LookedUp, LookUp

ReaderInput = ReaderCommand | Received | LookUp


class ReaderActor(NodeActor):
    """Answers `chain:get_blocks`, look-ups of blocks, and people's questions; keeps nothing."""

    def __init__(self, *, store: Reader, messaging: Address[RespondBatch | Done]) -> None:
        """Build it on an open view of the store.

        Args:
            store: For this incarnation alone, which closes it: the next one has a new connection, in
                no transaction, whatever befell this one.
            messaging: Told the answers to peers.
        """
        super().__init__()
        self._store, self._messaging = store, messaging
        self._serving = Serving(store)

    def on_stop(self) -> None:
        self._store.close()

    def on_crash(self) -> None:
        self._store.close()

    def on_receive(self, message: ReaderInput) -> object:
        with self._store.snapshot():
            match message:
                case Received(requests):
                    self._answer_peer(requests)
                case LookUp(ticket, query, reply_to):
                    reply_to.tell(LookedUp(ticket, self._serving.look_up(query)))
                case GetBlock() | ListBlocks() | GetTransaction():
                    return self._serving.answer(message)
                case GetAccount() | ListAccounts() | ListTips():
                    return self._serving.answer(message)
                case _:
                    assert_never(message)
        return None

    def _answer_peer(self, requests: Sequence[Inbound]) -> None:
        """Answer requests for blocks, all of one connection, within the budget for a batch; give back the
        credit of what gets no answer.
        """
        answers: list[tuple[int, bytes]] = []
        size_bytes = 0
        for request in requests:
            if request.type is not MessageType.REQUEST or size_bytes >= ANSWER_BUDGET_BYTES:
                continue
            answer = self._serving.blocks_after(request.payload)
            if answer is not None:
                answers.append((request.message_id, answer))
                size_bytes += len(answer)
        conn, unanswered = requests[0].conn, len(requests) - len(answers)
        if answers:
            self._messaging.tell(RespondBatch(conn, tuple(answers)))
        if unanswered:
            self._messaging.tell(Done(conn, unanswered))
