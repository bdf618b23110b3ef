"""Who may stand in the pool, and at whose expense: the limits across senders (LEDGER: mempool policy).

It looks at what the pool holds and changes nothing of it. Must not live here: the changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass

from actors.config import MempoolSettings
from actors.ledger.types import Transaction
from actors.mempool.claims import Claims
from actors.mempool.messages import Admission, RemovalReason
from actors.mempool.poorest import Poorest
from actors.mempool.sender import Entry, Sender


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction would go, and which others it would displace there."""

    admission: Admission
    victims: tuple[tuple[Entry, RemovalReason], ...] = ()

    @property
    def is_free(self) -> bool:
        return self.admission is Admission.PENDING or self.admission is Admission.QUEUED


_FREE = {admission: Place(admission) for admission in (Admission.PENDING, Admission.QUEUED)}
"""What nearly all get; made once."""


class Places:
    """The limits, over the pool's own collections.

    Attributes:
        broke: How many transactions of senders without a balance are held.
    """

    def __init__(
        self,
        settings: MempoolSettings,
        senders: Mapping[bytes, Sender],
        entries: Sized,
        pending: Sized,
    ) -> None:
        self._settings, self._senders = settings, senders
        self._entries, self._pending = entries, pending
        self._max_broke = int((settings.max_pending + settings.max_queued) * settings.broke_share)
        self._poorest_pending, self._poorest_queued = Poorest(), Poorest()
        self.broke = 0

    @property
    def queued(self) -> int:
        return len(self._entries) - len(self._pending)

    @property
    def pending_is_full(self) -> bool:
        return self._is_full(0)

    @property
    def queue_is_overfull(self) -> bool:
        return self.queued > self._settings.max_queued

    @property
    def too_many_broke(self) -> bool:
        return self.broke > self._max_broke

    def poorest_queued(self) -> Sender:
        """Of those who have something queued; somebody has."""
        first = self._poorest_queued.first()
        assert first is not None, "somebody owns what is queued"
        return self._senders[first[0]]

    def note(self, sender: Sender) -> None:
        """A sender's account, or what it holds, may have changed."""
        address, balance = sender.address, sender.account.balance
        if sender.pending:
            self._poorest_pending.put(address, balance)
        else:
            self._poorest_pending.discard(address)
        if sender.queued:
            self._poorest_queued.put(address, balance)
        else:
            self._poorest_queued.discard(address)

    def find(self, sender: Sender, transaction: Transaction, *, ahead: int = 0) -> Place:
        """Where a transaction may stand; ``ahead`` are others that take a place before it."""
        settings, balance = self._settings, sender.account.balance
        if sender.holds(transaction.nonce):
            return Place(Admission.NONCE_TAKEN)
        victims: list[tuple[Entry, RemovalReason]] = []
        if len(sender) >= settings.max_per_sender:
            # A lower nonce can be included sooner. The highest one is queued: were it pending, the
            # lower ones would all be held.
            if transaction.nonce > sender.highest.transaction.nonce:
                return Place(Admission.SENDER_FULL)
            victims.append((sender.highest, RemovalReason.SENDER_FULL))
        elif self._is_share_full(sender, ahead):
            return Place(Admission.POOL_FULL)
        if sender.would_be_pending(transaction, settings.max_pending_per_sender):
            admission = Admission.PENDING
            full = self._is_full(ahead)
            weaker = self._weaker(self._poorest_pending, balance) if full else None
            victim = weaker.at(weaker.pending - 1) if weaker else None
        else:
            admission = Admission.QUEUED
            full = self._is_queue_full(ahead - len(victims))
            weaker = self._weaker(self._poorest_queued, balance) if full else None
            victim = weaker.highest if weaker else None
        if victim is not None:
            victims.append((victim, RemovalReason.POOL_FULL))
        elif full:
            return Place(Admission.POOL_FULL)
        return Place(admission, tuple(victims)) if victims else _FREE[admission]

    def may_claim(self, sender: Sender, transaction: Transaction, claims: Claims) -> bool:
        """Whether there will be a place at its turn, if all that claims one before it gets it."""
        if not claims.has_of(sender):
            return self.find(sender, transaction, ahead=claims.count).is_free
        if not claims.may_follow(sender, transaction, self._settings.max_per_sender):
            return False
        if self._is_share_full(sender, claims.count):
            return False
        if claims.is_next(sender, transaction):
            full, poorest = self._is_full(claims.count), self._poorest_pending
        else:
            full, poorest = self._is_queue_full(claims.count), self._poorest_queued
        return not full or self._weaker(poorest, sender.account.balance) is not None

    def _is_share_full(self, sender: Sender, ahead: int) -> bool:
        return sender.broke and self.broke + ahead >= self._max_broke

    def _is_full(self, ahead: int) -> bool:
        return len(self._pending) + ahead >= self._settings.max_pending

    def _is_queue_full(self, ahead: int) -> bool:
        return self.queued + ahead >= self._settings.max_queued

    def _weaker(self, poorest: Poorest, balance: int) -> Sender | None:
        """The poorest of some senders, if it owns less than ``balance``."""
        first = poorest.first()
        return self._senders[first[0]] if first is not None and first[1] < balance else None
