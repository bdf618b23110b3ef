"""``miner`` and ``mine``: looking for blocks."""

from __future__ import annotations

import click
from troupe.admin.v1.miner_service_pb2 import (
    GenerateBlocksRequest,
    GetBlockTemplateRequest,
    GetMinerRequest,
    Miner,
    StartMiningRequest,
    StopMiningRequest,
    UpdateMinerRequest,
)

from actors.config import MAX_THREADS
from admin.cli import miner_views, views
from admin.cli.help import examples
from admin.cli.options import Format
from admin.cli.output import Data, as_data
from admin.cli.params import Hex
from admin.cli.progress import progress
from admin.cli.session import Session, with_session
from admin.cli.text import count, plural

MAX_GENERATED = 10_000
"""ADMIN_API: the most that one call generates."""

_THREADS = click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    metavar="N",
    help="How many threads. [default: as before]",
)
_COINBASE = click.option(
    "--coinbase", type=Hex(), help="The address to credit. [default: as configured]"
)


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe miner", "troupe miner start --threads 2", "troupe miner update --threads 4"
    ),
)
@with_session
def miner(session: Session) -> None:
    """Start, direct and stop the miner, or show what it does."""
    if click.get_current_context().invoked_subcommand is None:
        _status(session)


@miner.command(epilog=examples("troupe miner start", "troupe miner start --threads 2"))
@_THREADS
@_COINBASE
@with_session
def start(session: Session, threads: int | None, coinbase: str | None) -> None:
    """Start mining, or go on with other threads or another coinbase."""
    client = session.client
    request = StartMiningRequest(threads=threads, coinbase=coinbase)
    _show(session, client.call(client.miner.StartMining, request).miner)


@miner.command(
    epilog=examples("troupe miner update --threads 4", "troupe miner update --coinbase HEX")
)
@_THREADS
@_COINBASE
@with_session
def update(session: Session, threads: int | None, coinbase: str | None) -> None:
    """Change threads or coinbase, whether it mines now or not; other threads lose no work."""
    if threads is None and coinbase is None:
        message = "Nothing to change: give --threads, --coinbase or both."
        raise click.UsageError(message)
    client = session.client
    request = UpdateMinerRequest(threads=threads, coinbase=coinbase)
    _show(session, client.call(client.miner.UpdateMiner, request).miner)


@miner.command(epilog=examples("troupe miner stop"))
@with_session
def stop(session: Session) -> None:
    """Stop mining at once."""
    client = session.client
    _show(session, client.call(client.miner.StopMining, StopMiningRequest()).miner)


@miner.command(epilog=examples("troupe miner status -o json | jq .hashes_per_s"))
@with_session
def status(session: Session) -> None:
    """Show what the miner does and has done."""
    _status(session)


@miner.command(
    epilog=examples(
        "troupe miner template",
        "troupe miner template -o json | jq -r '.prefix, .suffix, .difficulty'",
    )
)
@_COINBASE
@with_session
def template(session: Session, coinbase: str | None) -> None:
    """Show the block that would be looked for now, for a miner outside of the node.

    The SHA-256 of its prefix, a decimal nonce and its suffix must begin with as many zero hex digits
    as the difficulty says; `troupe submit block` takes the whole.
    """
    client = session.client
    request = GetBlockTemplateRequest(coinbase=coinbase)
    data = as_data(client.call(client.miner.GetBlockTemplate, request).template)
    session.output.one(data, *miner_views.template(data))


def _status(session: Session) -> None:
    client = session.client
    _show(session, client.call(client.miner.GetMiner, GetMinerRequest()).miner)


def _show(session: Session, message: Miner) -> None:
    data = as_data(message)
    session.output.one(data, views.miner(data))


@click.command(epilog=examples("troupe mine 3", "troupe mine 10 -o jsonl"))
@click.argument("number", type=click.IntRange(1, MAX_GENERATED), metavar="N")
@_COINBASE
@with_session
def mine(session: Session, number: int, coinbase: str | None) -> None:
    """Mine N blocks now, where the network allows it (dev does)."""
    client = session.client
    request = GenerateBlocksRequest(count=number, coinbase=coinbase)
    last: Data = {}
    with progress("mining", number, "blocks") as advance:
        for answer in client.stream(client.miner.GenerateBlocks, request):
            last = as_data(answer)
            advance(answer.done_count)
            if session.output.form is Format.JSONL:
                session.output.next(last, "")
    if session.output.form is Format.JSON and last:
        session.output.one(last)
    if session.output.for_people and last:
        tip = last["block"]
        click.echo(
            f"Mined {plural(last['done_count'], 'block')};"
            f" the newest is {count(tip['number'])}, {tip['hash']}."
        )
