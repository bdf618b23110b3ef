"""The pool: which transactions are held, which of them a block could take now, and who makes room
(LEDGER: mempool policy).

Pure: time is an argument, the chain's accounts are a function. Every change costs by what it touches,
never by the size of the pool. Must not live here: relaying, files, or anything about peers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice

from actors.config import MempoolSettings
from actors.ledger.codec import decode_transaction
from actors.ledger.state import check_account
from actors.ledger.types import AccountLookup, Block, Transaction
from actors.ledger.violation import Violation
from actors.mempool.claims import Claims
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
from actors.mempool.places import Place, Places
from actors.mempool.sender import Entry, Sender
from actors.mempool.touched import touched
from actors.mempool.vetting import Vetting

PoolEvent = TransactionAdded | TransactionRemoved

MAX_TOGETHER = 512
"""Transactions whose signatures are verified together: two connections' read credit, and 40 to 80 ms of two
cores, after which the next look at the pool tells which of the rest are still wanted.
"""


class Pool:
    """Transactions by id and by sender, pending or queued.

    Attributes:
        revision: Grows with every change of the pending transactions.
        changes: Counts the transactions that came or went; whoever saves the pool compares it.
    """

    def __init__(
        self, settings: MempoolSettings, vetting: Vetting, accounts: AccountLookup
    ) -> None:
        self._settings, self._vetting, self._accounts = settings, vetting, accounts
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()  # in order of arrival: of expiry
        self._ids: list[bytes] = []  # sorted, for listings in pages
        self._senders: dict[bytes, Sender] = {}
        self._newcomers: dict[bytes, Sender] = {}  # of the batch in hand, perhaps not held
        # In the order in which they became pending, which is a block's order: a transaction becomes
        # pending only behind the lower nonces of its sender.
        self._pending: OrderedDict[bytes, Entry] = OrderedDict()
        self._places = Places(settings, self._senders, self._entries, self._pending)
        self._waiting: OrderedDict[bytes, None] = OrderedDict()  # could promote, found no room
        self._bytes = 0
        self._news: list[PoolEvent] = []
        self.revision = self.changes = 0

    # -- questions ----------------------------------------------------------------------------

    def info(self) -> PoolInfo:
        return PoolInfo(
            pending=len(self._pending),
            queued=self._places.queued,
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
        return self._admit(decode_transaction(raw), now_s, validate_only=validate_only)

    def admit_all(self, raws: Sequence[bytes], *, now_s: float) -> list[Submission]:
        """The same, for one after the other, but that their signatures are verified together."""
        submissions: list[Submission] = []
        for start in range(0, len(raws), MAX_TOGETHER):
            decoded = [decode_transaction(raw) for raw in raws[start : start + MAX_TOGETHER]]
            self._vetting.foresee(self._promising(decoded))
            submissions += [self._admit(each, now_s) for each in decoded]
            self._newcomers.clear()
        return submissions

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
        for address in touched((*connected, *disconnected)):
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
        sender = self._senders.get(address)
        if sender is None:
            sender = self._newcomers.get(address)
        return Sender(address, self._accounts(address)) if sender is None else sender

    def _admit(
        self, transaction: Transaction | Violation, now_s: float, *, validate_only: bool = False
    ) -> Submission:
        if isinstance(transaction, Violation):
            return Submission(Admission.REJECTED, None, transaction)
        sender = self._sender(transaction.sender)
        place = self._judge(sender, transaction, verified=False)
        if isinstance(place, Violation):
            return Submission(Admission.REJECTED, transaction.id, place)
        if place.is_free and not validate_only:
            self._insert(sender, transaction, place, now_s)
            self._tidy()
        return Submission(place.admission, transaction.id)

    def _judge(
        self, sender: Sender, transaction: Transaction, *, verified: bool
    ) -> Place | Violation:
        if transaction.id in self._entries:
            return Place(Admission.KNOWN)
        if transaction.nonce < sender.account.nonce:
            violation = check_account(transaction, sender.account)
            assert violation is not None, "the nonce is used"
            return violation
        place = self._places.find(sender, transaction)
        if not place.is_free:
            return place
        return self._vetting.judge(transaction, verified=verified) or place

    def _promising(self, decoded: Sequence[Transaction | Violation]) -> list[Transaction]:
        """Those of a batch that will pass the cheap checks at their turn, if all before them are good."""
        claims, promising = Claims(), []
        for transaction in decoded:
            if isinstance(transaction, Violation) or transaction.id in self._entries:
                continue
            sender = self._sender(transaction.sender)
            if not sender:
                self._newcomers[sender.address] = sender
            is_unused = transaction.nonce >= sender.account.nonce
            if is_unused and self._places.may_claim(sender, transaction, claims):
                claims.add(transaction)
                promising.append(transaction)
        return promising

    def _insert(self, sender: Sender, transaction: Transaction, place: Place, now_s: float) -> None:
        for victim, reason in place.victims:
            self._drop(victim, reason)
        entry = Entry(transaction, now_s)
        self._senders[sender.address] = sender
        sender.add(entry)
        self._entries[transaction.id] = entry
        insort(self._ids, transaction.id)
        self._places.broke += sender.broke
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
        place = self._judge(sender, transaction, verified=True)
        if isinstance(place, Place) and place.is_free:
            self._insert(sender, transaction, place, now_s)

    # -- upkeep -------------------------------------------------------------------------------

    def _ids_of(self, address: bytes) -> tuple[bytes, ...]:
        sender = self._senders.get(address)
        return tuple(entry.transaction.id for entry in sender.entries()) if sender else ()

    def _refresh(self, address: bytes, accounts: AccountLookup) -> None:
        """Read a sender's account again and draw the consequences for its own transactions."""
        sender = self._senders.get(address)
        if sender is None:
            return
        self._places.broke -= len(sender) * sender.broke
        sender.account = accounts(address)
        self._places.broke += len(sender) * sender.broke
        while sender and sender.lowest.transaction.nonce < sender.account.nonce:
            self._remove(sender.lowest, RemovalReason.NONCE_USED)
        while sender and sender.broke and self._places.too_many_broke:
            self._remove(sender.highest, RemovalReason.POOL_FULL)
        self._settle(sender)

    def _settle(self, sender: Sender) -> None:
        """Make pending what may be and queue the rest; a promotion displaces nobody."""
        fundable = sender.fundable(self._settings.max_pending_per_sender)
        while sender.pending > fundable:
            entry = sender.demote()
            del self._pending[entry.transaction.id]
            self.revision += 1
        while sender.pending < fundable and not self._places.pending_is_full:
            entry = sender.promote()
            self._pending[entry.transaction.id] = entry
            self.revision += 1
            self._news.append(TransactionAdded(entry.transaction, pending=True))
        sender.settled()
        self._index(sender, could_promote=sender.pending < fundable)

    def _index(self, sender: Sender, *, could_promote: bool) -> None:
        """Bring what we keep about senders in line with one that changed."""
        address = sender.address
        if could_promote:
            self._waiting[address] = None
        else:
            self._waiting.pop(address, None)
        self._places.note(sender)
        if not sender:
            del self._senders[address]

    def _tidy(self) -> None:
        """Fill the pending places that became free, then shorten a queue that demotions made long."""
        while self._waiting and not self._places.pending_is_full:
            self._settle(self._senders[next(iter(self._waiting))])
        while self._places.queue_is_overfull:
            self._drop(self._places.poorest_queued().highest, RemovalReason.POOL_FULL)

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
        self._places.broke -= sender.broke
        self._bytes -= len(transaction.raw)
        self.changes += 1
