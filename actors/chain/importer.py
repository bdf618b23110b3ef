"""Blocks into the store, and the tip to where they lead: in one SQL transaction, or not at all.

The longest branch is executed on the versioned accounts of its fork before anything of it is written,
so a branch that turns out invalid leaves no trace but its mark. Must not live here: where blocks come
from, and who is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from actors.chain.messages import BlockOutcome, BlockVerdict, TipChanged
from actors.chain.store import Store
from actors.chain.tree import Branch, Header, Refused, Status, execute_branch, find_branch
from actors.ledger.network import Network
from actors.ledger.state import SignatureKnown, check_header
from actors.ledger.types import Account, Block, BlockRef
from actors.ledger.violation import Rule, Violation

_BAD_ANCESTOR = Violation(Rule.PARENT, "an ancestor of the block is invalid")


@dataclass(frozen=True, slots=True)
class Imported:
    """A verdict for each block, in order, and what became of the tip (None: it stays). Value."""

    verdicts: tuple[BlockVerdict, ...]
    change: TipChanged | None


class Importer:
    """Decides about blocks against the store."""

    def __init__(
        self, store: Store, network: Network, signature_known: SignatureKnown | None = None
    ) -> None:
        self._store, self._network, self._signature_known = store, network, signature_known

    def add(self, blocks: Sequence[Block], *, keep: bool = True) -> Imported:
        """Take blocks, a parent before its children, and move to the longest valid chain.

        Args:
            blocks: Decoded, nothing else is known of them.
            keep: False rehearses: the verdicts are the same, and nothing is changed.
        """
        store = self._store
        known = [header is not None for header in map(store.header, (b.hash for b in blocks))]
        if all(known):
            return Imported(tuple(self._standing(block, known=True) for block in blocks), None)
        with store.transaction(keep=keep):
            refused = {b.hash: violation for b in blocks if (violation := self._store_block(b))}
            change = self._advance({block.hash: block for block in blocks}, refused)
            verdicts = tuple(
                self._standing(block, known=was_known, violation=refused.get(block.hash))
                for block, was_known in zip(blocks, known, strict=True)
            )
            store.remove_pending(
                v.hash for v in verdicts if v.hash and v.outcome is not BlockOutcome.ORPHAN
            )
        return Imported(verdicts, change)

    def _standing(
        self, block: Block, *, known: bool, violation: Violation | None = None
    ) -> BlockVerdict:
        """What became of a block, as the store has it now."""
        header = self._store.header(block.hash)
        if header is None and violation is None:
            outcome = BlockOutcome.ORPHAN
        elif header is None or header.status is Status.INVALID:
            outcome, violation = BlockOutcome.INVALID, violation or _BAD_ANCESTOR
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
        bad = parent.status is Status.INVALID
        self._store.add_block(block, Status.INVALID if bad else Status.STORED)
        return None

    def _check_root(self, block: Block) -> Violation | None:
        """A chain that does not begin with our genesis will not become one of ours."""
        if block.number == 0:
            return Violation(Rule.NUMBER, "block 0 is not the network's genesis")
        if block.number == 1 and block.parent_hash != self._network.genesis.hash:
            return Violation(Rule.PARENT, "block 1 does not stand on the network's genesis")
        return None

    def _advance(
        self, fresh: Mapping[bytes, Block], refused: dict[bytes, Violation]
    ) -> TipChanged | None:
        """Move to the longest valid chain; a tie changes nothing: first seen wins.

        Memory and time grow with the depth of the reorganisation: both branches are held, decoded,
        until all who are told of the change have handled it. A decoded block takes 0.5 KiB when it is
        empty and 10 KiB with ten transactions, so 1,000 blocks deep are 1 to 20 MiB and 100,000 deep
        0.1 to 2 GB, all in one SQL transaction. A branch must bring its own proof of work for that.
        """
        store = self._store
        tip = store.tip()
        while (head := store.longest()).number > tip.number:
            branch = find_branch(head, store.header, store.is_canonical)
            blocks = tuple(self._load(header, fresh) for header in branch.headers)
            run = execute_branch(
                self._network,
                branch,
                blocks,
                partial(store.account_at, height=branch.fork.number),
                self._signature_known,
            )
            if not isinstance(run, Refused):
                return self._switch(tip, branch, blocks, run)
            refused[run.block.hash] = run.violation
            store.mark_invalid(run.block.hash)
        return None

    def _switch(
        self,
        tip: BlockRef,
        branch: Branch,
        blocks: tuple[Block, ...],
        changes: Sequence[Mapping[bytes, Account]],
    ) -> TipChanged:
        """Make an executed branch canonical."""
        disconnected: list[Block] = []
        for number in range(tip.number, branch.fork.number, -1):
            block_hash = self._store.hash_at(number)
            block = self._store.block(block_hash) if block_hash is not None else None
            assert block is not None, "the canonical chain has no gaps"
            disconnected.append(block)
        if disconnected:
            self._store.disconnect_above(branch.fork.number)
        self._store.connect(zip(blocks, changes, strict=True))
        return TipChanged(blocks[-1].ref, blocks, tuple(disconnected))

    def _load(self, header: Header, fresh: Mapping[bytes, Block]) -> Block:
        block = fresh.get(header.hash) or self._store.block(header.hash)
        assert block is not None, "a header's block is stored"
        return block
