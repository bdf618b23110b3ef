"""The miner's shell: keeps an engine busy with a template on the newest tip, and hands in what it finds.

Must not live here: hashing (the engine's), what goes into a block (``template``), or whether a block
is accepted (``chain``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from actors.chain.messages import BlockMined, BlockOutcome, MinedVerdict, StoreFault, TipChanged
from actors.config import MAX_THREADS
from actors.ledger.network import Network
from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.ledger.work import has_work
from actors.mempool.messages import Candidates, GetCandidates, PoolChanged
from actors.miner.engine import (
    ScanEngine,
    ScanExhausted,
    ScanFound,
    ScanLost,
    ScanProgress,
    ScanResult,
)
from actors.miner.jobs import Jobs
from actors.miner.messages import (
    AbandonGenerate,
    GenerateBlock,
    GetMiner,
    GetTemplate,
    MinerChanged,
    MinerCommand,
    MinerInfo,
    MinerRefusal,
    StartMining,
    StopMining,
    UpdateMiner,
)
from actors.miner.orders import MiningOrders
from actors.miner.rate import HashRate
from actors.miner.template import draft_block, judge_coinbase, seal, shown_template
from actors.miner.waiting import Generate, HandedIn, Passed, Queue, Sought
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock, Timer
from actors.runtime.events import Happened

log = logging.getLogger(__name__)

REFRESH_EVERY_S = 1.0
"""A change of the pool replaces the template at most so often; a change of the tip always does."""


@dataclass(frozen=True, slots=True)
class _Refresh:
    """Look for better candidates now. Tell."""


_News = TipChanged | StoreFault | PoolChanged | Candidates | MinedVerdict
MinerInput = MinerCommand | _News | ScanResult | _Refresh


class MinerActor(NodeActor):
    """Mines while told to, and single blocks for those who ask where the network allows it."""

    def __init__(
        self,
        *,
        network: Network,
        orders: MiningOrders,
        engine: ScanEngine,
        accounts_at: Callable[[bytes, int], Account],
        tip: Callable[[], BlockRef],
        clock: Clock,
        me: Address[MinerInput],
        chain: Address[BlockMined],
        mempool: Address[GetCandidates],
        events: Address[Happened],
    ) -> None:
        super().__init__()
        self._network, self._orders, self._engine = network, orders, engine
        self._accounts_at, self._read_tip, self._clock, self._me = accounts_at, tip, clock, me
        self._chain, self._mempool, self._events = chain, mempool, events
        self._tip: BlockRef
        self._mining = self._paused = False
        """Paused: blocks cannot be stored, so to scan for them is in vain."""
        self._threads, self._coinbase = orders.settings.threads, orders.settings.coinbase
        self._generates, self._passed = Queue(), Passed()
        self._handed_in: HandedIn | None = None
        self._candidates: tuple[Transaction, ...] = ()  # the last that the mempool gave
        self._jobs = Jobs(engine, orders)
        self._asked_s = 0.0
        self._refresh_timer: Timer | None = None
        self._rate = HashRate()
        self._hashes = self._found = self._stale = 0

    def on_start(self) -> None:
        self._tip = self._read_tip()
        self._engine.set_threads(self._threads)  # the orders of the incarnation before
        if self._orders.settings.mine:
            refusal = self._start(StartMining())
            if refusal is not None:
                log.error("not mining: %s", refusal.value)

    def on_stop(self) -> None:
        self._let_go()

    def on_crash(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._refresh_timer is not None:
            self._refresh_timer.cancel()
        if self._handed_in is not None and self._handed_in.generate is not None:
            self._generates.put_first(self._handed_in.generate)
        self._generates.clear()
        self._engine.stop()

    def on_receive(self, message: MinerInput) -> object:  # noqa: C901, PLR0912 - a case a message
        match message:
            case StartMining():
                return self._start(message)
            case UpdateMiner(threads, coinbase):
                return self._update(threads, coinbase)
            case StopMining():
                self._stop_mining()
            case GetMiner():
                return self._info()
            case GenerateBlock(coinbase, token):
                return self._generate(coinbase, token)
            case AbandonGenerate(token):
                self._abandon_generate(token)
            case TipChanged(tip):
                self._on_tip(tip)
            case StoreFault(reason):
                self._pause(paused=reason is not None)
            case PoolChanged():
                self._on_pool_changed()
            case GetTemplate(coinbase):
                return self._seek_template(coinbase)
            case Candidates():
                self._on_candidates(message)
            case MinedVerdict():
                self._settle(message)
            case ScanProgress(_, hashes):
                self._count(hashes)
            case ScanFound():
                self._on_found(message)
            case ScanExhausted():
                log.warning("all nonces were tried: waiting for a change of the template")
            case ScanLost(job_id):
                if job_id == self._orders.last_job_id:  # else a start has brought it back
                    self._restart_engine()
            case _Refresh():
                self._refresh_timer = None
                self._ask_candidates()
            case _:
                assert_never(message)
        return None

    # -- commands -------------------------------------------------------------------------------

    def _start(self, command: StartMining) -> MinerRefusal | None:
        coinbase = self._coinbase if command.coinbase is None else command.coinbase
        refusal = self._update(command.threads, coinbase)
        if refusal is not None:
            return refusal
        self._orders.settings = replace(self._orders.settings, mine=True)
        if not self._mining:
            log.info("mining with %s, threads: %d", self._engine.name, self._threads)
            self._mining = True
            self._rate.restart(self._clock.now_s())
            self._events.tell(Happened(MinerChanged(mining=True)))
            self._ask_candidates()
        return None

    def _update(self, threads: int | None, coinbase: bytes | None) -> MinerRefusal | None:
        """Take over both or none. Other threads go on with the job; only another coinbase replaces it."""
        if threads is not None and not 1 <= threads <= MAX_THREADS:
            return MinerRefusal.BAD_THREADS
        refusal = None if coinbase is None else judge_coinbase(self._network, coinbase)
        if refusal is not None:
            return refusal
        if threads is not None and threads != self._threads:
            try:
                self._engine.set_threads(threads)
            except OSError as error:
                log.error("no other number of threads, %d: %s", threads, error)  # noqa: TRY400 - no bug
                return MinerRefusal.BAD_THREADS
            log.info("threads that scan: %d, before: %d", threads, self._threads)
            self._threads = threads
        former, self._coinbase = self._coinbase, coinbase or self._coinbase
        self._orders.settings = replace(
            self._orders.settings, threads=self._threads, coinbase=self._coinbase
        )
        if self._coinbase != former:
            payee = self._payee()  # a late nonce must pay nobody whom it is not to pay any more
            self._jobs.forget_other_payees(payee)
            if self._mining:
                self._go_on()
        return None

    def _stop_mining(self) -> None:
        self._jobs.drop()
        self._generates.clear()
        self._rate.restart(self._clock.now_s())
        self._orders.settings = replace(self._orders.settings, mine=False)
        if self._mining:
            log.info("mining stopped")
            self._mining = False
            self._events.tell(Happened(MinerChanged(mining=False)))

    def _generate(self, wanted: bytes | None, token: object) -> MinerRefusal | None:
        """Queue up for a block of one's own; the answer comes with the chain's verdict."""
        coinbase = self._coinbase if wanted is None else wanted
        if not self._network.allow_generate:
            return MinerRefusal.GENERATE_NOT_ALLOWED
        refusal = judge_coinbase(self._network, coinbase)
        if refusal is not None:
            return refusal
        if self._paused:
            return MinerRefusal.UNSTORED
        if self._generates.full:
            return MinerRefusal.BUSY
        self._generates.join(Generate(coinbase, token, self.defer()))
        if len(self._generates) == 1:
            self._ask_candidates()
        return None

    def _abandon_generate(self, token: object) -> None:
        """Forget who left; if the scan was for one of them, go on with what is wanted now."""
        if self._generates.leave(token):
            self._jobs.drop()
            self._ask_candidates()

    def _seek_template(self, wanted: bytes | None) -> MinerRefusal | None:
        """Answer with what the mempool has now: what it had when a scan began may be long ago."""
        coinbase = self._coinbase if wanted is None else wanted
        refusal = judge_coinbase(self._network, coinbase)
        if refusal is None:
            limit = self._network.max_transactions_per_block
            sought = Sought(coinbase, self.defer())
            self._mempool.tell(GetCandidates(limit, self._me, sought))
        return refusal

    def _info(self) -> MinerInfo:
        scanned = self._jobs.scanned
        return MinerInfo(
            mining=self._mining,
            threads=self._threads,
            coinbase=self._coinbase,
            hash_rate=self._rate.per_second(self._clock.now_s()) if self._mining else 0.0,
            hashes=self._hashes,
            blocks_found=self._found,
            blocks_stale=self._stale,
            template_height=None if scanned is None else scanned.number,
            engine=self._engine.name,
            native=self._engine.native,
            engine_note=self._engine.note,
        )

    # -- templates ------------------------------------------------------------------------------

    def _on_tip(self, tip: BlockRef) -> None:
        """Abandon at once what is no longer on the tip."""
        self._tip, scanned = tip, self._jobs.scanned
        if scanned is None or scanned.parent_hash != tip.hash:
            self._jobs.abandon()
            self._go_on()

    def _pause(self, *, paused: bool) -> None:
        """Rest while blocks cannot be stored; whoever waits for one is told so."""
        self._paused = paused
        if not paused:
            self._go_on()
            return
        self._jobs.drop()
        self._generates.clear(MinerRefusal.UNSTORED)
        self._rate.restart(self._clock.now_s())

    def _go_on(self) -> None:
        """A new tip does not wait for the mempool; a block asked for does, to hold what is pooled."""
        if not self._generates:
            self._scan()
        self._ask_candidates()

    def _on_pool_changed(self) -> None:
        waited_s = self._clock.now_s() - self._asked_s
        if waited_s >= REFRESH_EVERY_S:
            self._ask_candidates()
        else:
            self._refresh_after(REFRESH_EVERY_S - waited_s)

    def _refresh_after(self, delay_s: float) -> None:
        if self._refresh_timer is None:
            self._refresh_timer = self._clock.tell_after(delay_s, self._me, _Refresh())

    def _ask_candidates(self) -> None:
        """Begin the next job with a look into the mempool, unless there is nothing to mine now."""
        if self._is_wanted():
            self._asked_s = self._clock.now_s()
            self._mempool.tell(GetCandidates(self._network.max_transactions_per_block, self._me))

    def _on_candidates(self, candidates: Candidates) -> None:
        """Scan with them, or answer whoever sought a template: his look is no reason to begin anew."""
        sought = candidates.token
        if not isinstance(sought, Sought):
            self._candidates = candidates.transactions
            self._scan()
        elif not sought.answer.done():  # else a mempool that fell behind its answer gives it again
            block = self._draft(sought.coinbase, candidates.transactions)
            sought.answer.set_result(shown_template(block, self._tip, self._network.difficulty))

    def _draft(self, coinbase: bytes, candidates: tuple[Transaction, ...]) -> Block:
        return draft_block(self._network, self._tip, self._accounts_at, coinbase, candidates)

    def _is_wanted(self) -> bool:
        is_asked = self._mining or bool(self._generates)
        return is_asked and self._handed_in is None and not self._paused

    def _payee(self) -> bytes:
        first = self._generates.first
        return self._coinbase if first is None else first.coinbase

    def _scan(self) -> None:
        """Let the engine work on the block that the candidates give, if that is another one."""
        if not self._is_wanted():
            return  # stopped or solved in the meantime
        block = self._draft(self._payee(), self._candidates)
        if block == self._jobs.scanned:
            return
        try:
            self._jobs.begin(block, self._network.difficulty, self._passed.next_nonce(block))
        except OSError as error:  # no more processes or files: trying on would not make it better
            log.error("the %s engine cannot start, mining stops: %s", self._engine.name, error)  # noqa: TRY400
            self._engine.stop()
            self._stop_mining()

    # -- results --------------------------------------------------------------------------------

    def _count(self, hashes: int) -> None:
        self._hashes += hashes
        self._rate.add(hashes, self._clock.now_s())

    def _on_found(self, result: ScanFound) -> None:
        """Hand in a solved block; what solves no live job is late, and the block already there."""
        self._count(result.hashes)
        draft = self._jobs.draft(result.job_id)
        if draft is None:
            return
        block = seal(draft, result.nonce)
        if not has_work(block.hash, self._network.difficulty):
            log.error("%s found nonce %d, which solves nothing", self._engine.name, result.nonce)
            self._restart_engine()
        elif block.parent_hash != self._tip.hash:
            self._stale += 1
            self._jobs.forget(result.job_id)
        else:
            self._hand_in(block)

    def _hand_in(self, block: Block) -> None:
        """Give a block to the chain; the next job begins with its verdict."""
        self._jobs.drop()
        self._handed_in = HandedIn(block, self._generates.take_first(block.coinbase))
        self._chain.tell(BlockMined(block, self._me))

    def _settle(self, message: MinedVerdict) -> None:
        """Count the block, answer who waited for it, and go on."""
        verdict, handed_in = message.verdict, self._handed_in
        if handed_in is None or verdict.hash != handed_in.block.hash:
            return  # a former incarnation's
        self._handed_in = None
        connected = verdict.outcome is BlockOutcome.CONNECTED
        self._found += connected
        self._stale += not connected and verdict.outcome is not BlockOutcome.UNSTORED
        ref = handed_in.block.ref
        log.info("found block %d %s: %s", ref.number, ref.hash.hex()[:8], verdict.outcome.value)
        if verdict.outcome is BlockOutcome.INVALIDATED:
            self._passed.note(handed_in.block)
        self._generates.judged(handed_in, verdict.outcome)
        if verdict.outcome is BlockOutcome.INVALID:
            log.error("our own block is invalid: %s", verdict.violation)
            self._refresh_after(REFRESH_EVERY_S)  # no faster: the next one may be no better
        elif verdict.outcome is BlockOutcome.UNSTORED:
            self._pause(paused=True)
        else:
            self._go_on()

    def _restart_engine(self) -> None:
        """Begin anew, after a pause, with an engine that failed."""
        log.error("the scan failed: it starts again with %s", self._engine.name)
        self._jobs.scanned = None
        self._engine.stop()
        self._refresh_after(REFRESH_EVERY_S)
