"""Blocks into the store, and the tip to where they lead: in one SQL transaction, or not at all.

The longest branch is executed on the versioned accounts of its fork before anything of it is written,
so a branch that turns out invalid leaves no trace but its mark. Must not live here: where blocks come
from, and who is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from actors.chain.messages import (
    MAX_STEERED_BLOCKS,
    BlockOutcome,
    BlockVerdict,
    SteerOutcome,
    TipChanged,
)
from actors.chain.past import Past
from actors.chain.schema import REMEDY, StoreError
from actors.chain.signatures import Passed, Signatures
from actors.chain.store import Store
from actors.chain.tree import Branch, Header, Refused, Status, execute_branch, find_branch
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.state import check_header
from actors.ledger.types import Account, AccountLookup, Block, BlockRef
from actors.ledger.violation import Rule, Violation

_BAD_ANCESTOR = Violation(Rule.PARENT, "an ancestor of the block is invalid")
_OUT_OF_ORDER = Violation(Rule.PARENT, "it does not stand on the block before it")
_BAD_BY_WORD = Violation(Rule.PARENT, "the operator invalidated it, or a block that it stands on")

_INHERITED = {
    Status.STORED: Status.STORED,
    Status.VALID: Status.STORED,
    Status.INVALID: Status.INVALID,
    Status.INVALIDATED_STORED: Status.INVALIDATED_STORED,
    Status.INVALIDATED_VALID: Status.INVALIDATED_STORED,
}
"""What a new block is, by what its parent is."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A verdict for each block, in order, and what became of the tip (None: it stays). Value."""

    verdicts: tuple[BlockVerdict, ...]
    change: TipChanged | None


def decode_run(raws: Sequence[bytes]) -> tuple[tuple[Block, ...], tuple[BlockVerdict, ...]]:
    """The blocks before the first that is none, or does not stand on the one before it, and the verdict on
    that one, if there is one.
    """
    blocks: list[Block] = []
    for raw in raws:
        block = decode_block(raw)
        if isinstance(block, Violation):
            return tuple(blocks), (BlockVerdict(BlockOutcome.INVALID, None, block),)
        if blocks and block.parent_hash != blocks[-1].hash:
            return tuple(blocks), (BlockVerdict(BlockOutcome.INVALID, block.hash, _OUT_OF_ORDER),)
        blocks.append(block)
    return tuple(blocks), ()


@dataclass(frozen=True, slots=True)
class Steered:
    """What came of the operator's word, and what became of the tip (None: it stays). Value."""

    outcome: SteerOutcome
    change: TipChanged | None = None


class _TooDeepError(Exception):
    """More would move than the operator may move: the transaction ends without a trace."""


class Importer:
    """Decides about blocks against the store."""

    def __init__(
        self, store: Store, network: Network, signatures: Signatures | None = None
    ) -> None:
        self._store, self._network = store, network
        self._signatures = Signatures(network) if signatures is None else signatures

    def add(
        self, blocks: Sequence[Block], *, keep: bool = True, passed: Passed = frozenset()
    ) -> Imported:
        """Take blocks, a parent before its children, and move to the longest valid chain.

        Args:
            blocks: Decoded, nothing else is known of them.
            keep: False rehearses: the verdicts are the same, and nothing is changed.
            passed: Transactions whose signatures were found good before.
        """
        is_run = _is_run(self._network, self._store.tip(), blocks)
        known = [] if is_run else self._known(blocks)
        if not is_run and all(known):
            return Imported(tuple(self._standing(block, known=True) for block in blocks), None)
        alone = blocks[0] if len(blocks) == 1 and not is_run else None
        if alone is not None and (verdict := self._at_a_glance(alone)) is not None:
            return Imported((verdict,), None)
        with self._store.transaction(keep=keep):  # one lock for all that is asked and written
            imported = self._extend(blocks, passed) if is_run else None
            return imported or self._take(blocks, known or self._known(blocks), passed)

    def _at_a_glance(self, block: Block) -> BlockVerdict | None:
        """The verdict on an unknown block that changes nothing: it can never be, or its parent is unknown.

        Anybody can send those at once and for nothing; a write transaction costs ten times as much.
        """
        violation = check_header(self._network, block) or self._check_root(block)
        if violation is None and self._store.header(block.parent_hash) is not None:
            return None
        return self._standing(block, known=False, violation=violation)

    def _known(self, blocks: Sequence[Block]) -> list[bool]:
        return [self._store.header(block.hash) is not None for block in blocks]

    def _extend(self, blocks: Sequence[Block], passed: Passed) -> Imported | None:
        """The usual case, a run on the tip: all are valid and none is stored. None: that is not so.

        If the first is not stored, none is: the ancestors of a stored block are. And if all are valid,
        they are the longest branch: at rest none is longer than the tip's.
        """
        store, tip = self._store, self._store.tip()
        if store.header(blocks[0].hash) is not None:
            return None
        branch = Branch(
            tip, tuple(Header(b.hash, b.number, b.parent_hash, Status.STORED) for b in blocks)
        )
        changes = self._execute(branch, blocks, store.account, passed)
        if isinstance(changes, Refused):
            return None
        connected = tuple(blocks)
        store.extend(tuple(zip(connected, changes, strict=True)))
        if store.pending_count():
            store.remove_pending(block.hash for block in connected)
        verdicts = (BlockVerdict(BlockOutcome.CONNECTED, block.hash) for block in connected)
        return Imported(tuple(verdicts), TipChanged(connected[-1].ref, connected))

    def _take(self, blocks: Sequence[Block], known: Sequence[bool], passed: Passed) -> Imported:
        """Any other case."""
        store = self._store
        refused = {b.hash: violation for b in blocks if (violation := self._store_block(b))}
        change = self._advance({block.hash: block for block in blocks}, refused, passed)
        verdicts = tuple(
            self._standing(block, known=was_known, violation=refused.get(block.hash))
            for block, was_known in zip(blocks, known, strict=True)
        )
        store.remove_pending(
            v.hash for v in verdicts if v.hash and v.outcome is not BlockOutcome.ORPHAN
        )
        return Imported(verdicts, change)

    def invalidate(self, block_hash: bytes) -> Steered:
        """Follow a block and its descendants no more, and go to the longest branch that is left."""
        store, header = self._store, self._store.header(block_hash)
        if header is None:
            return Steered(SteerOutcome.NOT_FOUND)
        if header.number == 0:
            return Steered(SteerOutcome.GENESIS)
        if header.status is Status.INVALID or store.is_marked(block_hash):
            return Steered(SteerOutcome.UNCHANGED)
        above = store.tip().number - header.number + 1
        if above > MAX_STEERED_BLOCKS and store.is_canonical(header.ref):
            return Steered(SteerOutcome.TOO_DEEP)
        return self._steer(lambda: store.invalidate(block_hash))

    def reconsider(self, block_hash: bytes) -> Steered:
        """Take back what :meth:`invalidate` said of a block and its ancestors, and follow the longest."""
        store, header = self._store, self._store.header(block_hash)
        if header is None:
            return Steered(SteerOutcome.NOT_FOUND)
        if not store.has_mark(block_hash):
            return Steered(SteerOutcome.UNCHANGED)
        return self._steer(lambda: store.reconsider(block_hash))

    def _steer(self, mark: Callable[[], None]) -> Steered:
        try:
            with self._store.transaction():
                mark()
                change = self._advance({}, {}, frozenset(), most=MAX_STEERED_BLOCKS)
        except _TooDeepError:
            return Steered(SteerOutcome.TOO_DEEP)
        return Steered(SteerOutcome.DONE, change)

    def _standing(
        self, block: Block, *, known: bool, violation: Violation | None = None
    ) -> BlockVerdict:
        """What became of a block, as the store has it now."""
        header = self._store.header(block.hash)
        if header is None and violation is None:
            outcome = BlockOutcome.ORPHAN
        elif header is None or header.status is Status.INVALID:
            outcome, violation = BlockOutcome.INVALID, violation or _BAD_ANCESTOR
        elif header.status.is_invalidated:
            outcome, violation = BlockOutcome.INVALIDATED, _BAD_BY_WORD
        elif known:
            outcome = BlockOutcome.KNOWN
        elif self._store.is_canonical(header.ref):
            outcome = BlockOutcome.CONNECTED
        else:
            outcome = BlockOutcome.SIDE_BRANCH
        return BlockVerdict(outcome, block.hash, violation)

    def _store_block(self, block: Block) -> Violation | None:
        """Store a block whose parent is stored; say what is wrong with one that never can be.

        Proof of work goes before everything that costs us more (LEDGER: state transition).
        """
        if self._store.header(block.hash) is not None:
            return None
        violation = check_header(self._network, block) or self._check_root(block)
        if violation is not None:
            return violation
        parent = self._store.header(block.parent_hash)
        if parent is None:
            return None
        if block.number != parent.number + 1:
            return Violation(Rule.NUMBER, f"number {block.number} does not follow {parent.number}")
        self._store.add_block(block, _INHERITED[parent.status])
        return None

    def _check_root(self, block: Block) -> Violation | None:
        """A chain that does not begin with our genesis will not become one of ours."""
        if block.number == 0:
            return Violation(Rule.NUMBER, "block 0 is not the network's genesis")
        if block.number == 1 and block.parent_hash != self._network.genesis.hash:
            return Violation(Rule.PARENT, "block 1 does not stand on the network's genesis")
        return None

    def _advance(
        self,
        fresh: Mapping[bytes, Block],
        refused: dict[bytes, Violation],
        passed: Passed,
        *,
        most: int | None = None,
    ) -> TipChanged | None:
        """Move to the longest branch that may be followed, the first seen of equals.

        Memory and time grow with the depth of the reorganisation: both branches are held, decoded,
        until all who are told of the change have handled it. A decoded block takes 0.5 KiB when it is
        empty and 10 KiB with ten transactions, so 1,000 blocks deep are 1 to 20 MiB and 100,000 deep
        0.1 to 2 GB, all in one SQL transaction. A branch must bring its own proof of work for that.

        Raises:
            _TooDeepError: More than ``most`` blocks would move.
        """
        store = self._store
        tip = store.tip()
        with closing(Past(store, self._network)) as past:
            while (head := store.longest()).ref != tip:
                branch = find_branch(head, store.header, store.is_canonical)
                moving = tip.number - branch.fork.number + len(branch.headers)
                if most is not None and moving > most:
                    raise _TooDeepError
                blocks = tuple(self._load(header, fresh) for header in branch.headers)
                run = self._execute(branch, blocks, past.state_at(branch.fork), passed)
                if not isinstance(run, Refused):
                    return self._switch(branch, blocks, run, past)
                refused[run.block.hash] = run.violation
                store.mark_invalid(run.block.hash)
        return None

    def _execute(
        self, branch: Branch, blocks: Sequence[Block], accounts: AccountLookup, passed: Passed
    ) -> tuple[Mapping[bytes, Account], ...] | Refused:
        passed = self._passed(branch, blocks, passed)
        return execute_branch(self._network, branch, blocks, accounts, passed.__contains__)

    def _passed(self, branch: Branch, blocks: Sequence[Block], passed: Passed) -> Passed:
        """Whose signatures need no look while the branch is executed."""
        fresh = [
            block
            for header, block in zip(branch.headers, blocks, strict=True)
            if header.status is not Status.VALID
            and not all(transaction.id in passed for transaction in block.transactions)
        ]
        return passed | self._signatures.check(fresh) if fresh else passed

    def _switch(
        self,
        branch: Branch,
        blocks: tuple[Block, ...],
        changes: Sequence[Mapping[bytes, Account]],
        past: Past,
    ) -> TipChanged:
        """Make an executed branch canonical."""
        store, fork = self._store, branch.fork
        disconnected: tuple[Block, ...] = ()
        if fork != store.tip():
            disconnected = store.disconnect_above(fork.number, past.versions_at(fork))
        if blocks:
            store.connect(tuple(zip(blocks, changes, strict=True)))
        return TipChanged(store.tip(), blocks, disconnected)

    def _load(self, header: Header, fresh: Mapping[bytes, Block]) -> Block:
        block = fresh.get(header.hash) or self._store.block(header.hash)
        if block is None:
            message = f"a stored block {header.number} cannot be found: {REMEDY}"
            raise StoreError(message)
        return block


def _is_run(network: Network, tip: BlockRef, blocks: Sequence[Block]) -> bool:
    """Whether there are blocks, the first on the tip, each other on the one before it, and each with its
    proof of work: that goes before everything that costs us more.
    """
    number, parent_hash = tip.number, tip.hash
    for block in blocks:
        number += 1
        if block.parent_hash != parent_hash or block.number != number:
            return False
        if check_header(network, block) is not None:
            return False
        parent_hash = block.hash
    return bool(blocks)
