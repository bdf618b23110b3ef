"""The block tree and its fork choice, over look-ups (LEDGER: fork choice).

The tree itself is in the store; here is what follows from it: the way from the canonical chain to the
head of a branch, and what executing that branch does. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from actors.chain.schema import REMEDY, StoreError
from actors.ledger.network import Network
from actors.ledger.state import SignatureKnown, apply_block
from actors.ledger.types import Account, AccountLookup, Block, BlockRef
from actors.ledger.violation import Violation


class Status(IntEnum):
    """What is known of a stored block. The numbers are on disk."""

    STORED = 0
    """Work, number and count of transactions are right; never executed."""
    VALID = 1
    """Executed on its parent's state once, and so valid for good."""
    INVALID = 2
    """Breaks a rule, or has an ancestor that does: for good."""
    INVALIDATED_STORED = 3
    """As STORED, but it or an ancestor is not followed by the operator's word, until that is taken back."""
    INVALIDATED_VALID = 4
    """As VALID, in the same way."""

    @property
    def is_good(self) -> bool:
        """Whether it may become canonical, as far as is known."""
        return self in (Status.STORED, Status.VALID)

    @property
    def is_invalidated(self) -> bool:
        return self in (Status.INVALIDATED_STORED, Status.INVALIDATED_VALID)


@dataclass(frozen=True, slots=True)
class Header:
    """A stored block without its transactions. Value."""

    hash: bytes
    number: int
    parent_hash: bytes
    status: Status

    @property
    def ref(self) -> BlockRef:
        return BlockRef(self.number, self.hash)


@dataclass(frozen=True, slots=True)
class Branch:
    """The way to a head: the canonical block ``fork``, then ``headers``, oldest first. Value."""

    fork: BlockRef
    headers: tuple[Header, ...]


def parent_of(header: Header, header_at: Callable[[bytes], Header | None]) -> Header:
    """The stored block that a stored one stands on.

    Raises:
        StoreError: There is none: the file is damaged.
    """
    parent = header_at(header.parent_hash)
    if parent is None:
        message = f"a stored block {header.number} stands on none: {REMEDY}"
        raise StoreError(message)
    return parent


def find_branch(
    head: Header, header: Callable[[bytes], Header | None], is_canonical: Callable[[BlockRef], bool]
) -> Branch:
    """Walk from ``head`` down to the canonical chain. Takes time linear in the branch's length.

    Raises:
        StoreError: As :func:`parent_of`.
    """
    headers: list[Header] = []
    at = head
    while not is_canonical(at.ref):
        headers.append(at)
        at = parent_of(at, header)
    return Branch(at.ref, tuple(reversed(headers)))


@dataclass(frozen=True, slots=True)
class Refused:
    """The first block of a branch that breaks a rule. Value."""

    block: Block
    violation: Violation


def execute_branch(
    network: Network,
    branch: Branch,
    blocks: Sequence[Block],
    accounts: AccountLookup,
    signature_known: SignatureKnown | None = None,
) -> tuple[Mapping[bytes, Account], ...] | Refused:
    """The accounts that each block of the branch changes, or the first block that is invalid.

    Args:
        network: Whose rules apply.
        branch: Where the blocks stand.
        blocks: Those of ``branch.headers``, in the same order.
        accounts: The state as of ``branch.fork``; only read.
        signature_known: As in ``apply_block``.
    """
    state: dict[bytes, Account] = {}

    def account(address: bytes) -> Account:
        """Reads each account of the branch once."""
        known = state.get(address)
        if known is None:
            known = state[address] = accounts(address)
        return known

    changes: list[Mapping[bytes, Account]] = []
    parent = branch.fork
    for header, block in zip(branch.headers, blocks, strict=True):
        known = _every if header.status is Status.VALID else signature_known
        applied = apply_block(network, parent, account, block, signature_known=known)
        if isinstance(applied, Violation):
            return Refused(block, applied)
        state.update(applied.accounts)
        changes.append(applied.accounts)
        parent = header.ref
    return tuple(changes)


def _every(_transaction_id: bytes) -> bool:
    """The signatures of a block that was executed before need no second look."""
    return True
