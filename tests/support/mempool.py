"""A pool on a state that tests set by hand, with short ways to say what happens."""

from __future__ import annotations

from collections.abc import Iterable

from actors.config import MempoolSettings
from actors.ledger.keys import ED25519, PrivateKey
from actors.ledger.types import Account, Block, Transaction
from actors.mempool.messages import Admission, RemovalReason, TransactionAdded, TransactionRemoved
from actors.mempool.pool import Pool
from actors.mempool.vetting import Vetting
from tests.support.ledger import EASY_MAIN, child, key, lookup, transfer

ALICE, BOB, CAROL, DAVE = (key(ED25519, name) for name in ("alice", "bob", "carol", "dave"))
PAYEE = key(ED25519, "payee").public


class Scene:
    """Accounts, and the pool above them; time is 0 until told otherwise."""

    def __init__(self, settings: MempoolSettings | None = None, **balances: int) -> None:
        self.accounts: dict[bytes, Account] = {}
        for name, balance in balances.items():
            self.accounts[key(ED25519, name).public] = Account(balance)
        self.pool = Pool(settings or MempoolSettings(), Vetting(EASY_MAIN), lookup(self.accounts))

    def submit(
        self, payer: PrivateKey, nonce: int, amount: int = 1, *, now_s: float = 0.0
    ) -> Admission:
        raw = transfer(payer, PAYEE, nonce, amount).raw
        return self.pool.admit(raw, now_s=now_s).admission

    def block(self, transactions: Iterable[Transaction] = ()) -> Block:
        return child(EASY_MAIN.genesis.ref, PAYEE, transactions)

    def pending(self, payer: PrivateKey) -> list[int]:
        return self._nonces(payer, pending=True)

    def queued(self, payer: PrivateKey) -> list[int]:
        return self._nonces(payer, pending=False)

    def _nonces(self, payer: PrivateKey, *, pending: bool) -> list[int]:
        entries = self.pool.page(10_000, None, payer.public)
        return sorted(each.transaction.nonce for each in entries if each.pending is pending)

    def news(self) -> list[tuple[str, int | RemovalReason]]:
        """The news in short: what became pending or queued, by nonce, and why others went."""
        short: list[tuple[str, int | RemovalReason]] = []
        for event in self.pool.take_news():
            match event:
                case TransactionAdded(transaction, pending):
                    short.append(("pending" if pending else "queued", transaction.nonce))
                case TransactionRemoved(_, reason):
                    short.append(("removed", reason))
        return short
