"""The chain room's actor: blocks in by whatever way, the canonical chain and its changes out.

Lives here: which handler gets which message, and what is told to whom after a commit.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from actors.chain.answering import Answering
from actors.chain.download import Downloads
from actors.chain.greeting import Greeting
from actors.chain.importer import Importer, decode_run
from actors.chain.messages import (
    BlockMined,
    BlockOutcome,
    BlockVerdict,
    ChainCommand,
    ChainInfo,
    GetAccount,
    GetBlock,
    GetChain,
    GetTransaction,
    ImportRun,
    InvalidateBlock,
    ListAccounts,
    ListBlocks,
    ListTips,
    MinedVerdict,
    ReconsiderBlock,
    SteerVerdict,
    SubmitBlock,
    SyncState,
    TipChanged,
    tip_moved,
)
from actors.chain.orphans import Orphan
from actors.chain.room import Neighbours, Room, tokens
from actors.chain.serving import Serving
from actors.chain.signatures import Signatures
from actors.chain.steering import Steering
from actors.chain.store import Store
from actors.chain.sync import ASK_AGAIN_S, MAX_PENDING_BLOCKS, PeerTable
from actors.chain.walkback import WalkBack
from actors.chain.wire import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.ledger.violation import Violation
from actors.messaging.messages import Received, Response
from actors.peers.messages import (
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
from actors.runtime.events import Happened
from actors.search.messages import LookedUp, LookUp, SearchEnded
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
    """More held blocks stand on connected ones. Tell."""


@dataclass(frozen=True, slots=True)
class _AskAgain:
    """A peer that failed us may be asked for its status again. Tell."""

    peer: PeerId


ChainInput = (
    ChainCommand
    | GossipReceived
    | LookUp
    | SearchEnded
    | PeerEvent
    | Received
    | Response
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
        self._importer = Importer(store, network, signatures)
        self._serving = Serving(store)
        self._table = PeerTable()
        room = Room(store, network, self._table, neighbours, me, tokens(clock))
        self._greeting = Greeting(room, agent)
        self._answering = Answering(room, self._greeting, self._serving)
        self._steering = Steering(room, self._importer, self._greeting, self._tell_moved)
        self._downloads = Downloads(room, self._import, self._ask_later)
        self._walk = WalkBack(room, self._connect, max_pending)
        self._bases: deque[bytes] = deque()
        """Blocks whose held children are to be connected; each is pending or orphaned until then."""
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
            case SearchEnded():
                self._walk.on_ended(message)
                self._settle()
            case LookUp(ticket, query, reply_to):
                reply_to.tell(LookedUp(ticket, self._serving.look_up(query)))
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
            case GetBlock() | ListBlocks() | GetTransaction():
                return self._serving.answer(message)
            case GetAccount() | ListAccounts() | ListTips():
                return self._serving.answer(message)
            case _:
                assert_never(message)
        return None

    # -- blocks that come one by one --------------------------------------------------------------

    def _on_gossip(self, items: Sequence[GossipItem]) -> None:
        decisions = [(item.ticket, self._judge(item)) for item in items]
        self._to.gossip.tell(Verdicts(tuple(decisions)))
        self._settle()

    def _judge(self, item: GossipItem) -> Decision:
        block = decode_block(item.payload)
        if isinstance(block, Violation):
            log.debug("%s gossiped a malformed block", item.peer)
            return Decision.FINAL
        verdict = self._take(block, item.peer, item.conn)
        if verdict.outcome is BlockOutcome.CONNECTED:
            self._unannounced = False
        if verdict.outcome is BlockOutcome.INVALID:
            log.debug("%s gossiped an invalid block: %s", item.peer, verdict.violation)
        elif verdict.outcome is not BlockOutcome.INVALIDATED:
            self._greeting.heard_of(item.peer, block.number)
        return _DECISIONS[verdict.outcome]

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
                self._connect(block.hash)
        return verdicts

    def _add(self, blocks: Sequence[Block]) -> Sequence[BlockVerdict]:
        """Store blocks, move the tip, and tell of it after the commit."""
        imported = self._importer.add(blocks)
        if imported.change is not None:
            self._tell_moved(imported.change)
        self._walk.on_stored()
        return imported.verdicts

    def _tell_moved(self, change: TipChanged) -> None:
        """Tell of a commit that moved the tip."""
        level = logging.INFO if change.disconnected else logging.DEBUG
        log.log(level, "tip %d %.8s", change.tip.number, change.tip.hash.hex())
        self._unannounced = True
        self._to.mempool.tell(change)
        self._to.miner.tell(change)
        moved = tip_moved(change)
        blocks = len(moved.connected) + len(moved.disconnected)
        self._to.events.tell(Happened(moved, 1 + blocks))

    def _connect(self, base: bytes) -> None:
        """See to the held blocks, if any, that stand on one that is stored now."""
        if self._walk.orphans.stands_on(base) or self._store.is_awaited(base):
            self._bases.append(base)
            self._continue_soon()

    def _continue_soon(self) -> None:
        if not self._continuing:
            self._continuing = True
            self._me.tell(_Continue())

    def _continue(self) -> None:
        """Connect about as many held blocks as a download brings at once, then look at the mailbox."""
        self._continuing = False
        batch: list[Block] = []
        size_bytes = 0
        while self._bases and len(batch) < MAX_BATCH_BLOCKS and size_bytes < MAX_BATCH_BYTES:
            children = self._walk.take_children(self._bases.popleft())
            self._bases.extend(child.hash for child in children)
            batch += children
            size_bytes += sum(len(child.raw) for child in children)
        verdicts = self._add(batch)
        self._walk.refuse(v.hash for v in verdicts if v.outcome is BlockOutcome.ORPHAN)
        if self._bases:
            self._continue_soon()
        self._settle()

    def _settle(self) -> None:
        """What next, now that a message is dealt with: more blocks, or the news of those we have."""
        self._downloads.seek()
        if self._bases:
            return
        self._walk.seek()
        if self._unannounced and not self._downloads.busy:
            self._unannounced = False
            raw = self._store.raw(self._store.tip().hash)
            assert raw is not None, "the tip is stored"
            self._to.gossip.tell(Publish(BLOCK_KIND, raw))

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
        sync = SyncState.IDLE
        if self._downloads.busy:
            sync = SyncState.DOWNLOADING
        elif self._walk.busy or self._bases:
            sync = SyncState.WALKING_BACK
        return ChainInfo(
            tip=tip,
            genesis_hash=self._network.genesis.hash,
            sync=sync,
            best_known_height=max(tip.number, self._table.best_height()),
            orphans=len(self._walk.orphans),
            side_blocks=self._store.side_blocks(),
            supply=self._network.block_reward * tip.number,
        )
