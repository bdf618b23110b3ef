"""The mempool: a batch ends as its transactions one by one, and all that is held obeys LEDGER's policy.

Against a model without limits across senders: each sender's queue worked out anew after every step. With
small limits the model does not say who loses; then what always holds is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.config import MempoolSettings
from actors.ledger.build import build_block
from actors.ledger.codec import decode_transaction
from actors.ledger.state import Applied, apply_block, check_policy, check_transaction
from actors.ledger.types import Account, BlockRef, Transaction
from actors.mempool.messages import Admission
from actors.mempool.pool import Pool
from actors.mempool.vetting import Vetting
from tests.fuzz.draw import Draw
from tests.fuzz.money import addresses, drawn_state, drawn_transfer
from tests.support.ledger import EASY_MAIN, lookup

NAME = "main"
EXPIRY_S = 50.0
WIDE = MempoolSettings(max_per_sender=6, max_pending_per_sender=4, expiry_s=EXPIRY_S)
NARROW = MempoolSettings(
    max_per_sender=4,
    max_pending_per_sender=3,
    max_pending=4,
    max_queued=3,
    expiry_s=EXPIRY_S,
    broke_share=0.3,
)


class Model:
    """What a pool without limits across senders holds, in order of arrival."""

    def __init__(self, settings: MempoolSettings) -> None:
        self._settings = settings
        self.held: dict[bytes, tuple[Transaction, float]] = {}

    def of(self, sender: bytes) -> list[Transaction]:
        held = (each for each, _ in self.held.values() if each.sender == sender)
        return sorted(held, key=lambda each: each.nonce)

    def admit(
        self, transaction: Transaction, accounts: Mapping[bytes, Account], now_s: float
    ) -> Admission:
        if transaction.id in self.held:
            return Admission.KNOWN
        if transaction.nonce < accounts[transaction.sender].nonce:
            return Admission.REJECTED
        mine = self.of(transaction.sender)
        if transaction.nonce in {each.nonce for each in mine}:
            return Admission.NONCE_TAKEN
        if len(mine) == self._settings.max_per_sender:
            if transaction.nonce > mine[-1].nonce:
                return Admission.SENDER_FULL
            del self.held[mine[-1].id]
        self.held[transaction.id] = (transaction, now_s)
        pending = transaction.id in self.pending(accounts)
        return Admission.PENDING if pending else Admission.QUEUED

    def pending(self, accounts: Mapping[bytes, Account]) -> set[bytes]:
        """The next nonces of each sender that its balance covers together."""
        pending = set()
        for sender, account in accounts.items():
            unspent = account.balance
            mine = self.of(sender)[: self._settings.max_pending_per_sender]
            for nonce, each in enumerate(mine, account.nonce):
                unspent -= each.amount
                if each.nonce != nonce or unspent < 0:
                    break
                pending.add(each.id)
        return pending

    def drop_used(self, accounts: Mapping[bytes, Account]) -> None:
        self.held = {
            tx_id: (each, added_s)
            for tx_id, (each, added_s) in self.held.items()
            if each.nonce >= accounts[each.sender].nonce
        }

    def expire(self, now_s: float) -> None:
        self.held = {
            tx_id: (each, added_s)
            for tx_id, (each, added_s) in self.held.items()
            if added_s > now_s - EXPIRY_S
        }


class Play:
    """A pool, its twin that takes batches one by one, and the model."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.settings = draw.pick((WIDE, NARROW))
        self.accounts = drawn_state(draw, NAME)
        look_up = lookup(self.accounts)  # sees what becomes of them
        self.pool = Pool(self.settings, Vetting(EASY_MAIN), look_up)
        self.twin = Pool(self.settings, Vetting(EASY_MAIN), look_up)
        self.model = Model(self.settings)
        self.now_s, self.tip = 0.0, EASY_MAIN.genesis.ref

    def run(self) -> None:
        while self.draw:
            match self.draw.below(8):
                case 0:
                    self.mine()
                case 1:
                    self.now_s += self.draw.below(60)
                    self.pool.expire(now_s=self.now_s)
                    self.twin.expire(now_s=self.now_s)
                    self.model.expire(self.now_s)
                case 2:
                    self.evict()
                case 3:
                    self.submit_raw(self.draw.blob())
                case _:
                    self.submit(
                        [drawn_transfer(self.draw, NAME) for _ in range(self.draw.below(6))]
                    )
            self.agree()

    def submit(self, batch: list[Transaction]) -> None:
        together = self.pool.admit_all([each.raw for each in batch], now_s=self.now_s)
        singly = [self.twin.admit(each.raw, now_s=self.now_s) for each in batch]
        assert together == singly
        if self.settings is WIDE:
            expected = [self.model.admit(each, self.accounts, self.now_s) for each in batch]
            assert [each.admission for each in together] == expected

    def submit_raw(self, raw: bytes) -> None:
        """What may be damaged, or somebody else's altogether."""
        decoded = decode_transaction(raw)
        if isinstance(decoded, Transaction) and decoded.sender in self.accounts:
            verdict = check_policy(EASY_MAIN, decoded) or check_transaction(EASY_MAIN, decoded)
            if verdict is None:
                self.submit([decoded])
                return
        submission = self.pool.admit(raw, now_s=self.now_s)
        assert submission == self.twin.admit(raw, now_s=self.now_s)
        assert submission.admission is not Admission.PENDING

    def mine(self) -> None:
        """A block of candidates, or of what the pool may never have heard of."""
        candidates = self.pool.candidates(self.draw.below(5))
        included = candidates or [drawn_transfer(self.draw, NAME)]
        coinbase = self.draw.pick(addresses(NAME))
        look_up = lookup(self.accounts)
        block, built = build_block(EASY_MAIN, self.tip, look_up, coinbase, included)
        # One whose payee holds all the money there can be is covered, and still no block takes it.
        assert len(block.transactions) == len(candidates) or not candidates or self.rich()
        assert not candidates or not built.never_valid
        applied = apply_block(EASY_MAIN, self.tip, look_up, block)
        if not isinstance(applied, Applied):
            assert self.rich()  # not even the reward has room
            return
        self.accounts.update(applied.accounts)
        self.tip = BlockRef(block.number, block.hash)
        for pool in (self.pool, self.twin):
            pool.follow((block,), (), look_up, now_s=self.now_s)
        self.model.drop_used(self.accounts)

    def rich(self) -> bool:
        return any(account.balance > 2**62 for account in self.accounts.values())

    def evict(self) -> None:
        entries = self.pool.page(100, None, None)
        if entries:
            tx_id = self.draw.pick(entries).transaction.id
            assert self.pool.evict(tx_id) == self.twin.evict(tx_id)
            self.model.held.pop(tx_id, None)

    def agree(self) -> None:
        info, entries = self.pool.info(), self.pool.page(100, None, None)
        assert info == self.twin.info()
        assert self.pool.candidates(100) == self.twin.candidates(100)
        assert info.pending <= self.settings.max_pending
        assert info.queued <= self.settings.max_queued
        assert len(entries) == info.pending + info.queued
        assert info.bytes == sum(len(each.transaction.raw) for each in entries)
        if self.settings is WIDE:
            assert {each.transaction.id for each in entries} == set(self.model.held)
            pending = {each.transaction.id for each in entries if each.pending}
            assert pending == self.model.pending(self.accounts)


def one_input(data: bytes) -> None:
    Play(Draw(data)).run()
