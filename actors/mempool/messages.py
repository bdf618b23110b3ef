"""The public face of the mempool room: transactions in, candidates and news out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from actors.ledger.types import Transaction
from actors.ledger.violation import Violation
from actors.runtime.address import Address, Ask, Look


class Admission(Enum):
    """What became of a submitted transaction."""

    PENDING = "pending"
    QUEUED = "queued"
    KNOWN = "known"
    """Already pooled, byte for byte."""
    NONCE_TAKEN = "nonce-taken"
    """Another transaction of the sender holds that nonce: first seen wins."""
    REJECTED = "rejected"
    """It breaks a rule: see the violation."""
    SENDER_FULL = "sender-full"
    POOL_FULL = "pool-full"


class RemovalReason(StrEnum):
    """Why a transaction left the pool without having been included."""

    EXPIRED = "expired"
    NONCE_USED = "nonce-used"
    """The chain moved past its nonce."""
    POOL_FULL = "pool-full"
    """A sender with a larger balance needed the place."""
    SENDER_FULL = "sender-full"
    """A lower nonce of its own sender needed the place."""
    EVICTED = "evicted"
    """An operator wanted it gone."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The verdict on one transaction; ``tx_id`` None where it could not be decoded. Value."""

    admission: Admission
    tx_id: bytes | None
    violation: Violation | None = None


@dataclass(frozen=True, slots=True)
class PooledTransaction:
    """A transaction in the pool; ``added_s`` is Unix time. Value."""

    transaction: Transaction
    pending: bool
    added_s: float


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """Sizes now and the limits they stand under. Value."""

    pending: int
    queued: int
    senders: int
    bytes: int
    max_pending: int
    max_queued: int


# -- commands and questions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubmitTransaction(Ask[Submission]):
    """Admit a serialized transaction of our own user; relayed once pending. Ask: Submission."""

    raw: bytes
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class GetPool(Look[PoolInfo]):
    """Ask: PoolInfo."""


@dataclass(frozen=True, slots=True)
class ListPooled(Look[tuple[PooledTransaction, ...]]):
    """Transactions in order of id, after ``after`` (None: from the start); of ``sender`` only if
    given. Ask: tuple of PooledTransaction.
    """

    limit: int
    after: bytes | None = None
    sender: bytes | None = None


@dataclass(frozen=True, slots=True)
class GetPooled(Look["PooledTransaction | None"]):
    """Ask: PooledTransaction or None."""

    tx_id: bytes


@dataclass(frozen=True, slots=True)
class Eviction:
    """A transaction was removed; those of its sender that were pending behind it are queued now, by id
    in order of nonce. Value.
    """

    transaction: Transaction
    queued: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EvictTransaction(Ask["Eviction | None"]):
    """Remove one transaction, which may come back like any other. None: it is not there. Ask: Eviction or
    None.
    """

    tx_id: bytes


@dataclass(frozen=True, slots=True)
class Funds:
    """What a new transaction of a sender can build on. Value.

    Attributes:
        next_nonce: The first one from the account's on that no pooled transaction holds.
        spendable: The account's balance less what its pooled transactions spend; below 0 when they
            are not all covered.
    """

    next_nonce: int
    spendable: int


@dataclass(frozen=True, slots=True)
class GetFunds(Look[Funds]):
    """Ask: Funds."""

    sender: bytes


@dataclass(frozen=True, slots=True)
class GetCandidates:
    """What a block on the current tip should carry, best first, valid in this order. Tell; answered
    with Candidates, which bring the ``token`` back.
    """

    limit: int
    reply_to: Address[Candidates]
    token: object = None


# -- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidates:
    """Transactions for a template, as of the pool's ``revision``. Tell."""

    revision: int
    transactions: tuple[Transaction, ...]
    token: object = None


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """The pending transactions differ from those of an earlier revision. Tell."""

    revision: int


@dataclass(frozen=True, slots=True)
class TransactionAdded:
    """A transaction entered the pool, or was promoted. Event."""

    transaction: Transaction
    pending: bool


@dataclass(frozen=True, slots=True)
class TransactionRemoved:
    """A transaction left the pool without having been included. Event."""

    tx_id: bytes
    reason: RemovalReason


MempoolCommand = (
    SubmitTransaction
    | EvictTransaction
    | GetPool
    | ListPooled
    | GetPooled
    | GetFunds
    | GetCandidates
)
