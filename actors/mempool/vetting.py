"""What of a transaction is judged by its bytes alone: policy and signature, many at once on all cores.

Must not live here: accounts, places, and who is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.ledger.known_keys import KnownKeys
from actors.ledger.network import Network
from actors.ledger.signatures import KnownSignatures
from actors.ledger.state import check_policy, check_transaction
from actors.ledger.types import Transaction
from actors.ledger.violation import Violation
from actors.runtime.team import Alone, Team


class Vetting:
    """Judges transactions; remembers good keys for itself, and for the chain what passed.

    Policy goes before the signature, which costs several times as much, and whose forgers pay for it in
    score: breaking policy alone goes unpunished (WIRE: limits, score) and must be cheap to refuse.
    """

    def __init__(
        self, network: Network, team: Team | None = None, known: KnownSignatures | None = None
    ) -> None:
        """Share the work with ``team``; ``known`` is told what passed."""
        self._network = network
        self._keys = KnownKeys(network.scheme)
        self._team: Team = Alone() if team is None else team
        self._known = KnownSignatures() if known is None else known
        self._foreseen: dict[bytes, Violation | None] = {}

    def foresee(self, transactions: Sequence[Transaction]) -> None:
        """Examine those that :meth:`judge` will probably be asked about, their signatures together; what
        was foreseen before is forgotten. Returns when all are verified.
        """
        self._foreseen = {each.id: self._check_policy(each) for each in transactions}
        wanted = [
            each
            for each in transactions
            if self._foreseen[each.id] is None and each.id not in self._known
        ]
        if wanted:
            verdicts = self._team.map(self._verify, wanted)
            self._foreseen.update(zip((each.id for each in wanted), verdicts, strict=True))

    def judge(self, transaction: Transaction, *, verified: bool = False) -> Violation | None:
        """The rule of policy or consensus that it breaks whatever the state, or None; ``verified``: its
        signature is good.
        """
        tx_id = transaction.id
        if tx_id in self._foreseen:
            violation = self._foreseen[tx_id]
        else:
            violation = self._check_policy(transaction)
            if violation is None and not verified and tx_id not in self._known:
                violation = self._verify(transaction)
        if violation is None:
            self._known.add(tx_id)
        return violation

    def _check_policy(self, transaction: Transaction) -> Violation | None:
        return check_policy(self._network, transaction, keys=self._keys)

    def _verify(self, transaction: Transaction) -> Violation | None:
        return check_transaction(self._network, transaction, keys=self._keys)
