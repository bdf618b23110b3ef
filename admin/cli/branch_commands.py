"""``chain tips``, ``accounts``, ``invalidate`` and ``reconsider``: the branches, and which is followed."""

from __future__ import annotations

from typing import Final

import click
from troupe.admin.v1.chain_service_pb2 import (
    InvalidateBlockRequest,
    ListAccountsRequest,
    ListTipsRequest,
    ReconsiderBlockRequest,
)

from admin.cli import branch_views
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.params import HASH_DIGITS, MAX_AMOUNT, Hex
from admin.cli.session import Session, with_session

DEFAULT_LIMIT: Final = 50
"""A few screens: a chain may have a million accounts."""
STEER_DEADLINE_S: Final = 65.0
"""The node takes up to 60 s for the longest reorganisation that it agrees to."""

_LIMIT = click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Most to list.",
)
_ALL = click.option("--all", "everything", is_flag=True, help="List all, however many there are.")
_HASH = click.argument("hash", type=Hex(digits=HASH_DIGITS), metavar="HASH")


@click.command(
    "tips",
    epilog=examples(
        "troupe chain tips",
        "troupe chain tips --all -o jsonl | jq -r 'select(.status == \"invalidated\") | .block.hash'",
    ),
)
@_LIMIT
@_ALL
@with_session
def tips(session: Session, limit: int, everything: bool) -> None:
    """List the end of every branch, the highest first."""
    client = session.client
    listed = client.listing(client.chain.ListTips, ListTipsRequest(), None if everything else limit)
    data = list(map(as_data, listed))
    session.output.many(data, branch_views.tips(data))


@click.command(
    "accounts",
    epilog=examples(
        "troupe chain accounts",
        "troupe chain accounts --at 100 --all",
        "troupe chain accounts --all -o json | jq 'sort_by(-.balance)[:10]'",
    ),
)
@_LIMIT
@_ALL
@click.option(
    "--at",
    type=click.IntRange(0, MAX_AMOUNT),
    metavar="NUMBER",
    help="As of this block. [default: the tip]",
)
@with_session
def accounts(session: Session, limit: int, everything: bool, at: int | None) -> None:
    """List accounts by address, all as of one block."""
    client = session.client
    listed = client.listing(
        client.chain.ListAccounts,
        ListAccountsRequest(at_number=at),
        None if everything else limit,
    )
    data = list(map(as_data, listed))
    session.output.many(data, branch_views.accounts(data))


@click.command(
    "invalidate",
    epilog=examples(
        "troupe chain invalidate 0a1b...",
        "troupe chain invalidate $(troupe block tip -o json | jq -r .block.hash)",
    ),
)
@_HASH
@with_session
def invalidate(session: Session, hash: str) -> None:  # noqa: A002 - the field's name
    """Treat a block and all that stands on it as invalid.

    The node goes to the best branch that is left, and stays off this one, also after a restart, until
    `troupe chain reconsider`.
    """
    client = session.client
    answer = client.call(
        client.chain.InvalidateBlock,
        InvalidateBlockRequest(hash=hash),
        deadline_s=STEER_DEADLINE_S,
    )
    data = as_data(answer)
    done = "is invalidated" if data["changed"] else "was invalid already"
    session.output.one({"hash": hash, **data}, branch_views.steered(data, f"Block {hash} {done}."))


@click.command(
    "reconsider",
    epilog=examples("troupe chain reconsider 0a1b...", "troupe chain tips  # names the blocks"),
)
@_HASH
@with_session
def reconsider(session: Session, hash: str) -> None:  # noqa: A002 - the field's name
    """Take back what `troupe chain invalidate` said of a block and its ancestors.

    The hash of a tip will do. The node goes to the best branch.
    """
    client = session.client
    answer = client.call(
        client.chain.ReconsiderBlock,
        ReconsiderBlockRequest(hash=hash),
        deadline_s=STEER_DEADLINE_S,
    )
    data = as_data(answer)
    done = "is invalidated no more" if data["changed"] else "was not invalidated"
    session.output.one({"hash": hash, **data}, branch_views.steered(data, f"Block {hash} {done}."))
