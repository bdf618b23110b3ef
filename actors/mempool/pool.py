"""The pool: which transactions are held, which of them a block could take now, and who makes room
(LEDGER: mempool policy).

Pure: time is an argument, the chain's accounts are a function. Every change costs by what it touches,
never by the size of the pool. Must not live here: relaying, files, or anything about peers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from actors.config import MempoolSettings
from actors.ledger.codec import decode_transaction
from actors.ledger.network import Network
from actors.ledger.state import check_account, check_policy, check_transaction
from actors.ledger.types import AccountLookup, Block, Transaction
from actors.ledger.violation import Rule, Violation
from actors.mempool.messages import (
    Admission,
    Eviction,
    Funds,
    PoolInfo,
    RemovalReason,
    Submission,
    TransactionAdded,
    TransactionRemoved,
)
from actors.mempool.poorest import Poorest
from actors.mempool.sender import Entry, Sender

PoolEvent = TransactionAdded | TransactionRemoved


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a transaction would go, and which others it would displace there."""

    admission: Admission
    victims: tuple[tuple[Entry, RemovalReason], ...] = ()


class Pool:
    """Transactions by id and by sender, pending or queued.

    Attributes:
        revision: Grows with every change of the pending transactions.
        changes: Counts the transactions that came or went; whoever saves the pool compares it.
    """

    def __init__(
        self, settings: MempoolSettings, network: Network, accounts: AccountLookup
    ) -> None:
        self._settings, self._network, self._accounts = settings, network, accounts
        places = settings.max_pending + settings.max_queued
        self._max_broke = int(places * settings.broke_share)
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()  # in order of arrival: of expiry
        self._ids: list[bytes] = []  # sorted, for listings in pages
        self._senders: dict[bytes, Sender] = {}
        # In the order in which they became pending, which is a block's order: a transaction becomes
        # pending only behind the lower nonces of its sender.
        self._pending: OrderedDict[bytes, Entry] = OrderedDict()
        self._poorest_pending, self._poorest_queued = Poorest(), Poorest()
        self._waiting: OrderedDict[bytes, None] = OrderedDict()  # could promote, found no room
        self._broke = 0
        self._bytes = 0
        self._news: list[PoolEvent] = []
        self.revision = self.changes = 0

    # -- questions ----------------------------------------------------------------------------

    def info(self) -> PoolInfo:
        return PoolInfo(
            pending=len(self._pending),
            queued=self._queued,
            senders=len(self._senders),
            bytes=self._bytes,
            max_pending=self._settings.max_pending,
            max_queued=self._settings.max_queued,
        )

    def get(self, tx_id: bytes) -> Entry | None:
        return self._entries.get(tx_id)

    def page(self, limit: int, after: bytes | None, sender: bytes | None) -> tuple[Entry, ...]:
        """At most ``limit`` entries in order of id, from the first id above ``after`` on."""
        ids = self._ids if sender is None else sorted(self._ids_of(sender))
        start = 0 if after is None else bisect_right(ids, after)
        return tuple(self._entries[tx_id] for tx_id in ids[start : start + max(0, limit)])

    def funds(self, address: bytes) -> Funds:
        """What a new transaction of this sender can build on."""
        sender = self._senders.get(address)
        if sender is None:
            account = self._accounts(address)
            return Funds(account.nonce, account.balance)
        return Funds(sender.first_free_nonce(), sender.account.balance - sender.spent())

    def candidates(self, limit: int) -> tuple[Transaction, ...]:
        """Pending transactions, longest pending first: valid in this order on the current tip."""
        return tuple(entry.transaction for entry in islice(self._pending.values(), limit))

    def lines(self) -> Iterator[bytes]:
        """Every transaction, in an order in which an empty pool admits them all again."""
        for entry in self._pending.values():
            yield entry.transaction.raw
        for entry in self._entries.values():
            if not entry.pending:
                yield entry.transaction.raw

    def take_news(self) -> tuple[PoolEvent, ...]:
        """What came, was promoted or went since the last call, in order; not what a block took."""
        news = tuple(self._news)
        self._news.clear()
        return news

    # -- changes ------------------------------------------------------------------------------

    def admit(self, raw: bytes, *, now_s: float, validate_only: bool = False) -> Submission:
        """Judge a serialized transaction and, unless only asked to validate, take it in.

        The cheap checks come first and the signature last: a flood costs us little.
        """
        transaction = decode_transaction(raw)
        if isinstance(transaction, Violation):
            return Submission(Admission.REJECTED, None, transaction)
        sender = self._sender(transaction.sender)
        place = self._judge(sender, transaction, signature_known=False)
        if isinstance(place, Violation):
            return Submission(Admission.REJECTED, transaction.id, place)
        if place.admission in (Admission.PENDING, Admission.QUEUED) and not validate_only:
            self._insert(sender, transaction, place, now_s)
            self._tidy()
        return Submission(place.admission, transaction.id)

    def follow(
        self,
        connected: Sequence[Block],
        disconnected: Sequence[Block],
        accounts: AccountLookup,
        *,
        now_s: float,
    ) -> None:
        """Go along with the chain: forget what was included, take back what no longer is, and look
        again at every sender whose account may have changed.

        Args:
            connected: Oldest first.
            disconnected: Newest first.
            accounts: The state as of the newest connected block. What is committed may be ahead of
                it, and a transaction included there is not to be taken for one that lost its nonce.
            now_s: When those that come back begin to age.
        """
        for block in connected:
            for transaction in block.transactions:
                entry = self._entries.get(transaction.id)
                if entry is not None:
                    self._detach(entry)
        for address in _touched((*connected, *disconnected)):
            self._refresh(address, accounts)
        for block in reversed(disconnected):
            for transaction in block.transactions:
                self._take_back(transaction, now_s)
        self._tidy()

    def recheck(self) -> None:
        """Look again at every sender: the chain may be any other than before."""
        for address in tuple(self._senders):
            self._refresh(address, self._accounts)
        self._tidy()

    def expire(self, *, now_s: float) -> None:
        """Drop what was added ``expiry_s`` ago or earlier."""
        while self._entries:
            entry = next(iter(self._entries.values()))
            if entry.added_s > now_s - self._settings.expiry_s:
                break
            self._drop(entry, RemovalReason.EXPIRED)
        self._tidy()

    def evict(self, tx_id: bytes) -> Eviction | None:
        """Drop one transaction; later ones of its sender are queued until the nonce is filled again."""
        entry = self._entries.get(tx_id)
        if entry is None:
            return None
        sender = self._senders[entry.transaction.sender]
        behind = [each for each in sender.entries() if each.pending and each is not entry]
        self._drop(entry, RemovalReason.EVICTED)
        self._tidy()
        queued = (each.transaction.id for each in behind if not each.pending)
        return Eviction(entry.transaction, tuple(tx for tx in queued if tx in self._entries))

    # -- admission ----------------------------------------------------------------------------

    def _sender(self, address: bytes) -> Sender:
        """The sender of that address; a new one is not yet held."""
        return self._senders.get(address) or Sender(address, self._accounts(address))

    def _judge(
        self, sender: Sender, transaction: Transaction, *, signature_known: bool
    ) -> _Place | Violation:
        if transaction.id in self._entries:
            return _Place(Admission.KNOWN)
        violation = check_account(transaction, sender.account)
        if violation is not None and violation.rule is Rule.NONCE_USED:
            return violation
        place = self._find_place(sender, transaction)
        if place.admission not in (Admission.PENDING, Admission.QUEUED):
            return place
        violation = check_policy(self._network, transaction)
        if violation is None and not signature_known:
            violation = check_transaction(self._network, transaction)
        return place if violation is None else violation

    def _find_place(self, sender: Sender, transaction: Transaction) -> _Place:
        """Where the transaction may stand, and at whose expense; changes nothing."""
        settings, balance = self._settings, sender.account.balance
        if sender.holds(transaction.nonce):
            return _Place(Admission.NONCE_TAKEN)
        victims: list[tuple[Entry, RemovalReason]] = []
        if len(sender) >= settings.max_per_sender:
            # A lower nonce can be included sooner. The highest one is queued: were it pending, the
            # lower ones would all be held.
            if transaction.nonce > sender.highest.transaction.nonce:
                return _Place(Admission.SENDER_FULL)
            victims.append((sender.highest, RemovalReason.SENDER_FULL))
        elif sender.broke and self._broke >= self._max_broke:
            return _Place(Admission.POOL_FULL)
        if sender.would_be_pending(transaction, settings.max_pending_per_sender):
            admission = Admission.PENDING
            full = len(self._pending) >= settings.max_pending
            weaker = self._weaker(self._poorest_pending, balance) if full else None
            victim = weaker.at(weaker.pending - 1) if weaker else None
        else:
            admission = Admission.QUEUED
            full = self._queued - len(victims) >= settings.max_queued
            weaker = self._weaker(self._poorest_queued, balance) if full else None
            victim = weaker.highest if weaker else None
        if victim is not None:
            victims.append((victim, RemovalReason.POOL_FULL))
        elif full:
            return _Place(Admission.POOL_FULL)
        return _Place(admission, tuple(victims))

    def _weaker(self, poorest: Poorest, balance: int) -> Sender | None:
        """The poorest of some senders, if it owns less than ``balance``."""
        first = poorest.first()
        return self._senders[first[0]] if first is not None and first[1] < balance else None

    def _insert(
        self, sender: Sender, transaction: Transaction, place: _Place, now_s: float
    ) -> None:
        for victim, reason in place.victims:
            self._drop(victim, reason)
        entry = Entry(transaction, now_s)
        self._senders[sender.address] = sender
        sender.add(entry)
        self._entries[transaction.id] = entry
        insort(self._ids, transaction.id)
        self._broke += sender.broke
        self._bytes += len(transaction.raw)
        self.changes += 1
        self._settle(sender)
        if not entry.pending:
            self._news.append(TransactionAdded(transaction, pending=False))

    def _take_back(self, transaction: Transaction, now_s: float) -> None:
        """Readmit what a disconnected block held, unless the new branch used its nonce.

        Its execution has verified the signature.
        """
        sender = self._sender(transaction.sender)
        place = self._judge(sender, transaction, signature_known=True)
        if isinstance(place, _Place) and place.admission in (Admission.PENDING, Admission.QUEUED):
            self._insert(sender, transaction, place, now_s)

    # -- upkeep -------------------------------------------------------------------------------

    @property
    def _queued(self) -> int:
        return len(self._entries) - len(self._pending)

    def _ids_of(self, address: bytes) -> tuple[bytes, ...]:
        sender = self._senders.get(address)
        return tuple(entry.transaction.id for entry in sender.entries()) if sender else ()

    def _refresh(self, address: bytes, accounts: AccountLookup) -> None:
        """Read a sender's account again and draw the consequences for its own transactions."""
        sender = self._senders.get(address)
        if sender is None:
            return
        self._broke -= len(sender) * sender.broke
        sender.account = accounts(address)
        self._broke += len(sender) * sender.broke
        while sender and sender.lowest.transaction.nonce < sender.account.nonce:
            self._remove(sender.lowest, RemovalReason.NONCE_USED)
        while sender and sender.broke and self._broke > self._max_broke:
            self._remove(sender.highest, RemovalReason.POOL_FULL)
        self._settle(sender)

    def _settle(self, sender: Sender) -> None:
        """Make pending what may be and queue the rest; a promotion displaces nobody."""
        fundable = sender.fundable(self._settings.max_pending_per_sender)
        while sender.pending > fundable:
            entry = sender.at(sender.pending - 1)
            entry.pending = False
            sender.pending -= 1
            del self._pending[entry.transaction.id]
            self.revision += 1
        while sender.pending < fundable and len(self._pending) < self._settings.max_pending:
            entry = sender.at(sender.pending)
            entry.pending = True
            sender.pending += 1
            self._pending[entry.transaction.id] = entry
            self.revision += 1
            self._news.append(TransactionAdded(entry.transaction, pending=True))
        self._index(sender, could_promote=sender.pending < fundable)

    def _index(self, sender: Sender, *, could_promote: bool) -> None:
        """Bring what we keep about senders in line with one that changed."""
        address, balance = sender.address, sender.account.balance
        if could_promote:
            self._waiting[address] = None
        else:
            self._waiting.pop(address, None)
        if sender.pending:
            self._poorest_pending.put(address, balance)
        else:
            self._poorest_pending.discard(address)
        if sender.queued:
            self._poorest_queued.put(address, balance)
        else:
            self._poorest_queued.discard(address)
        if not sender:
            del self._senders[address]

    def _tidy(self) -> None:
        """Fill the pending places that became free, then shorten a queue that demotions made long."""
        while self._waiting and len(self._pending) < self._settings.max_pending:
            self._settle(self._senders[next(iter(self._waiting))])
        while self._queued > self._settings.max_queued:
            first = self._poorest_queued.first()
            assert first is not None, "somebody owns what is queued"
            self._drop(self._senders[first[0]].highest, RemovalReason.POOL_FULL)

    def _drop(self, entry: Entry, reason: RemovalReason) -> None:
        sender = self._senders[entry.transaction.sender]
        self._remove(entry, reason)
        self._settle(sender)

    def _remove(self, entry: Entry, reason: RemovalReason) -> None:
        """Take an entry out and say so; the caller settles its sender."""
        self._detach(entry)
        self._news.append(TransactionRemoved(entry.transaction.id, reason))

    def _detach(self, entry: Entry) -> None:
        transaction = entry.transaction
        sender = self._senders[transaction.sender]
        sender.remove(entry)
        del self._entries[transaction.id]
        del self._ids[bisect_left(self._ids, transaction.id)]
        if entry.pending:
            del self._pending[transaction.id]
            self.revision += 1
        self._broke -= sender.broke
        self._bytes -= len(transaction.raw)
        self.changes += 1


def _touched(blocks: Iterable[Block]) -> Iterable[bytes]:
    """Every address whose account these blocks change, each once, in order of mention."""
    addresses: dict[bytes, None] = {}
    for block in blocks:
        for transaction in block.transactions:
            addresses[transaction.sender] = addresses[transaction.recipient] = None
        addresses[block.coinbase] = None
    return addresses
