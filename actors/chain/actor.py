"""The chain room's actor: blocks in by whatever way, the canonical chain and its changes out.

Lives here: which handler gets which message, and what is told to whom after a commit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from actors.chain.answering import Answering
from actors.chain.download import Downloads
from actors.chain.greeting import Greeting
from actors.chain.importer import Importer, decode_run
from actors.chain.intake import STORED, Intake
from actors.chain.line import Batch, Line
from actors.chain.messages import (
    BlockMined,
    BlockOutcome,
    BlockVerdict,
    ChainCommand,
    ChainInfo,
    GetChain,
    ImportRun,
    InvalidateBlock,
    MinedVerdict,
    ReconsiderBlock,
    SteerOutcome,
    SteerVerdict,
    StoreFault,
    SubmitBlock,
    SyncState,
    TipChanged,
)
from actors.chain.orphans import Orphan
from actors.chain.outage import Outage
from actors.chain.progress import Progress
from actors.chain.room import Late, Neighbours, Room, Verified, tokens
from actors.chain.side import SideBranches
from actors.chain.signatures import Signatures
from actors.chain.steering import Steering
from actors.chain.store import Store
from actors.chain.sync import MAX_PENDING_BLOCKS, gossip_points
from actors.chain.table import PeerTable
from actors.chain.walkback import WalkBack
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.ledger.violation import Violation
from actors.messaging.messages import Received, Response
from actors.peers.messages import (
    Brought,
    ConnectionMisbehaved,
    LinksReset,
    PeerEvent,
    PeerId,
    PeerKind,
    PeerLinked,
    PeerUnlinked,
    Resync,
)
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.search.messages import SearchEnded

log = logging.getLogger(__name__)

BLOCK_KIND = "bc:new_block"

_DECISIONS = {
    BlockOutcome.CONNECTED: Decision.RELAY,
    BlockOutcome.INVALID: Decision.FINAL,
    BlockOutcome.KNOWN: Decision.FINAL,
    BlockOutcome.SIDE_BRANCH: Decision.DROP,
    BlockOutcome.INVALIDATED: Decision.DROP,
    BlockOutcome.ORPHAN: Decision.DROP,
    BlockOutcome.UNSTORED: Decision.DROP,
}


@dataclass(frozen=True, slots=True)
class _Continue:
    """A batch of the line can be imported, or held blocks stand on connected ones. Tell."""


@dataclass(frozen=True, slots=True)
class _AskAgain:
    """A peer that failed us may be asked for its status again. Tell."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class _TryStore:
    """The store may take something again. Tell."""


_Heard = GossipReceived | SearchEnded | PeerEvent | Received | Response
ChainInput = ChainCommand | _Heard | Verified | Late | _Continue | _AskAgain | _TryStore


class ChainActor(NodeActor):
    """Keeps the longest valid chain and obtains what is missing of it."""

    def __init__(
        self,
        *,
        store: Store,
        network: Network,
        agent: str,
        clock: Clock,
        me: Address[ChainInput],
        neighbours: Neighbours,
        signatures: Signatures | None = None,
        max_pending: int = MAX_PENDING_BLOCKS,
    ) -> None:
        """Build it on an open store, which holds all state; whoever opened the store closes it.

        Args:
            store: Nobody else writes to it.
            network: The store's.
            agent: What we say that we run, ``troupe/0.1.0``.
            clock: For the one timer, and to number questions.
            me: The actor's own address.
            neighbours: Whom it tells.
            signatures: Verifies those of blocks; None: on the actor's own thread.
            max_pending: How many blocks of walks back may wait on disk.
        """
        super().__init__()
        self._store, self._network, self._clock = store, network, clock
        self._me, self._to = me, neighbours
        signatures = signatures or Signatures(network)
        importer = Importer(store, network, signatures)
        self._table = PeerTable()
        room = Room(store, network, self._table, neighbours, me, tokens(clock), clock)
        self._greeting = Greeting(room, agent)
        self._answering = Answering(room, self._greeting)
        self._outage = Outage(room, self._begin_outage)
        self._line = Line(signatures, me, room.tokens)
        self._downloads = Downloads(room, self._line, self._ask_later)
        self._walk = WalkBack(room, self._line, self._continue_soon, max_pending)
        self._intake = Intake(room, importer, self._walk, self._outage)
        self._steering = Steering(room, importer, self._greeting, self._intake.note_moved)
        self._progress, self._side_branches = Progress(clock), SideBranches(room)
        self._continuing = False

    def on_start(self) -> None:
        at_start = TipChanged(self._store.tip())
        self._to.mempool.tell_ahead(at_start)
        self._to.miner.tell(at_start)
        self._to.miner.tell(StoreFault(None))  # the last incarnation may have had one
        self._to.peers.tell(Resync(self._me))
        with self._outage.noticed():
            self._walk.start()

    def on_receive(self, message: ChainInput) -> object:  # noqa: C901, PLR0912 - a case per message
        match message:
            case GossipReceived(items):
                self._on_gossip(items)
            case BlockMined(block, reply_to):
                reply_to.tell(MinedVerdict(self._take_own(block, keep=True)))
            case SubmitBlock(raw, validate_only):
                return self._submit(raw, validate_only=validate_only)
            case ImportRun(raws):
                return self._import_run(raws)
            case Received(messages):
                self._answering.on_requests(messages)
                self._settle()
            case Response():
                self._on_response(message)
            case Verified():
                self._line.on_verified(message)
                self._continue_soon()
            case Late():
                self._downloads.on_late(message)
            case SearchEnded():
                with self._outage.noticed():
                    self._progress.note(self._walk.on_ended(message))
                self._settle()
            case PeerLinked() | PeerUnlinked() | LinksReset():
                self._on_link(message)
            case _Continue():
                self._continue()
            case _AskAgain(peer):
                self._ask(peer)
            case _TryStore():
                self._try_store()
            case GetChain():
                return self._info()
            case InvalidateBlock() | ReconsiderBlock():
                return self._steer(message)
            case _:
                assert_never(message)
        return None

    # -- blocks that come one by one --------------------------------------------------------------

    def _on_gossip(self, items: Sequence[GossipItem]) -> None:
        """The verdicts go first: what others here do about a new tip must not delay its way to the peers."""
        decisions = [(item.ticket, self._judge(item)) for item in items]
        self._to.gossip.tell(Verdicts(tuple(decisions)))
        if any(decision is Decision.RELAY for _, decision in decisions):
            self._to.peers.tell(Brought((items[0].peer,), is_block=True))
        self._settle()

    def _judge(self, item: GossipItem) -> Decision:
        block = decode_block(item.payload)
        if isinstance(block, Violation):
            self._blame(item, block)
            return Decision.FINAL
        verdict = BlockVerdict(BlockOutcome.UNSTORED, block.hash)
        with self._outage.noticed():
            if not self._side_branches.has_room_for(block, item.peer):
                return Decision.DROP
            verdict = self._intake.take(Orphan(block, item.peer, item.conn), keep=True)
        if verdict.outcome is BlockOutcome.CONNECTED:
            self._intake.unannounced = False
        if verdict.violation is not None and verdict.outcome is BlockOutcome.INVALID:
            self._blame(item, verdict.violation)
        elif verdict.outcome is not BlockOutcome.INVALIDATED:
            self._greeting.heard_of(item.peer, block.number)
        return _DECISIONS[verdict.outcome]

    def _blame(self, item: GossipItem, violation: Violation) -> None:
        log.debug("%s gossiped an invalid block: %s", item.peer, violation)
        points = gossip_points(violation, is_ours=self._table.is_troupe(item.peer))
        if points:
            self._to.peers.tell(ConnectionMisbehaved(item.conn, points, "an invalid block"))

    def _submit(self, raw: bytes, *, validate_only: bool) -> BlockVerdict:
        block = decode_block(raw)
        if isinstance(block, Violation):
            return BlockVerdict(BlockOutcome.INVALID, None, block)
        return self._intake.rehearse(block) if validate_only else self._take_own(block, keep=False)

    def _take_own(self, block: Block, *, keep: bool) -> BlockVerdict:
        """Take a block of our miner or user, and gossip it if it is the new tip; ``keep``: nobody hands it in
        again.
        """
        verdict = self._intake.take(Orphan(block, None, None), keep=keep)
        if verdict.outcome is BlockOutcome.CONNECTED:
            self._intake.unannounced = False
            self._to.gossip.tell(Publish(BLOCK_KIND, block.raw))
        self._settle()
        return verdict

    def _import_run(self, raws: Sequence[bytes]) -> tuple[BlockVerdict, ...]:
        blocks, refused = decode_run(raws)
        verdicts = self._intake.take_run(blocks)
        self._settle()
        return (*verdicts, *refused)

    # -- batches of blocks ---------------------------------------------------------------------------

    def _continue_soon(self) -> None:
        """In a turn of its own, so that no turn is longer than a batch."""
        can_go_on = self._line.is_ready or self._walk.can_line_up
        if can_go_on and not self._continuing and not self._outage.is_on:
            self._continuing = True
            self._me.tell(_Continue())

    def _continue(self) -> None:
        """Import the first batch of the line, put held blocks at its end, then look at the mailbox."""
        self._continuing = False
        if self._line.is_ready and not self._outage.is_on:
            self._import_batch(self._line.pop())
        with self._outage.noticed():
            self._walk.line_up()
        self._settle()
        self._continue_soon()

    def _import_batch(self, batch: Batch) -> None:
        verdicts = self._intake.add(batch.blocks, batch.passed or frozenset())
        if self._outage.is_on:
            self._line.put_back(batch)
            return
        for block, verdict in zip(batch.blocks, verdicts, strict=True):
            if verdict.outcome in STORED and (batch.source is not None or self._walk.orphans):
                self._walk.connect(block.hash)
        if batch.source is None:
            with self._outage.noticed():
                self._walk.refuse(v.hash for v in verdicts if v.outcome is BlockOutcome.ORPHAN)
        self._downloads.on_imported(batch, verdicts)
        self._progress.note(len(batch.blocks))

    def _settle(self) -> None:
        """What next, now that a message is dealt with: more blocks, or the news of those we have."""
        self._intake.tell_moves()
        if not self._outage.is_on:
            with self._outage.noticed():
                self._seek()
        self._progress.look(*self._doing())

    def _seek(self) -> None:
        self._downloads.seek()
        if self._walk.is_connecting:
            return
        self._walk.seek()
        if self._intake.unannounced and not self._downloads.bring_more:
            self._intake.unannounced = False
            raw = self._store.raw(self._store.tip().hash)
            assert raw is not None, "the tip is stored"
            self._to.gossip.tell(Publish(BLOCK_KIND, raw))

    def _doing(self) -> tuple[SyncState, str, int]:
        """What is going on, in words too, and how many blocks are missing for it."""
        if self._downloads.busy:
            return SyncState.DOWNLOADING, "downloading", self._downloads.left()
        if self._walk.busy:
            return SyncState.WALKING_BACK, "walking back", self._walk.left()
        if self._walk.is_connecting:
            return SyncState.WALKING_BACK, "connecting", self._store.pending_count()
        return SyncState.IDLE, "", 0

    # -- peers ------------------------------------------------------------------------------------

    def _on_link(self, event: PeerEvent) -> None:
        match event:
            case PeerLinked(peer, conn):
                if self._table.link(peer, conn):
                    self._greeting.ask(peer, conn)
            case PeerUnlinked(peer, conn, outbound):
                self._table.unlink(peer, conn, outbound)
                if not self._table.is_troupe(peer):
                    self._ask(peer)
            case LinksReset():
                self._table.clear()
                self._greeting.forget()
                self._downloads.forget()
                self._walk.forget()
            case _:
                assert_never(event)

    def _on_response(self, response: Response) -> None:
        match self._greeting.on_response(response):
            case PeerKind.LEGACY if not self._outage.is_on:
                with self._outage.noticed():
                    self._walk.resume(response.conn)
            case None:
                self._downloads.on_response(response)
        self._settle()

    def _ask(self, peer: PeerId) -> None:
        known = self._table.get(peer)
        if known is not None:
            self._greeting.ask(peer, known.conn)

    def _ask_later(self, peer: PeerId) -> None:
        self._clock.tell_after(self._table.ask_again_s(peer), self._me, _AskAgain(peer))

    # -- a store that takes nothing -----------------------------------------------------------------

    def _begin_outage(self, delay_s: float) -> None:
        """Let the walk back rest, which writes each of its steps, and try again after a while."""
        self._walk.forget()
        self._clock.tell_after(delay_s, self._me, _TryStore())

    def _try_store(self) -> None:
        """Go on with all that had to wait, if the store takes the first of it."""
        if not self._outage.is_on:
            return  # a former incarnation's timer
        self._intake.try_again()
        self._continue()
        if self._outage.is_on:
            return
        self._outage.end()
        self._greeting.ask_anew()  # for what we let pass meanwhile
        with self._outage.noticed():
            self._walk.start()
        self._settle()

    # -- people -----------------------------------------------------------------------------------

    def _steer(self, word: InvalidateBlock | ReconsiderBlock) -> SteerVerdict:
        verdict = SteerVerdict(SteerOutcome.UNSTORED, self._store.tip())
        if not self._outage.is_on:
            with self._outage.noticed():
                verdict = self._steering.obey(word)
        self._settle()
        return verdict

    def _info(self) -> ChainInfo:
        tip = self._store.tip()
        self._progress.look(*self._doing())
        return ChainInfo(
            tip=tip,
            genesis_hash=self._network.genesis.hash,
            sync=self._progress.state,
            best_known_height=max(tip.number, self._table.best_height()),
            orphans=len(self._walk.orphans),
            side_blocks=self._store.side_blocks(),
            supply=self._network.block_reward * tip.number,
            progress=self._progress.report(),
            history_start=self._store.history_start(),
        )
