"""The verdicts: one code per rule that a transaction or a block can break.

Must not live here: what to do about a broken rule (scores, eviction, status codes); each room
decides that from the code.
"""

from dataclasses import dataclass
from enum import Enum


class Rule(Enum):
    """Each rule of the ledger by its code; the value is the word that users see."""

    MALFORMED = "malformed"
    """Not canonical text, or a key of a length that the network's scheme does not have."""
    PUBLIC_KEY = "public-key"
    """The sender is no public key of the network's scheme."""
    SIGNATURE = "signature"
    NONCE_USED = "nonce-used"
    """The nonce is below the account's: it can never become valid again on this branch."""
    NONCE_GAP = "nonce-gap"
    """The nonce is above the account's: only early."""
    BALANCE = "balance"
    OVERFLOW = "overflow"
    """A credit would lift a balance above `MAX_INTEGER`."""
    NUMBER = "number"
    """The block's number is not its parent's plus one."""
    PARENT = "parent"
    """The block's parent hash is not the hash of the state's tip."""
    WORK = "work"
    TOO_MANY_TRANSACTIONS = "too-many-transactions"
    POLICY = "policy"
    """Valid in a block; not pooled, relayed or built."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule.

    Attributes:
        rule: Which one; tests and rooms decide by this alone.
        detail: A sentence for a person, without a full stop; never parsed.
        transaction_index: Position of the offender in its block, from 0; None when the block as a
            whole, or a transaction on its own, is at fault.
    """

    rule: Rule
    detail: str
    transaction_index: int | None = None
