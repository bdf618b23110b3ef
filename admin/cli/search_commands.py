"""``search``: asks the network, and has the node answer others."""

from __future__ import annotations

from typing import Final

import click
from troupe.admin.v1.search_service_pb2 import (
    ListItemsRequest,
    ProvideItemRequest,
    SearchRequest,
    WithdrawItemRequest,
)

from admin.cli import spread_views
from admin.cli.content import HEX_OPTION, content_of, text_of, with_hex
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.params import NumberRange
from admin.cli.session import Session, with_session

BLOCK: Final = "block"
"""Its queries are hashes, and given in hex."""
MAX_TIMEOUT_S: Final = 30.0
"""ADMIN_API: the longest search."""

_KIND = click.argument("kind")
_QUERY = click.argument("query")


class SearchGroup(click.Group):
    """What is no command of the group is what to look for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = [str(find.name), *args]
        return super().resolve_command(ctx, args)


@click.group(
    cls=SearchGroup,
    epilog=examples(
        "troupe search block 4c0f...",
        "troupe search note motto",
        "troupe search provide note motto 'all the world'",
        "troupe search items",
    ),
)
@with_session
def search(_session: Session) -> None:
    """Search the network: troupe search KIND QUERY; or answer others."""


@search.command(
    epilog=examples(
        "troupe search find block 4c0f...",
        "troupe search find note motto --timeout 2",
        "troupe search find note motto -o jsonl | jq -r .payload",
    )
)
@_KIND
@_QUERY
@HEX_OPTION
@click.option(
    "--timeout",
    "timeout_s",
    type=NumberRange(0.001, MAX_TIMEOUT_S),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help=f"How long to wait for answers, at most {MAX_TIMEOUT_S:g}.",
)
@with_session
def find(session: Session, kind: str, query: str, is_hex: bool, timeout_s: float) -> None:
    """Ask all peers, and show each answer as it comes.

    `find` may be left out. The query of a block is its hash.
    """
    client = session.client
    request = SearchRequest(
        kind=kind,
        query=content_of(query, is_hex=is_hex or kind == BLOCK),
        timeout_ms=round(1_000 * timeout_s),
    )
    found = False
    for response in client.stream(client.search.Search, request):
        found, answer = True, response.answer
        data = with_hex(answer, payload=answer.payload)
        session.output.next(data, spread_views.answer(data, answer.payload))
    if not found:
        message = f"nobody answered within {timeout_s:g} s"
        raise CliError(message, ExitCode.NOT_FOUND)


@search.command(
    epilog=examples("troupe search items", "troupe search items --kind note -o json | jq length")
)
@click.option("--kind", default="", metavar="KIND", help="Only items of this kind.")
@with_session
def items(session: Session, kind: str) -> None:
    """List what the node answers searches with."""
    client = session.client
    data = [
        with_hex(each, query=each.query)
        for each in client.listing(client.search.ListItems, ListItemsRequest(kind=kind))
    ]
    session.output.many(data, spread_views.items(data))


@search.command(
    epilog=examples(
        "troupe search provide note motto 'all the world'",
        "troupe search provide file picture.png - <picture.png",
    )
)
@_KIND
@_QUERY
@click.argument("item", metavar="ITEM|-")
@click.option("--hex", "is_hex", is_flag=True, help="The query is given in hex.")
@with_session
def provide(session: Session, kind: str, query: str, item: str, is_hex: bool) -> None:
    """Answer searches of a kind and query with an item, until the node stops.

    A dash takes the item from standard input.
    """
    client = session.client
    request = ProvideItemRequest(
        kind=kind, query=content_of(query, is_hex=is_hex), item=content_of(item)
    )
    answer = client.call(client.search.ProvideItem, request)
    before = "was provided already" if answer.already_provided else "is provided"
    named = text_of(query)
    data = {"kind": kind, "query": named, **as_data(answer)}
    session.output.one(data, f"{kind} {named} {before}.")


@search.command(
    epilog=examples("troupe search withdraw note motto", "troupe search withdraw note 00ff --hex")
)
@_KIND
@_QUERY
@click.option("--hex", "is_hex", is_flag=True, help="The query is given in hex.")
@with_session
def withdraw(session: Session, kind: str, query: str, is_hex: bool) -> None:
    """Answer with an item no more."""
    client = session.client
    request = WithdrawItemRequest(kind=kind, query=content_of(query, is_hex=is_hex))
    client.call(client.search.WithdrawItem, request)
    named = text_of(query)
    data = {"kind": kind, "query": named, "withdrawn": True}
    session.output.one(data, f"{kind} {named} is withdrawn.")
