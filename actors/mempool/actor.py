"""The mempool's shell: what users, peers and the chain tell it goes into the pool, and the news out.

Must not live here: admission rules (``pool``), the wire, or who is relayed to (``gossip``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Protocol, assert_never

from actors.chain.messages import TipChanged
from actors.config import MempoolSettings
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.network import Network
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Account, AccountLookup
from actors.ledger.violation import Rule
from actors.mempool.messages import (
    Admission,
    Candidates,
    Eviction,
    EvictTransaction,
    GetCandidates,
    GetFunds,
    GetPool,
    GetPooled,
    ListPooled,
    MempoolCommand,
    PoolChanged,
    PooledTransaction,
    Submission,
    SubmitTransaction,
    TransactionAdded,
)
from actors.mempool.pool import Pool
from actors.mempool.sender import Entry
from actors.mempool.vetting import Vetting
from actors.messaging.messages import (
    ANSWER_BUDGET_BYTES,
    Done,
    Inbound,
    MessageType,
    Received,
    Respond,
    Response,
    SendRequest,
)
from actors.peers.messages import (
    Brought,
    ConnectionMisbehaved,
    LinksReset,
    PeerEvent,
    PeerLinked,
    PeerUnlinked,
    Resync,
)
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock, Timer
from actors.runtime.events import Happened
from actors.runtime.journal import Journal
from actors.runtime.team import Team
from actors.tcp.messages import ConnId

log = logging.getLogger(__name__)

TX_KIND = "bc:new_tx"
"""WIRE: gossip."""
GET_KIND = "mempool:get"
"""WIRE: extensions."""
GET_TIMEOUT_S = 3.0
"""WIRE: extensions; an old node never answers."""
MAX_GET_TRANSACTIONS = 500
"""WIRE: extensions; what we send, and as much as we read of what another sends."""
SWEEP_EVERY_S = 60.0
"""How often the pool is expired and saved: a crash forgets at most so much."""

BAD_SIGNATURE_POINTS = 20
"""WIRE: limits; the field, too, verifies a signature before it passes a transaction on."""
UNHEARD_OF_POINTS = 20
"""WIRE: limits: for one of our kind alone, which looks before it passes anything on."""
MAX_FORGED = 5
"""Bad signatures at once, which are worth a ban: what came with them is not looked at."""
JUDGED_TOGETHER = 64
"""What a forger costs us before he is found out: some milliseconds. Much less would leave cores idle."""

_NEVER_HELD = frozenset({Rule.MALFORMED, Rule.PUBLIC_KEY, Rule.POLICY})
_FINAL_RULES = _NEVER_HELD | {Rule.SIGNATURE, Rule.NONCE_USED}
"""Verdicts that the same bytes will get again (WIRE: limits, seen ids)."""


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Expire, save, and come again. Tell."""


MempoolInput = (
    MempoolCommand | TipChanged | GossipReceived | Received | Response | PeerEvent | _Sweep
)


class AccountsAt(Protocol):
    """The capability to read an account as of a block of the best chain."""

    def __call__(self, address: bytes, height: int) -> Account:
        """The account as of the canonical block ``height``."""


class MempoolActor(NodeActor):
    """Admits, forgets, expires and keeps transactions; relays each that becomes pending."""

    def __init__(
        self,
        *,
        network: Network,
        settings: MempoolSettings,
        accounts: AccountLookup,
        accounts_at: AccountsAt,
        team: Team,
        known: KnownSignatures,
        journal: Journal,
        clock: Clock,
        me: Address[MempoolInput],
        peers: Address[Resync | ConnectionMisbehaved | Brought],
        messaging: Address[SendRequest | Respond | Done],
        gossip: Address[Publish | Verdicts],
        miner: Address[PoolChanged],
        events: Address[Happened],
    ) -> None:
        super().__init__()
        self._pool = Pool(settings, Vetting(network, team, known), accounts)
        self._accounts_at = accounts_at
        self._journal, self._clock, self._me = journal, clock, me
        self._peers, self._messaging, self._gossip = peers, messaging, gossip
        self._miner, self._events = miner, events
        self._sweep_timer: Timer | None = None
        self._told_revision = self._saved_changes = 0

    def on_start(self) -> None:
        self._load()
        self._miner.tell(PoolChanged(self._pool.revision))
        self._peers.tell(Resync(self._me))
        self._sweep_timer = self._clock.tell_after(SWEEP_EVERY_S, self._me, _Sweep())

    def on_stop(self) -> None:
        self._cancel_sweep()
        self._save()

    def on_crash(self) -> None:
        self._cancel_sweep()  # unsaved: whatever felled us must not come back with the journal

    def on_receive(self, message: MempoolInput) -> object:  # noqa: C901, PLR0912 - a case a message
        match message:
            case SubmitTransaction():
                return self._submit(message)
            case EvictTransaction(tx_id):
                return self._evict(tx_id)
            case GetPool():
                return self._pool.info()
            case ListPooled(limit, after, sender):
                return tuple(map(self._view, self._pool.page(limit, after, sender)))
            case GetPooled(tx_id):
                entry = self._pool.get(tx_id)
                return None if entry is None else self._view(entry)
            case GetFunds(sender):
                return self._pool.funds(sender)
            case GetCandidates(limit, reply_to, token):
                transactions = self._pool.candidates(limit)
                reply_to.tell(Candidates(self._pool.revision, transactions, token))
            case TipChanged():
                self._follow(message)
            case GossipReceived(items):
                self._judge(items)
            case Received(messages):
                self._answer(messages)
            case Response():
                self._take_in(message)
            case PeerLinked():
                self._greet(message)
            case PeerUnlinked() | LinksReset():
                pass  # nothing is kept about links
            case _Sweep():
                self._sweep()
            case _:
                assert_never(message)
        return None

    # -- transactions in ------------------------------------------------------------------------

    def _admit_all(self, raws: Sequence[bytes]) -> list[Submission]:
        return self._pool.admit_all(raws, now_s=self._clock.now_s())

    def _submit(self, command: SubmitTransaction) -> Submission:
        submission = self._pool.admit(
            command.raw, now_s=self._clock.now_s(), validate_only=command.validate_only
        )
        self._tell_news()
        return submission

    def _evict(self, tx_id: bytes) -> Eviction | None:
        eviction = self._pool.evict(tx_id)
        if eviction is not None:
            log.info("transaction %s is evicted", tx_id.hex()[:8])
            self._tell_news()
        return eviction

    def _judge(self, items: Sequence[GossipItem]) -> None:
        """Decide on gossiped transactions, all of one connection; the verdicts relay what becomes pending. They
        go first: what a forger repeated is news again before he is gone.
        """
        first = items[0]
        submissions = self._admit_until_forged([item.payload for item in items])
        judged = [_decision(each) for each in submissions]
        left = repeat(Decision.UNHEARD, len(items) - len(judged))  # news of whoever says it next
        tickets = [item.ticket for item in items]
        self._gossip.tell(Verdicts(tuple(zip(tickets, chain(judged, left), strict=True))))
        pending = {
            each.tx_id
            for each in submissions
            if each.admission is Admission.PENDING and each.tx_id is not None
        }
        self._tell_news(pending)
        self._blame(first.conn, submissions)
        if any(map(self._is_paid_for, pending)):
            self._peers.tell(Brought((first.peer,), is_block=False))

    def _is_paid_for(self, tx_id: bytes) -> bool:
        """Anybody can make transfers of nothing without end (LEDGER: mempool policy)."""
        entry = self._pool.get(tx_id)
        return entry is not None and entry.transaction.amount > 0

    def _take_in(self, answer: Response) -> None:
        """Admit what a peer holds; None or nonsense is an old node's or a liar's, and costs little."""
        if answer.payload:
            lines = answer.payload.split(b"\n", MAX_GET_TRANSACTIONS)[:MAX_GET_TRANSACTIONS]
            submissions = self._admit_until_forged(lines)
            self._tell_news()
            self._blame(answer.conn, submissions)

    def _admit_until_forged(self, raws: Sequence[bytes]) -> list[Submission]:
        """Admit what came on a connection, part by part, and no more of who turns out to be a forger."""
        submissions: list[Submission] = []
        forged = 0
        for start in range(0, len(raws), JUDGED_TOGETHER):
            part = self._admit_all(raws[start : start + JUDGED_TOGETHER])
            submissions += part
            forged += sum(map(_is_forged, part))
            if forged >= MAX_FORGED:
                break
        return submissions

    def _blame(self, conn: ConnId, submissions: Sequence[Submission]) -> None:
        if forged := sum(map(_is_forged, submissions)):
            points = forged * BAD_SIGNATURE_POINTS
            self._peers.tell(ConnectionMisbehaved(conn, points, "a bad signature"))
        if unheard_of := sum(map(_is_unheard_of, submissions)):
            points = unheard_of * UNHEARD_OF_POINTS
            reason = "a transaction that none of ours passes on"
            self._peers.tell(ConnectionMisbehaved(conn, points, reason, ours_only=True))

    def _follow(self, change: TipChanged) -> None:
        if change.connected or change.disconnected:
            now_s = self._clock.now_s()
            accounts = partial(self._accounts_at, height=change.tip.number)
            self._pool.follow(change.connected, change.disconnected, accounts, now_s=now_s)
        else:
            self._pool.recheck()
        self._tell_news()

    # -- peers ----------------------------------------------------------------------------------

    def _greet(self, link: PeerLinked) -> None:
        """Ask a new peer what it holds; an old one never answers, and nothing waits for it."""
        if link.first:
            request = SendRequest(link.conn, GET_KIND, b"", link.conn, self._me, GET_TIMEOUT_S)
            self._messaging.tell(request)

    def _answer(self, messages: tuple[Inbound, ...]) -> None:
        """Answer requests for our pending transactions, within the budget for a batch of one
        connection; anything else only returns its credit.
        """
        ignored, useless, budget_bytes, answer = 0, 0, ANSWER_BUDGET_BYTES, None
        for message in messages:
            wanted = message.type is MessageType.REQUEST and message.kind == GET_KIND
            if wanted and budget_bytes > 0:
                if answer is None:
                    lines = (each.raw for each in self._pool.candidates(MAX_GET_TRANSACTIONS))
                    answer = b"\n".join(lines)
                budget_bytes -= len(answer)
                self._messaging.tell(Respond(message.conn, message.message_id, answer))
            else:
                ignored += 1
                useless += not wanted
        if ignored:
            self._messaging.tell(Done(messages[0].conn, ignored, useless))

    # -- news out -------------------------------------------------------------------------------

    def _tell_news(self, relayed: AbstractSet[bytes] = frozenset()) -> None:
        """Tell what changed; what became pending goes to the peers, unless a verdict relays it."""
        for event in self._pool.take_news():
            self._events.tell(Happened(event))
            if (
                isinstance(event, TransactionAdded)
                and event.pending
                and event.transaction.id not in relayed
            ):
                self._gossip.tell(Publish(TX_KIND, event.transaction.raw))
        if self._pool.revision != self._told_revision:
            self._told_revision = self._pool.revision
            self._miner.tell(PoolChanged(self._told_revision))

    def _view(self, entry: Entry) -> PooledTransaction:
        age_s = self._clock.now_s() - entry.added_s
        return PooledTransaction(entry.transaction, entry.pending, self._clock.wall_s() - age_s)

    # -- time and the journal ---------------------------------------------------------------------

    def _sweep(self) -> None:
        self._pool.expire(now_s=self._clock.now_s())
        self._tell_news()
        self._save()
        self._cancel_sweep()  # this one may be a former incarnation's, and there is one of ours
        self._sweep_timer = self._clock.tell_after(SWEEP_EVERY_S, self._me, _Sweep())

    def _cancel_sweep(self) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()

    def _load(self) -> None:
        """Admit what was saved, silently: it is no news, and nobody is linked yet."""
        lines = self._journal.load()
        kept = (Admission.PENDING, Admission.QUEUED)
        submissions = self._admit_all(lines)
        self._journal.refused(sum(each.tx_id is None for each in submissions))
        admitted = sum(each.admission in kept for each in submissions)
        self._pool.take_news()
        self._told_revision, self._saved_changes = self._pool.revision, self._pool.changes
        if lines:
            skipped = len(lines) - admitted
            log.info("%d saved transactions are back, %d were skipped", admitted, skipped)

    def _save(self) -> None:
        """Save the pool if it changed. A full disk costs what a crash would lose, not the pool."""
        if self._pool.changes == self._saved_changes:
            return
        try:
            self._journal.save(self._pool.lines())
        except OSError as error:
            log.error("the mempool could not be saved: %s", error)  # noqa: TRY400 - no bug of ours
        else:
            self._saved_changes = self._pool.changes


def _is_forged(submission: Submission) -> bool:
    return submission.violation is not None and submission.violation.rule is Rule.SIGNATURE


def _is_unheard_of(submission: Submission) -> bool:
    """Whether no node of ours has ever held it, whatever its chain."""
    return submission.violation is not None and submission.violation.rule in _NEVER_HELD


def _decision(submission: Submission) -> Decision:
    if submission.admission is Admission.PENDING:
        return Decision.RELAY
    if submission.violation is not None and submission.violation.rule in _FINAL_RULES:
        return Decision.FINAL
    return Decision.DROP
