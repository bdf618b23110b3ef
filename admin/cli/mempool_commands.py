"""``mempool``: transactions that wait for a block."""

from __future__ import annotations

import click
from troupe.admin.v1.mempool_service_pb2 import (
    EvictTransactionRequest,
    GetMempoolRequest,
    ListTransactionsRequest,
    MempoolServiceGetTransactionRequest,
)

from admin.cli import views
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.params import HASH_DIGITS, Hex
from admin.cli.session import Session, with_session
from admin.cli.text import plural

LISTED_TRANSACTIONS = 50

_ID = click.argument("tx_id", type=Hex(digits=HASH_DIGITS), metavar="ID")


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe mempool",
        "troupe mempool -o json | jq .pending_count",
        "troupe mempool evict 4c0f...",
    ),
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=LISTED_TRANSACTIONS,
    show_default=True,
    help="How many transactions to list.",
)
@click.option("--sender", type=Hex(), help="Only transactions of this sender.")
@with_session
def mempool(session: Session, limit: int, sender: str | None) -> None:
    """Show the mempool and the transactions that wait in it."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    client = session.client
    data = as_data(client.call(client.mempool.GetMempool, GetMempoolRequest()).mempool)
    listed = client.listing(
        client.mempool.ListTransactions, ListTransactionsRequest(sender=sender or ""), limit
    )
    data["transactions"] = list(map(as_data, listed))
    facts, listing = views.mempool(data)
    session.output.one(data, facts, *((listing,) if limit else ()))


@mempool.command(epilog=examples("troupe mempool show 4c0f..."))
@_ID
@with_session
def show(session: Session, tx_id: str) -> None:
    """Show one transaction of the mempool.

    `troupe tx` finds it on the chain, too.
    """
    client = session.client
    request = MempoolServiceGetTransactionRequest(id=tx_id)
    data = as_data(client.call(client.mempool.GetTransaction, request).transaction)
    session.output.one(data, views.transaction({**data, "block": None}))


@mempool.command(
    epilog=examples(
        "troupe mempool evict 4c0f...",
        "troupe mempool evict 4c0f... -o json | jq -r .transaction.raw > kept.txt",
    )
)
@_ID
@with_session
def evict(session: Session, tx_id: str) -> None:
    """Remove one transaction from this node's mempool.

    Other nodes that have it keep it, and may bring it back.
    """
    client = session.client
    data = as_data(client.call(client.mempool.EvictTransaction, EvictTransactionRequest(id=tx_id)))
    queued = len(data["queued_ids"])
    rest = f"; {plural(queued, 'later one')} of its sender queued" if queued else ""
    session.output.one(data, f"Transaction {tx_id} is evicted{rest}.")
