"""Between the house's values and the messages of the API: pure, field by field.

Inside the house hashes and addresses are bytes; on this surface they are lower-case hex (ADMIN_API).
"""
# ruff: noqa: D103 - each function converts the value that it names

from __future__ import annotations

import re

from google.protobuf import timestamp_pb2
from troupe.admin.v1 import (
    actor_service_pb2,
    chain_service_pb2,
    event_pb2,
    ledger_pb2,
    mempool_service_pb2,
    miner_service_pb2,
    peer_service_pb2,
)

from actors.chain.messages import (
    AccountView,
    BlockDigest,
    BlockOutcome,
    SyncProgress,
    SyncState,
    TipStatus,
    TipView,
)
from actors.ledger.network import Network
from actors.ledger.types import HASH_BYTES, Block, BlockRef, Transaction
from actors.mempool.messages import PooledTransaction
from actors.miner.messages import BlockTemplate, MinerInfo
from actors.peers.messages import PeerInfo, PeerKind
from actors.runtime.quarantine import Exhibit
from actors.runtime.supervisor import ActorReport, ActorState
from admin.errors import field_invalid

MAX_ADDRESS_DIGITS = 1_024
"""Far above any key; an address is a search key, not a place to store things."""
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_MICROS = 1_000_000

SYNC_STATES = {
    SyncState.IDLE: chain_service_pb2.SYNC_STATE_IDLE,
    SyncState.DOWNLOADING: chain_service_pb2.SYNC_STATE_DOWNLOADING,
    SyncState.WALKING_BACK: chain_service_pb2.SYNC_STATE_WALKING_BACK,
}
BLOCK_OUTCOMES = {
    BlockOutcome.CONNECTED: chain_service_pb2.BLOCK_OUTCOME_CONNECTED,
    BlockOutcome.SIDE_BRANCH: chain_service_pb2.BLOCK_OUTCOME_SIDE_BRANCH,
    BlockOutcome.ORPHAN: chain_service_pb2.BLOCK_OUTCOME_ORPHAN,
    BlockOutcome.VALID: chain_service_pb2.BLOCK_OUTCOME_VALID,
}
TIP_STATUSES = {
    TipStatus.CANONICAL: chain_service_pb2.TIP_STATUS_CANONICAL,
    TipStatus.VALID: chain_service_pb2.TIP_STATUS_VALID,
    TipStatus.UNEXECUTED: chain_service_pb2.TIP_STATUS_UNEXECUTED,
    TipStatus.INVALID: chain_service_pb2.TIP_STATUS_INVALID,
    TipStatus.INVALIDATED: chain_service_pb2.TIP_STATUS_INVALIDATED,
}
ACTOR_STATES = {
    ActorState.STARTING: actor_service_pb2.ACTOR_STATE_STARTING,
    ActorState.RUNNING: actor_service_pb2.ACTOR_STATE_RUNNING,
    ActorState.RESTARTING: actor_service_pb2.ACTOR_STATE_RESTARTING,
    ActorState.STOPPED: actor_service_pb2.ACTOR_STATE_STOPPED,
}
PEER_KINDS = {
    PeerKind.UNKNOWN: peer_service_pb2.PEER_KIND_UNSPECIFIED,
    PeerKind.TROUPE: peer_service_pb2.PEER_KIND_TROUPE,
    PeerKind.LEGACY: peer_service_pb2.PEER_KIND_LEGACY,
}


# -- out ------------------------------------------------------------------------------------------


def timestamp(unix_s: float) -> timestamp_pb2.Timestamp:
    """A point in time from seconds since 1970-01-01 UTC."""
    seconds, micros = divmod(round(unix_s * _MICROS), _MICROS)  # as fine as a float of today
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=1_000 * micros)


def block_ref(ref: BlockRef) -> ledger_pb2.BlockRef:
    return ledger_pb2.BlockRef(number=ref.number, hash=ref.hash.hex())


def transaction(tx: Transaction) -> ledger_pb2.Transaction:
    return ledger_pb2.Transaction(
        id=tx.id.hex(),
        sender=tx.sender.hex(),
        recipient=tx.recipient.hex(),
        nonce=tx.nonce,
        amount=tx.amount,
        signature=tx.signature.hex(),
        raw=tx.raw,
    )


def block_summary(digest: BlockDigest) -> ledger_pb2.BlockSummary:
    return ledger_pb2.BlockSummary(
        number=digest.number,
        hash=digest.hash.hex(),
        parent_hash=digest.parent_hash.hex(),
        coinbase=digest.coinbase.hex(),
        transaction_count=digest.transaction_count,
        size_bytes=digest.size_bytes,
    )


def whole_block(block: Block) -> ledger_pb2.Block:
    return ledger_pb2.Block(
        number=block.number,
        hash=block.hash.hex(),
        parent_hash=block.parent_hash.hex(),
        nonce=block.nonce,
        coinbase=block.coinbase.hex(),
        transactions=[transaction(tx) for tx in block.transactions],
        raw=block.raw,
    )


def account(view: AccountView) -> ledger_pb2.Account:
    return ledger_pb2.Account(
        address=view.address.hex(),
        balance=view.account.balance,
        nonce=view.account.nonce,
        at=block_ref(view.at),
    )


def tip(view: TipView) -> chain_service_pb2.Tip:
    return chain_service_pb2.Tip(
        block=block_ref(view.tip),
        status=TIP_STATUSES[view.status],
        fork=block_ref(view.fork),
        branch_length=view.length,
    )


def sync_progress(progress: SyncProgress | None) -> chain_service_pb2.JobProgress | None:
    """How far a sync is; None: there is none."""
    if progress is None:
        return None
    return chain_service_pb2.JobProgress(
        unit=chain_service_pb2.PROGRESS_UNIT_BLOCKS,
        done_count=progress.done,
        total_count=progress.total,
        per_s=progress.blocks_per_s,
        remaining_s=progress.left_s,
    )


def network(definition: Network) -> ledger_pb2.Network:
    return ledger_pb2.Network(
        name=definition.name,
        key_scheme=definition.key_scheme,
        difficulty=definition.difficulty,
        block_reward=definition.block_reward,
        max_transactions_per_block=definition.max_transactions_per_block,
        genesis_coinbase=definition.genesis_coinbase.hex(),
        allow_generate=definition.allow_generate,
    )


def transaction_state(pending: bool) -> mempool_service_pb2.TransactionState.ValueType:
    """Where a pooled transaction stands."""
    if pending:
        return mempool_service_pb2.TRANSACTION_STATE_PENDING
    return mempool_service_pb2.TRANSACTION_STATE_QUEUED


def pooled_transaction(pooled: PooledTransaction) -> mempool_service_pb2.PooledTransaction:
    return mempool_service_pb2.PooledTransaction(
        transaction=transaction(pooled.transaction),
        state=transaction_state(pooled.pending),
        add_time=timestamp(pooled.added_s),
    )


def peer(info: PeerInfo, now_unix_s: float) -> peer_service_pb2.Peer:
    """A peer as of now."""
    return peer_service_pb2.Peer(
        address=info.peer,
        remote_address=info.remote,
        initiated=info.initiated,
        kind=PEER_KINDS[info.kind],
        agent=info.agent or "",
        height=info.height,
        connect_time=timestamp(now_unix_s - info.connected_s),
        connection_ids=info.conns,
        verified=info.verified,
        listed=info.listed,
        score=info.score,
    )


def actor(report: ActorReport) -> actor_service_pb2.Actor:
    box = report.mailbox
    return actor_service_pb2.Actor(
        name=report.name,
        state=ACTOR_STATES[report.state],
        mailbox_depth=box.depth,
        mailbox_age_s=box.age_s,
        handled_count=box.handled,
        failed_count=box.failed,
        dropped_count=box.dropped,
        restart_count=report.restarts,
        handling_p50_s=box.handling_p50_s,
        handling_p99_s=box.handling_p99_s,
        last_error=legible(report.last_error or ""),
        requested_restart_count=report.requested_restarts,
        restart_group=report.group,
        lost_count=box.lost,
    )


def legible(text: str) -> str:
    """A text as protobuf takes it: with an escape for a lone surrogate, such as a path may have."""
    return text.encode(errors="backslashreplace").decode()


def exhibit(item: Exhibit, *, with_frames: bool) -> actor_service_pb2.Exhibit:
    find = item.find
    return actor_service_pb2.Exhibit(
        id=item.id,
        time=timestamp(item.at_s),
        actor=find.actor,
        letter=find.letter,
        error=legible(find.error),
        peer=find.peer,
        fingerprint=find.fingerprint.hex(),
        version=item.version,
        frame_count=len(find.frames),
        size_bytes=item.size_bytes,
        frames=[
            actor_service_pb2.ExhibitFrame(kind=frame.kind, payload=frame.payload.hex())
            for frame in (find.frames if with_frames else ())
        ],
    )


def miner(info: MinerInfo) -> miner_service_pb2.Miner:
    return miner_service_pb2.Miner(
        mining=info.mining,
        threads=info.threads,
        coinbase=info.coinbase.hex(),
        hashes_per_s=info.hash_rate,
        hash_count=info.hashes,
        found_block_count=info.blocks_found,
        stale_block_count=info.blocks_stale,
        template_number=info.template_height,
        engine=info.engine,
        native=info.native,
        engine_note=info.engine_note,
    )


def block_template(made: BlockTemplate) -> miner_service_pb2.BlockTemplate:
    return miner_service_pb2.BlockTemplate(
        parent=block_ref(made.parent),
        number=made.block.number,
        coinbase=made.block.coinbase.hex(),
        transactions=list(map(transaction, made.block.transactions)),
        difficulty=made.difficulty,
        prefix=made.prefix,
        suffix=made.suffix,
    )


def position(epoch: str, sequence: int) -> event_pb2.EventPosition:
    return event_pb2.EventPosition(epoch=epoch, sequence=sequence)


# -- in -------------------------------------------------------------------------------------------


def hash_bytes(field: str, digits: str) -> bytes:
    """A hash or transaction id from its hex digits.

    Raises:
        Refusal: FIELD_INVALID.
    """
    if len(digits) != 2 * HASH_BYTES or not _HEX.fullmatch(digits):
        raise field_invalid(field, f"must be {2 * HASH_BYTES} lower-case hex digits")
    return bytes.fromhex(digits)


def address_bytes(field: str, digits: str) -> bytes:
    """An address from its hex digits; whether anybody has its key is not asked here.

    Raises:
        Refusal: FIELD_INVALID.
    """
    if not digits or len(digits) > MAX_ADDRESS_DIGITS or not _HEX.fullmatch(digits):
        raise field_invalid(
            field, f"must be lower-case hex of even length, 2 to {MAX_ADDRESS_DIGITS} digits"
        )
    return bytes.fromhex(digits)
