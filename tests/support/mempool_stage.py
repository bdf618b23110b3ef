"""The mempool actor on the pump, with a probe for everybody whom it tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.chain.messages import TipChanged
from actors.config import MempoolSettings
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Account, Transaction
from actors.mempool.actor import TX_KIND, MempoolActor
from actors.mempool.messages import Submission, SubmitTransaction
from actors.peers.messages import PeerId
from actors.runtime.clock import FakeClock
from actors.runtime.events import Happened
from actors.runtime.pump import Pump
from actors.runtime.team import Alone, Team
from actors.simulation.memory import MemoryJournal
from actors.tcp.messages import ConnId
from tests.support.ledger import EASY_MAIN, child, lookup
from tests.support.mempool import ALICE, BOB, PAYEE
from tests.support.probe import Probe, stage

PEER, CONN = PeerId("10.0.0.1:9000"), ConnId(4)


class MempoolStage:
    """A mempool alone on the stage, with probes for everybody whom it tells."""

    def __init__(
        self,
        journal: MemoryJournal | None = None,
        settings: MempoolSettings | None = None,
        team: Team | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.team = Alone() if team is None else team
        self.known = KnownSignatures()
        self.pump = Pump(7, self.clock)
        self.accounts = {ALICE.public: Account(100), BOB.public: Account(100)}
        self.past: dict[tuple[bytes, int], Account] = {}
        self.journal = journal or MemoryJournal()
        self.peers, self.messaging, self.gossip, self.miner, self.events = (
            Probe(self.pump, name) for name in ("peers", "messaging", "gossip", "miner", "events")
        )
        self.mempool = stage(
            self.pump,
            "mempool",
            lambda me: self._build(me, settings or MempoolSettings()),
        )
        self.settle()

    def _build(self, me: Any, settings: MempoolSettings) -> MempoolActor:
        self.actor = MempoolActor(
            network=EASY_MAIN,
            settings=settings,
            accounts=lookup(self.accounts),
            accounts_at=self._accounts_at,
            team=self.team,
            known=self.known,
            journal=self.journal,
            clock=self.clock,
            me=me,
            peers=self.peers.address,
            messaging=self.messaging.address,
            gossip=self.gossip.address,
            miner=self.miner.address,
            events=self.events.address,
        )
        return self.actor

    def _accounts_at(self, address: bytes, height: int) -> Account:
        return self.past.get((address, height), lookup(self.accounts)(address))

    def settle(self) -> None:
        self.pump.run_until_idle()

    def tell(self, message: object) -> None:
        self.mempool.tell(message)
        self.settle()

    def ask(self, question: Any) -> Any:
        return self.pump.ask(self.mempool, question)

    def submit(self, transaction: Transaction, *, validate_only: bool = False) -> Submission:
        submission = self.ask(SubmitTransaction(transaction.raw, validate_only))
        assert isinstance(submission, Submission)
        return submission

    def gossiped(self, *payloads: bytes) -> tuple[Decision, ...]:
        """The verdicts on payloads that arrive together."""
        items = (
            GossipItem(ticket, TX_KIND, payload, PEER, CONN)
            for ticket, payload in enumerate(payloads)
        )
        self.tell(GossipReceived(tuple(items)))
        (verdicts,) = self.gossip.of(Verdicts)
        self.gossip.messages.remove(verdicts)
        assert [ticket for ticket, _ in verdicts.decisions] == list(range(len(payloads)))
        return tuple(decision for _, decision in verdicts.decisions)

    def tip(self, *included: Transaction, disconnected: Iterable[Transaction] = ()) -> None:
        """A block with these transactions becomes the tip; the accounts are set by hand."""
        block = child(EASY_MAIN.genesis.ref, PAYEE, included)
        lost = tuple(disconnected)
        old = (child(EASY_MAIN.genesis.ref, PAYEE, lost),) if lost else ()
        self.tell(TipChanged(block.ref, (block,), old))

    def forget(self) -> None:
        """Empty every probe."""
        for probe in (self.peers, self.messaging, self.gossip, self.miner, self.events):
            probe.take()

    def told_events(self) -> list[object]:
        return [each.body for each in self.events.take() if isinstance(each, Happened)]

    def end(self) -> None:
        self.actor.halt()
        self.settle()


def published(*transactions: Transaction) -> list[Publish]:
    return [Publish(TX_KIND, each.raw) for each in transactions]
