"""The chain room's second actor: answers whoever asks about the chain, beside the one that writes it.

It reads over a connection of its own, each message within one read transaction. So an answer shows the
chain as one commit left it, no answer waits for a batch of blocks to be executed, and no commit waits for
a reader. What the chain actor told or answered was committed before, so whoever asks after that finds it.

What the disk does not give back it does as if we did not have it, or says so to people; the node is degraded,
and all else is answered as ever.

Must not live here: what only the chain actor knows (peers, downloads, orphans), or how a question is
answered (`serving`).
"""

from __future__ import annotations

import logging
import sqlite3
from typing import assert_never

from actors.chain.asking import Asking, Due
from actors.chain.checkup import FoundDamaged
from actors.chain.messages import (
    GetAccount,
    GetBlock,
    GetTransaction,
    ListAccounts,
    ListBlocks,
    ListTips,
    ReaderCommand,
)
from actors.chain.schema import StoreError, unreadable
from actors.chain.serving import Serving
from actors.chain.store import Reader
from actors.messaging.messages import (
    Done,
    MessageType,
    Received,
    RespondBatch,
)
from actors.peers.messages import LinksReset, PeerEvent, PeerLinked, PeerUnlinked, Resync
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.supervisor import Ailing
from actors.search.messages import LookedUp, LookUp

log = logging.getLogger(__name__)


ReaderInput = ReaderCommand | Received | LookUp | PeerEvent | FoundDamaged

_FAULTS = (StoreError, sqlite3.OperationalError)
"""Of the file, and of the disk under it."""


class Damage:
    """What was found damaged first: the reader's memory, which it leaves to its next incarnation. No file heals
    while a node stands on it.
    """

    def __init__(self) -> None:
        self.reason: str | None = None


class ReaderActor(NodeActor):
    """Answers `chain:get_blocks`, look-ups of blocks, and people's questions; keeps nothing but the damage."""

    def __init__(
        self,
        *,
        store: Reader,
        me: Address[ReaderInput],
        messaging: Address[RespondBatch | Done],
        peers: Address[Resync],
        supervisor: Address[Ailing],
        damage: Damage | None = None,
    ) -> None:
        """Build it on an open view of the store.

        Args:
            store: For this incarnation alone, which closes it: the next one has a new connection, in
                no transaction, whatever befell this one.
            me: Its own address.
            messaging: Told the answers to peers.
            peers: Tells whose the connections are.
            supervisor: Told what cannot be read.
            damage: What earlier incarnations found.
        """
        super().__init__()
        self._store, self._messaging, self._supervisor = store, messaging, supervisor
        self._damage = damage or Damage()
        self._told: str | None = None
        self._serving = Serving(store, self._note)
        self._me, self._peers = me, peers
        self._asking = Asking(me)

    def on_start(self) -> None:
        self._tell_ailment(self._damage.reason)
        self._peers.tell(Resync(self._me))

    def on_stop(self) -> None:
        self.on_crash()

    def on_crash(self) -> None:
        """Let go of the file, and leave what waits to the next incarnation."""
        self._store.close()
        self._asking.abandon()

    def on_receive(self, message: ReaderInput) -> object:
        match message:
            case PeerLinked() | PeerUnlinked() | LinksReset():
                for due in self._asking.apply(message):
                    self._refuse(due)
            case FoundDamaged(reason):
                self._note(StoreError(reason))
            case Due():
                self._read(message)
                self._asking.passed()
            case Received(requests) if self._asking.may_pass(requests) and self.box.empty():
                self._read(Due(requests))
            case Received(requests):
                self._asking.queue(requests)
            case _:
                return self._read(message)
        return None

    def _read(self, message: ReaderCommand | LookUp | Due) -> object:
        """Do what needs the disk, whatever comes of it."""
        try:
            with self._store.snapshot():
                answer = self._handle(message)
        except _FAULTS as error:
            self._note(error)
            if not isinstance(message, Due | LookUp):
                self.defer().set_exception(unreadable(error))
            else:
                self._refuse(message)
            return None
        if self._told is not None:
            self._note(None)
        return answer

    def _handle(self, message: ReaderCommand | LookUp | Due) -> object:
        match message:
            case Due():
                self._answer_peer(message)
            case LookUp(ticket, query, reply_to):
                reply_to.tell(LookedUp(ticket, self._serving.look_up(query)))
            case GetBlock() | ListBlocks() | GetTransaction():
                return self._serving.answer(message)
            case GetAccount() | ListAccounts() | ListTips():
                return self._serving.answer(message)
            case _:
                assert_never(message)
        return None

    def _refuse(self, message: LookUp | Due) -> None:
        """Answer a peer as if we had nothing."""
        match message:
            case Due(requests):
                self._messaging.tell(Done(requests[0].conn, len(requests)))
            case LookUp(ticket, _, reply_to):
                reply_to.tell(LookedUp(ticket, None))

    def _note(self, error: Exception | None) -> None:
        """Say what cannot be read: damage until the node ends, a fault of the disk until it gives something
        back.
        """
        reason = None if error is None else str(unreadable(error))
        if isinstance(error, StoreError):
            self._damage.reason = self._damage.reason or reason
        self._tell_ailment(self._damage.reason or reason)

    def _tell_ailment(self, reason: str | None) -> None:
        """At each change."""
        if reason != self._told:
            self._told = reason
            if reason is not None:
                log.error("answering without what cannot be read: %s", reason)
            self._supervisor.tell(Ailing(self.box.name, reason))

    def _answer_peer(self, due: Due) -> None:
        """Answer requests for blocks, all of one connection, within the budget for what came with them; give
        back the credit of what gets no answer.
        """
        answers: list[tuple[int, bytes]] = []
        useless = 0
        for request in due.messages:
            if due.budget.left_bytes <= 0:
                break
            is_request = request.type is MessageType.REQUEST
            answer = self._blocks_after(request.payload) if is_request else None
            if answer is not None:
                answers.append((request.message_id, answer))
                due.budget.left_bytes -= len(answer)
            else:
                useless += 1
        conn, unanswered = due.messages[0].conn, len(due.messages) - len(answers)
        if answers:
            self._messaging.tell(RespondBatch(conn, tuple(answers)))
        if unanswered:
            self._messaging.tell(Done(conn, unanswered, useless))

    def _blocks_after(self, request: bytes) -> bytes | None:
        """As of :class:`Serving`; blocks that cannot be read are none of ours."""
        try:
            return self._serving.blocks_after(request)
        except StoreError as error:
            self._note(error)
            return b""
