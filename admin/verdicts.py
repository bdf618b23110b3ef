"""The actors' verdicts as refusals: which code of a room is which reason of the API."""

from __future__ import annotations

from collections.abc import Mapping

from troupe.admin.v1 import errors_pb2

from actors.chain.messages import (
    MAX_STEERED_BLOCKS,
    BlockOutcome,
    BlockVerdict,
    SteerOutcome,
    SteerVerdict,
)
from actors.chain.replay import ScratchError
from actors.chain.schema import StoreError, UnwritableError
from actors.ledger.violation import Rule, Violation
from actors.mempool.messages import Admission, Submission
from actors.miner.messages import MinerRefusal
from actors.peers.bans import MAX_BANS
from actors.peers.messages import BanRefusal, ConnectOutcome
from admin.errors import ReasonValue, Refusal, field_invalid


def submission_refusal(submission: Submission) -> Refusal | None:
    """Why a transaction was not admitted; None when it was."""
    match submission.admission:
        case Admission.PENDING | Admission.QUEUED:
            return None
        case Admission.REJECTED:
            return _transaction_refusal(submission)
        case Admission.KNOWN:
            reason, message = errors_pb2.ERROR_REASON_TX_IN_MEMPOOL, "it is in the mempool already"
        case Admission.NONCE_TAKEN:
            reason = errors_pb2.ERROR_REASON_NONCE_TAKEN
            message = "another transaction of the sender with that nonce is in the mempool"
        case Admission.SENDER_FULL:
            reason = errors_pb2.ERROR_REASON_SENDER_FULL
            message = "the sender has as many transactions in the mempool as one may"
        case Admission.POOL_FULL:
            reason, message = errors_pb2.ERROR_REASON_MEMPOOL_FULL, "the mempool is full"
    return Refusal(reason, message, tx_id=_hex(submission.tx_id))


def beyond_balance(amount: int, spendable: int) -> Refusal:
    """Why a transfer of our own was not signed."""
    left = max(0, spendable)
    return Refusal(
        errors_pb2.ERROR_REASON_TX_REJECTED,
        f"the amount {amount} exceeds what is left to spend, {left}",
        rule=Rule.BALANCE.value,
        spendable=str(left),
    )


def block_refusal(verdict: BlockVerdict) -> Refusal | None:
    """Why a submitted block was not taken; None when it was."""
    if verdict.outcome is BlockOutcome.KNOWN:
        return Refusal(
            errors_pb2.ERROR_REASON_BLOCK_KNOWN,
            "the block is stored already",
            block_hash=_hex(verdict.hash),
        )
    if verdict.outcome is BlockOutcome.INVALIDATED:
        return Refusal(
            errors_pb2.ERROR_REASON_BLOCK_INVALIDATED,
            "the block, or one that it stands on, is treated as invalid by InvalidateBlock",
            block_hash=_hex(verdict.hash),
        )
    if verdict.outcome is BlockOutcome.UNSTORED:
        return unstored()
    if verdict.outcome is not BlockOutcome.INVALID:
        return None
    rule, detail = _broken(verdict.violation)
    if verdict.hash is None:
        reason = errors_pb2.ERROR_REASON_BLOCK_MALFORMED
        return Refusal(reason, f"raw is no block: {detail}", field="raw", rule=rule)
    metadata = {"rule": rule, "block_hash": verdict.hash.hex()}
    if verdict.violation is not None and verdict.violation.transaction_index is not None:
        metadata["transaction_index"] = str(verdict.violation.transaction_index)
    return Refusal(errors_pb2.ERROR_REASON_BLOCK_REJECTED, f"invalid block: {detail}", **metadata)


def steer_refusal(verdict: SteerVerdict, block_hash: str) -> Refusal | None:
    """Why an operator's word about a block was not followed; None when it was."""
    match verdict.outcome:
        case SteerOutcome.DONE | SteerOutcome.UNCHANGED:
            return None
        case SteerOutcome.NOT_FOUND:
            message = f"no block of hash {block_hash} is stored"
            return Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, message)
        case SteerOutcome.GENESIS:
            message = "genesis cannot be invalidated: every chain stands on it"
            return Refusal(errors_pb2.ERROR_REASON_GENESIS_FIXED, message)
        case SteerOutcome.TOO_DEEP:
            message = (
                f"more than {MAX_STEERED_BLOCKS:,} blocks would leave and join the canonical chain"
            )
            reason = errors_pb2.ERROR_REASON_REORG_TOO_DEEP
            return Refusal(reason, message, limit=str(MAX_STEERED_BLOCKS))
        case SteerOutcome.UNSTORED:
            return unstored()


def unstored() -> Refusal:
    """Of what a store takes nothing of for now; NodeService says why."""
    message = (
        "the node can store nothing for now: `troupe status` says why; it tries again by itself"
    )
    return Refusal(errors_pb2.ERROR_REASON_STORE_UNWRITABLE, message)


def store_refusal(error: StoreError) -> Refusal:
    """Of what the disk does not give back, or has no room for on the way."""
    if isinstance(error, ScratchError | UnwritableError):
        return Refusal(errors_pb2.ERROR_REASON_STORE_UNWRITABLE, str(error))
    return Refusal(errors_pb2.ERROR_REASON_STORE_UNREADABLE, str(error))


def connect_refusal(outcome: ConnectOutcome, address: str) -> Refusal | None:
    """Why an address did not become a peer; None when it is one."""
    match outcome:
        case ConnectOutcome.CONNECTED | ConnectOutcome.ALREADY_CONNECTED:
            return None
        case ConnectOutcome.BAD_ADDRESS:
            return field_invalid("address", "must be host:port of an IPv4 address or a name")
        case ConnectOutcome.OURSELVES:
            reason = errors_pb2.ERROR_REASON_PEER_IS_OURSELVES
            return Refusal(reason, f"{address} is this node itself", field="address")
        case ConnectOutcome.REJECTED:
            reason, message = errors_pb2.ERROR_REASON_PEER_REJECTED, "rejected our hello"
        case ConnectOutcome.UNREACHABLE:
            reason, message = errors_pb2.ERROR_REASON_PEER_UNREACHABLE, "cannot be reached"
        case ConnectOutcome.NO_ANSWER:
            reason, message = errors_pb2.ERROR_REASON_PEER_NO_ANSWER, "did not answer our hello"
        case ConnectOutcome.BANNED:
            reason, message = errors_pb2.ERROR_REASON_PEER_BANNED, "is banned"
        case ConnectOutcome.BUSY:
            reason, message = (
                errors_pb2.ERROR_REASON_PEERS_BUSY,
                "has to wait: too many connections",
            )
    return Refusal(reason, f"{address} {message}")


def ban_refusal(outcome: BanRefusal) -> Refusal:
    """Why a ban was not made or lifted."""
    match outcome:
        case BanRefusal.BAD_TARGET:
            return field_invalid(
                "target", "must be an IP address, or on loopback host:port of one node"
            )
        case BanRefusal.TOO_MANY:
            message = f"{MAX_BANS} bans are in force, and that is the limit"
            return Refusal(errors_pb2.ERROR_REASON_TOO_MANY_BANS, message, limit=str(MAX_BANS))


_MINER: Mapping[MinerRefusal, tuple[ReasonValue, str]] = {
    MinerRefusal.NO_COINBASE: (
        errors_pb2.ERROR_REASON_NO_COINBASE,
        "neither the request nor the settings name a coinbase",
    ),
    MinerRefusal.GENERATE_NOT_ALLOWED: (
        errors_pb2.ERROR_REASON_GENERATE_NOT_ALLOWED,
        "this network does not allow generating blocks",
    ),
    MinerRefusal.BUSY: (errors_pb2.ERROR_REASON_MINER_BUSY, "the miner is generating a block"),
    MinerRefusal.STOPPED: (
        errors_pb2.ERROR_REASON_MINING_STOPPED,
        "mining was stopped before the block was found",
    ),
    MinerRefusal.UNSTORED: (
        errors_pb2.ERROR_REASON_STORE_UNWRITABLE,
        "the node can store no block for now: `troupe status` says why; it tries again by itself",
    ),
}


def miner_refusal(refusal: MinerRefusal) -> Refusal:
    """Why the miner did not do as it was told."""
    match refusal:
        case MinerRefusal.BAD_COINBASE:
            return field_invalid("coinbase", "must be a public key of the network's scheme")
        case MinerRefusal.BAD_THREADS:
            return field_invalid("threads", "must be a number of threads that the miner can run")
        case MinerRefusal.BLOCK_REJECTED:
            message = "the chain rejected the block that was mined"
            return Refusal(errors_pb2.ERROR_REASON_BLOCK_REJECTED, message, rule="", block_hash="")
        case _:
            reason, message = _MINER[refusal]
            return Refusal(reason, message)


def _transaction_refusal(submission: Submission) -> Refusal:
    rule, detail = _broken(submission.violation)
    if submission.tx_id is None:
        reason = errors_pb2.ERROR_REASON_TX_MALFORMED
        return Refusal(reason, f"raw is no transaction: {detail}", field="raw", rule=rule)
    tx_id = submission.tx_id.hex()
    reason = errors_pb2.ERROR_REASON_TX_REJECTED
    return Refusal(reason, f"the transaction is rejected: {detail}", rule=rule, tx_id=tx_id)


def _broken(violation: Violation | None) -> tuple[str, str]:
    """The rule's word and the sentence about it; a verdict without one is a malformed input's."""
    if violation is None:
        return Rule.MALFORMED.value, "not in canonical form"
    return violation.rule.value, violation.detail


def _hex(value: bytes | None) -> str:
    return "" if value is None else value.hex()
