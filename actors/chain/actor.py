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
    SteerVerdict,
    SubmitBlock,
    SyncState,
    TipChanged,
    tip_moved,
)
from actors.chain.orphans import Orphan
from actors.chain.progress import Progress
from actors.chain.room import Late, Neighbours, Room, Verified, tokens
from actors.chain.signatures import Passed, Signatures
from actors.chain.steering import Steering
from actors.chain.store import Store
from actors.chain.sync import ASK_AGAIN_S, MAX_PENDING_BLOCKS, gossip_points
from actors.chain.table import PeerTable
from actors.chain.walkback import WalkBack
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.ledger.violation import Violation
from actors.messaging.messages import Received, Response
from actors.peers.messages import (
    LinksReset,
    Misbehaved,
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
from actors.runtime.events import Happened
from actors.search.messages import SearchEnded
from actors.tcp.messages import ConnId

log = logging.getLogger(__name__)

BLOCK_KIND = "bc:new_block"

_DECISIONS = {
    BlockOutcome.CONNECTED: Decision.RELAY,
    BlockOutcome.INVALID: Decision.FINAL,
    BlockOutcome.KNOWN: Decision.FINAL,
    BlockOutcome.SIDE_BRANCH: Decision.DROP,
    BlockOutcome.INVALIDATED: Decision.DROP,
    BlockOutcome.ORPHAN: Decision.DROP,
}
_STORED = (BlockOutcome.CONNECTED, BlockOutcome.SIDE_BRANCH, BlockOutcome.INVALIDATED)


@dataclass(frozen=True, slots=True)
class _Continue:
    """A batch of the line can be imported, or held blocks stand on connected ones. Tell."""


@dataclass(frozen=True, slots=True)
class _AskAgain:
    """A peer that failed us may be asked for its status again. Tell."""

    peer: PeerId


ChainInput = (
    ChainCommand
    | GossipReceived
    | SearchEnded
    | PeerEvent
    | Received
    | Response
    | Verified
    | Late
    | _Continue
    | _AskAgain
)


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
        self._importer = Importer(store, network, signatures)
        self._table = PeerTable()
        room = Room(store, network, self._table, neighbours, me, tokens(clock), clock)
        self._greeting = Greeting(room, agent)
        self._answering = Answering(room, self._greeting)
        self._steering = Steering(room, self._importer, self._greeting, self._note_moved)
        self._line = Line(signatures, me, room.tokens)
        self._downloads = Downloads(room, self._line, self._ask_later)
        self._walk = WalkBack(room, self._line, self._continue_soon, max_pending)
        self._progress = Progress(clock)
        self._moves: list[TipChanged] = []
        """Of this message, committed and not yet told."""
        self._continuing = self._unannounced = False
        """Unannounced: the tip moved by other ways than gossip: tell the network once it stands still."""

    def on_start(self) -> None:
        at_start = TipChanged(self._store.tip())
        self._to.mempool.tell(at_start)
        self._to.miner.tell(at_start)
        self._to.peers.tell(Resync(self._me))
        self._walk.start()

    def on_receive(self, message: ChainInput) -> object:  # noqa: C901, PLR0912 - a case per message
        match message:
            case GossipReceived(items):
                self._on_gossip(items)
            case BlockMined(block, reply_to):
                reply_to.tell(MinedVerdict(self._take_own(block)))
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
                self._progress.note(self._walk.on_ended(message))
                self._settle()
            case PeerLinked() | PeerUnlinked() | LinksReset():
                self._on_link(message)
            case _Continue():
                self._continue()
            case _AskAgain(peer):
                self._ask(peer)
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
        self._settle()

    def _judge(self, item: GossipItem) -> Decision:
        block = decode_block(item.payload)
        if isinstance(block, Violation):
            self._blame(item.peer, block)
            return Decision.FINAL
        verdict = self._take(block, item.peer, item.conn)
        if verdict.outcome is BlockOutcome.CONNECTED:
            self._unannounced = False
        if verdict.violation is not None and verdict.outcome is BlockOutcome.INVALID:
            self._blame(item.peer, verdict.violation)
        elif verdict.outcome is not BlockOutcome.INVALIDATED:
            self._greeting.heard_of(item.peer, block.number)
        return _DECISIONS[verdict.outcome]

    def _blame(self, peer: PeerId, violation: Violation) -> None:
        log.debug("%s gossiped an invalid block: %s", peer, violation)
        points = gossip_points(violation, is_ours=self._table.is_troupe(peer))
        if points:
            self._to.peers.tell(Misbehaved(peer, points, "an invalid block"))

    def _submit(self, raw: bytes, *, validate_only: bool) -> BlockVerdict:
        block = decode_block(raw)
        if isinstance(block, Violation):
            return BlockVerdict(BlockOutcome.INVALID, None, block)
        if not validate_only:
            return self._take_own(block)
        verdict = self._importer.add((block,), keep=False).verdicts[0]
        if verdict.outcome is BlockOutcome.CONNECTED:
            return BlockVerdict(BlockOutcome.VALID, block.hash)
        return verdict

    def _take_own(self, block: Block) -> BlockVerdict:
        """Take a block of our miner or user, and gossip it if it is the new tip."""
        verdict = self._take(block, None, None)
        if verdict.outcome is BlockOutcome.CONNECTED:
            self._unannounced = False
            self._to.gossip.tell(Publish(BLOCK_KIND, block.raw))
        self._settle()
        return verdict

    def _import_run(self, raws: Sequence[bytes]) -> tuple[BlockVerdict, ...]:
        blocks, refused = decode_run(raws)
        verdicts = self._import(blocks)
        self._settle()
        return (*verdicts, *refused)

    def _take(self, block: Block, peer: PeerId | None, conn: ConnId | None) -> BlockVerdict:
        verdict = self._import((block,))[0]
        if verdict.outcome is BlockOutcome.ORPHAN:
            violation = self._walk.hold(Orphan(block, peer, conn))
            if violation is not None:
                return BlockVerdict(BlockOutcome.INVALID, block.hash, violation)
        return verdict

    # -- every block goes through here ------------------------------------------------------------

    def _import(self, blocks: Sequence[Block]) -> Sequence[BlockVerdict]:
        """Take blocks, and see to what was waiting for them."""
        verdicts = self._add(blocks)
        for block, verdict in zip(blocks, verdicts, strict=True):
            if verdict.outcome in _STORED:
                self._walk.connect(block.hash)
        return verdicts

    def _add(self, blocks: Sequence[Block], passed: Passed = frozenset()) -> Sequence[BlockVerdict]:
        """Store blocks and move the tip; who is to know is told when the message is dealt with."""
        imported = self._importer.add(blocks, passed=passed)
        if imported.change is not None:
            self._note_moved(imported.change)
        self._walk.on_stored()
        return imported.verdicts

    def _note_moved(self, change: TipChanged) -> None:
        """A commit moved the tip."""
        level = logging.INFO if change.disconnected else logging.DEBUG
        log.log(level, "tip %d %.8s", change.tip.number, change.tip.hash.hex())
        self._unannounced = True
        self._moves.append(change)

    def _tell_moves(self) -> None:
        for change in self._moves:
            self._to.mempool.tell(change)
            self._to.miner.tell(change)
            moved = tip_moved(change)
            blocks = len(moved.connected) + len(moved.disconnected)
            self._to.events.tell(Happened(moved, 1 + blocks))
        self._moves.clear()

    def _continue_soon(self) -> None:
        """In a turn of its own, so that no turn is longer than a batch."""
        can_go_on = self._line.is_ready or self._walk.can_line_up
        if can_go_on and not self._continuing:
            self._continuing = True
            self._me.tell(_Continue())

    def _continue(self) -> None:
        """Import the first batch of the line, put held blocks at its end, then look at the mailbox."""
        self._continuing = False
        if self._line.is_ready:
            self._import_batch(self._line.pop())
        if self._walk.can_line_up:
            self._walk.line_up()
        self._settle()
        self._continue_soon()

    def _import_batch(self, batch: Batch) -> None:
        verdicts = self._add(batch.blocks, batch.passed or frozenset())
        for block, verdict in zip(batch.blocks, verdicts, strict=True):
            if verdict.outcome in _STORED and (batch.source is not None or self._walk.orphans):
                self._walk.connect(block.hash)
        if batch.source is None:
            self._walk.refuse(v.hash for v in verdicts if v.outcome is BlockOutcome.ORPHAN)
        self._downloads.on_imported(batch, verdicts)
        self._progress.note(len(batch.blocks))

    def _settle(self) -> None:
        """What next, now that a message is dealt with: more blocks, or the news of those we have."""
        self._tell_moves()
        self._downloads.seek()
        if not self._walk.is_connecting:
            self._walk.seek()
            if self._unannounced and not self._downloads.busy:
                self._unannounced = False
                raw = self._store.raw(self._store.tip().hash)
                assert raw is not None, "the tip is stored"
                self._to.gossip.tell(Publish(BLOCK_KIND, raw))
        self._progress.look(*self._doing())

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
            case PeerKind.LEGACY:
                self._walk.resume(response.conn)
            case None:
                self._downloads.on_response(response)
        self._settle()

    def _ask(self, peer: PeerId) -> None:
        known = self._table.get(peer)
        if known is not None:
            self._greeting.ask(peer, known.conn)

    def _ask_later(self, peer: PeerId) -> None:
        self._clock.tell_after(ASK_AGAIN_S, self._me, _AskAgain(peer))

    # -- people -----------------------------------------------------------------------------------

    def _steer(self, word: InvalidateBlock | ReconsiderBlock) -> SteerVerdict:
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
