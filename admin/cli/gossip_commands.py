"""``gossip``: what nodes tell all their peers, watched and published."""

from __future__ import annotations

import uuid

import click
from troupe.admin.v1.gossip_service_pb2 import (
    GetGossipRequest,
    PublishRequest,
    SubscribeRequest,
)

from admin.cli import spread_views
from admin.cli.client import StreamError
from admin.cli.content import HEX_OPTION, content_of, with_hex
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe gossip",
        "troupe gossip subscribe chat",
        "troupe gossip publish my:kind hello",
    ),
)
@with_session
def gossip(session: Session) -> None:
    """Show what became of gossip, follow it, or publish some."""
    if click.get_current_context().invoked_subcommand is None:
        _status(session)


@gossip.command(
    epilog=examples(
        "troupe gossip status",
        "troupe gossip status -o json | jq '.kinds[] | select(.kind == \"chat\")'",
    )
)
@with_session
def status(session: Session) -> None:
    """Show what is remembered, and what became of the messages of each kind."""
    _status(session)


@gossip.command(
    epilog=examples(
        "troupe gossip publish my:kind hello",
        "troupe gossip publish my:kind 00ff --hex",
        "date | troupe gossip publish my:kind -",
    )
)
@click.argument("kind")
@click.argument("payload", metavar="PAYLOAD|-")
@HEX_OPTION
@with_session
def publish(session: Session, kind: str, payload: str, is_hex: bool) -> None:
    """Send a message to every peer; a dash takes the payload from standard input.

    Transactions, blocks and searches have commands of their own: submit, and search.
    """
    client = session.client
    request = PublishRequest(
        kind=kind, payload=content_of(payload, is_hex=is_hex), request_id=uuid.uuid4().hex
    )
    answer = client.call(client.gossip.Publish, request)
    data = {"kind": kind, **as_data(answer)}
    session.output.one(data, spread_views.published(data))


@gossip.command(
    epilog=examples(
        "troupe gossip subscribe",
        "troupe gossip subscribe chat my:kind",
        "troupe gossip subscribe bc:new_block -o jsonl | jq -r .payload",
    )
)
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@with_session
def subscribe(session: Session, kinds: tuple[str, ...]) -> None:
    """Follow messages as they come, until the node stops or Ctrl-C.

    The kinds that are named are passed on to other peers meanwhile, also where the node does not know
    them. Without any, messages of every kind are shown, and nothing more is passed on.
    """
    client = session.client
    try:
        for response in client.stream(client.gossip.Subscribe, SubscribeRequest(kinds=kinds)):
            if response.HasField("message"):
                message = response.message
                data = with_hex(message, payload=message.payload)
                session.output.next(data, spread_views.message(data, message.payload))
    except StreamError as error:
        if error.reason != "STOPPING":
            raise


def _status(session: Session) -> None:
    client = session.client
    data = as_data(client.call(client.gossip.GetGossip, GetGossipRequest()).gossip)
    session.output.one(data, *spread_views.gossip(data))
