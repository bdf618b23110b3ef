"""``chain``, ``block``, ``account`` and ``tx``: what is on the chain, or on its way there."""

from __future__ import annotations

import click
from troupe.admin.v1.chain_service_pb2 import (
    GetAccountRequest,
    GetBlockRequest,
    GetChainRequest,
    GetTransactionRequest,
    ListBlocksRequest,
)
from troupe.admin.v1.mempool_service_pb2 import MempoolServiceGetTransactionRequest
from troupe.admin.v1.wallet_service_pb2 import GetAddressRequest

from admin.cli import archive_commands, branch_commands, views
from admin.cli.client import Client
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.output import Data, as_data
from admin.cli.params import HASH_DIGITS, MAX_AMOUNT, BlockName, Hex
from admin.cli.session import Session, with_session

RECENT_BLOCKS = 10
"""They fit on the smallest screen together with the facts above them."""


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe chain",
        "troupe chain -n 3 --from 1000",
        "troupe chain -o json | jq -r '.blocks[].hash'",
        "troupe chain tips",
    ),
)
@click.option(
    "-n",
    "--blocks",
    type=click.IntRange(min=0),
    default=RECENT_BLOCKS,
    show_default=True,
    help="How many of the newest blocks to list.",
)
@click.option(
    "--from", "start", type=click.IntRange(0, MAX_AMOUNT), help="List from this number down."
)
@with_session
def chain(session: Session, blocks: int, start: int | None) -> None:
    """Show the chain and its newest blocks."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    client = session.client
    data = as_data(client.call(client.chain.GetChain, GetChainRequest()).chain)
    data["blocks"] = _newest(client, blocks, start)
    shown = (views.blocks(data["blocks"]),) if blocks else ()
    session.output.one(data, views.chain(data), *shown)


@chain.command(epilog=examples("troupe chain show", "troupe chain show -o json | jq .tip.number"))
@with_session
def show(session: Session) -> None:
    """Show the chain alone, without its blocks."""
    client = session.client
    data = as_data(client.call(client.chain.GetChain, GetChainRequest()).chain)
    session.output.one(data, views.chain(data))


@chain.command(
    "blocks",
    epilog=examples("troupe chain blocks", "troupe chain blocks -n 100 --from 1000 -o jsonl"),
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=RECENT_BLOCKS,
    show_default=True,
    help="How many to list.",
)
@click.option(
    "--from", "start", type=click.IntRange(0, MAX_AMOUNT), help="List from this number down."
)
@with_session
def blocks_(session: Session, limit: int, start: int | None) -> None:
    """List blocks of the canonical chain, the newest first."""
    data = _newest(session.client, limit, start)
    session.output.many(data, views.blocks(data))


def _newest(client: Client, limit: int, start: int | None) -> list[Data]:
    listed = client.listing(client.chain.ListBlocks, ListBlocksRequest(start_number=start), limit)
    return list(map(as_data, listed))


for command in (
    branch_commands.tips,
    branch_commands.accounts,
    branch_commands.invalidate,
    branch_commands.reconsider,
    archive_commands.verify,
    archive_commands.export_,
    archive_commands.import_,
):
    chain.add_command(command)


@click.command(
    epilog=examples(
        "troupe block 12", "troupe block tip", "troupe block tip -o json | jq -r .block.raw"
    )
)
@click.argument("which", type=BlockName(), metavar="HASH|NUMBER|tip")
@with_session
def block(session: Session, which: str | int) -> None:
    """Show a block.

    A hash finds it on any branch, a number on the canonical chain.
    """
    client = session.client
    if which == "tip":
        which = client.call(client.chain.GetChain, GetChainRequest()).chain.tip.hash
    request = GetBlockRequest()
    if isinstance(which, int):
        request.number = which
    else:
        request.hash = which
    data = as_data(client.call(client.chain.GetBlock, request))
    session.output.one(data, *views.block(data))


@click.command(
    epilog=examples(
        "troupe account", "troupe account --at 100", "troupe account -o json | jq .balance"
    )
)
@click.argument("address", type=Hex(), required=False)
@click.option(
    "--at",
    type=click.IntRange(0, MAX_AMOUNT),
    metavar="NUMBER",
    help="As of this block. [default: the tip]",
)
@with_session
def account(session: Session, address: str | None, at: int | None) -> None:
    """Show the balance and nonce of an address.

    Without one, of the node's own.
    """
    client = session.client
    if address is None:
        address = client.call(client.wallet.GetAddress, GetAddressRequest()).address
    request = GetAccountRequest(address=address, at_number=at)
    data = as_data(client.call(client.chain.GetAccount, request).account)
    session.output.one(data, views.account(data))


@click.command(
    epilog=examples("troupe tx 4c0f...", "troupe tx 4c0f... -o json | jq .confirmations")
)
@click.argument("id", type=Hex(digits=HASH_DIGITS), metavar="ID")
@with_session
def tx(session: Session, id: str) -> None:  # noqa: A002 - the parameter's name in the contract
    """Show a transaction, on the chain or in the mempool."""
    data = _included(session.client, id)
    session.output.one(data, views.transaction(data))


def _included(client: Client, tx_id: str) -> Data:
    """The transaction with its block, or without one when it still waits.

    Raises:
        CliError: there is none in the chain nor in the mempool.
    """
    try:
        answer = client.call(client.chain.GetTransaction, GetTransactionRequest(id=tx_id))
    except CliError as error:
        if error.reason != "TX_NOT_FOUND":
            raise
        return {**_pooled(client, tx_id), "block": None, "index": None, "confirmations": 0}
    return {**as_data(answer), "state": "included", "add_time": None}


def _pooled(client: Client, tx_id: str) -> Data:
    request = MempoolServiceGetTransactionRequest(id=tx_id)
    try:
        return as_data(client.call(client.mempool.GetTransaction, request).transaction)
    except CliError as error:
        if error.reason != "TX_NOT_IN_MEMPOOL":
            raise
        message = f"neither the chain nor the mempool has transaction {tx_id}"
        raise CliError(message, ExitCode.NOT_FOUND, reason="TX_NOT_FOUND") from error
