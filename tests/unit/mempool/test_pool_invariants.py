"""Whatever users, blocks, reorganisations and time do: the pool keeps LEDGER's limits and promises."""

from collections import Counter
from dataclasses import replace
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.config import MempoolSettings
from actors.ledger.build import build_block
from actors.ledger.state import Applied, apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, Transaction
from actors.mempool.messages import Admission, TransactionAdded, TransactionRemoved
from actors.mempool.pool import Pool
from actors.mempool.sender import Entry
from actors.mempool.vetting import Vetting
from tests.support.ledger import EASY_MAIN, transfer
from tests.support.mempool import ALICE, BOB, CAROL, DAVE

LIMITS = MempoolSettings(
    max_per_sender=4,
    max_pending_per_sender=3,
    max_pending=4,
    max_queued=4,
    expiry_s=50.0,
    broke_share=0.3,
)
MAX_BROKE = 2
NETWORK = replace(EASY_MAIN, block_reward=4, max_transactions_per_block=3)
KEYS = (ALICE, BOB, CAROL, DAVE)

payers = st.integers(0, len(KEYS) - 1)
nonces = st.integers(0, 7)
amounts = st.integers(0, 3)


@cache
def signed(payer: int, payee: int, nonce: int, amount: int) -> Transaction:
    return transfer(KEYS[payer], KEYS[payee].public, nonce, amount)


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.chain: list[Block] = [NETWORK.genesis]
        self.states: list[dict[bytes, Account]] = [
            {ALICE.public: Account(9), BOB.public: Account(2)}
        ]
        self.pool = Pool(LIMITS, Vetting(NETWORK), self.account)
        self.now_s = 0.0
        self.told: dict[bytes, bool] = {}

    def account(self, address: bytes) -> Account:
        return self.states[-1].get(address, EMPTY_ACCOUNT)

    # -- what happens ---------------------------------------------------------------------------

    @rule(payer=payers, payee=payers, nonce=nonces, amount=amounts)
    def submit(self, payer: int, payee: int, nonce: int, amount: int) -> None:
        transaction = signed(payer, payee, nonce, amount)
        expected = self.pool.admit(transaction.raw, now_s=self.now_s, validate_only=True)
        submission = self.pool.admit(transaction.raw, now_s=self.now_s)
        assert submission == expected
        entry = self.pool.get(transaction.id)
        if submission.admission in (Admission.PENDING, Admission.QUEUED):
            assert entry is not None
            assert entry.pending is (submission.admission is Admission.PENDING)
        else:
            assert (entry is not None) is (submission.admission is Admission.KNOWN)

    @rule(coinbase=payers, share=st.integers(0, 3))
    def mine(self, coinbase: int, share: int) -> None:
        self._connect(self.pool.candidates(share), coinbase)
        self.pool.follow((self.chain[-1],), (), self.account, now_s=self.now_s)

    @rule(coinbase=payers, payer=payers, payee=payers, amount=amounts)
    def mine_something_else(self, coinbase: int, payer: int, payee: int, amount: int) -> None:
        nonce = self.account(KEYS[payer].public).nonce
        self._connect((signed(payer, payee, nonce, amount),), coinbase)
        self.pool.follow((self.chain[-1],), (), self.account, now_s=self.now_s)

    @precondition(lambda self: len(self.chain) > 1)
    @rule(depth=st.integers(1, 3), keep=st.integers(0, 3), coinbase=payers)
    def reorganise(self, depth: int, keep: int, coinbase: int) -> None:
        depth = min(depth, len(self.chain) - 1)
        disconnected = tuple(reversed(self.chain[-depth:]))
        del self.chain[-depth:], self.states[-depth:]
        returned = [tx for block in reversed(disconnected) for tx in block.transactions]
        for start in range(depth + 1):
            self._connect(returned[start : start + keep], coinbase)
        self.pool.follow(
            tuple(self.chain[-depth - 1 :]), disconnected, self.account, now_s=self.now_s
        )

    @rule(seconds=st.sampled_from([1.0, 20.0, 50.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.pool.expire(now_s=self.now_s)

    @precondition(lambda self: self.pool.page(1, None, None))
    @rule(choice=st.integers(0, 7))
    def evict(self, choice: int) -> None:
        entries = self.pool.page(100, None, None)
        entry = entries[choice % len(entries)]
        before = {each.transaction.id for each in entries if each.pending}
        eviction = self.pool.evict(entry.transaction.id)
        assert eviction is not None
        assert eviction.transaction == entry.transaction
        assert self.pool.get(entry.transaction.id) is None
        after = {e.transaction.id for e in self.pool.page(100, None, None) if not e.pending}
        assert set(eviction.queued) == before & after

    @rule(owner=payers, balance=st.integers(0, 9))
    def wake_up_on_another_state(self, owner: int, balance: int) -> None:
        """Every state of this history differs, so that a reorganisation does not undo it unseen."""
        address = KEYS[owner].public
        for state in self.states:
            account = state.get(address, EMPTY_ACCOUNT)
            state[address] = replace(account, balance=balance)
        self.pool.recheck()

    def _connect(
        self, transactions: "tuple[Transaction, ...] | list[Transaction]", to: int
    ) -> None:
        parent = self.chain[-1].ref
        block, _ = build_block(NETWORK, parent, self.account, KEYS[to].public, transactions)
        applied = apply_block(NETWORK, parent, self.account, block)
        assert isinstance(applied, Applied)
        self.chain.append(block)
        self.states.append({**self.states[-1], **applied.accounts})

    # -- what always holds ------------------------------------------------------------------------

    def _by_sender(self) -> dict[bytes, list[Entry]]:
        found: dict[bytes, list[Entry]] = {key.public: [] for key in KEYS}
        for entry in self.pool.page(100, None, None):
            found[entry.transaction.sender].append(entry)
        for entries in found.values():
            entries.sort(key=lambda entry: entry.transaction.nonce)
        return found

    @invariant()
    def the_limits_hold(self) -> None:
        info = self.pool.info()
        by_sender = self._by_sender()
        assert info.pending <= LIMITS.max_pending
        assert info.queued <= LIMITS.max_queued
        assert all(len(entries) <= LIMITS.max_per_sender for entries in by_sender.values())
        broke = [entries for key, entries in by_sender.items() if not self.account(key).balance]
        assert sum(map(len, broke)) == self.pool._places.broke <= MAX_BROKE

    @invariant()
    def pending_are_exactly_the_next_covered_nonces(self) -> None:
        room = self.pool.info().pending < LIMITS.max_pending
        for address, entries in self._by_sender().items():
            account = self.account(address)
            unspent, expected = account.balance, 0
            for nonce, entry in enumerate(entries[: LIMITS.max_pending_per_sender], account.nonce):
                unspent -= entry.transaction.amount
                if entry.transaction.nonce != nonce or unspent < 0:
                    break
                expected += 1
            flags = [entry.pending for entry in entries]
            pending = sum(flags)
            assert flags == [True] * pending + [False] * (len(flags) - pending)
            assert pending == expected or (pending < expected and not room)

    @invariant()
    def a_nonce_is_held_once_and_never_a_used_one(self) -> None:
        for address, entries in self._by_sender().items():
            nonces = [entry.transaction.nonce for entry in entries]
            assert len(set(nonces)) == len(nonces)
            assert all(nonce >= self.account(address).nonce for nonce in nonces)

    @invariant()
    def the_candidates_make_a_valid_block_as_they_are(self) -> None:
        limit = NETWORK.max_transactions_per_block
        candidates = self.pool.candidates(limit)
        parent = self.chain[-1].ref
        block, built = build_block(NETWORK, parent, self.account, ALICE.public, candidates)
        assert block.transactions == candidates
        assert built.never_valid == ()
        assert len(candidates) == min(limit, self.pool.info().pending)

    @invariant()
    def the_sums_agree_with_the_entries(self) -> None:
        info, entries = self.pool.info(), self.pool.page(100, None, None)
        assert Counter(entry.pending for entry in entries) == Counter(
            {True: info.pending, False: info.queued}
        )
        assert info.bytes == sum(len(entry.transaction.raw) for entry in entries)
        assert info.senders == len({entry.transaction.sender for entry in entries})
        assert sorted(self.pool.lines()) == sorted(entry.transaction.raw for entry in entries)

    @invariant()
    def the_news_tell_the_whole_story(self) -> None:
        for event in self.pool.take_news():
            match event:
                case TransactionAdded(transaction, pending):
                    assert self.told.get(transaction.id) is not True or pending
                    self.told[transaction.id] = pending
                case TransactionRemoved(tx_id, _):
                    assert tx_id in self.told
                    del self.told[tx_id]
        included = {tx.id for block in self.chain for tx in block.transactions}
        held = {entry.transaction.id for entry in self.pool.page(100, None, None)}
        assert held <= set(self.told)
        assert set(self.told) - held <= included
        for tx_id in set(self.told) - held:
            del self.told[tx_id]

    @invariant()
    def the_file_brings_it_back(self) -> None:
        if self.pool._waiting:
            return  # what waits for a pending place competes for it anew
        copy = Pool(LIMITS, Vetting(NETWORK), self.account)
        for line in self.pool.lines():
            copy.admit(line, now_s=self.now_s)
        assert copy.info() == self.pool.info()
        assert copy.candidates(100) == self.pool.candidates(100)


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_the_pool_keeps_its_promises = PoolMachine.TestCase
