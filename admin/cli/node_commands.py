"""``status`` and ``stop``: the node as a whole."""

from __future__ import annotations

import click
from troupe.admin.v1.node_service_pb2 import (
    NODE_STATE_STOPPING,
    GetNodeRequest,
    ShutdownNodeRequest,
    WatchNodeRequest,
)

from admin.cli import views
from admin.cli.client import StreamError
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session


@click.command(
    epilog=examples(
        "troupe status",
        "troupe status --data-dir ~/nodes/two",
        "troupe status -o json | jq .tip.number",
        "troupe status --watch -o jsonl | jq .hashes_per_s",
    )
)
@click.option("--watch", is_flag=True, help="Go on, a line for each change, until the node stops.")
@with_session
def status(session: Session, *, watch: bool) -> None:
    """Show the node at a glance."""
    client = session.client
    if watch:
        _watch(session)
        return
    data = as_data(client.call(client.node.GetNode, GetNodeRequest()).node)
    session.output.one(data, views.node(data))


def _watch(session: Session) -> None:
    client, state = session.client, None
    try:
        for response in client.stream(client.node.WatchNode, WatchNodeRequest()):
            data = as_data(response.node)
            session.output.next(data, views.node_line(data))
            state = response.node.state
    except StreamError as error:
        if error.reason != "STOPPING" or state != NODE_STATE_STOPPING:
            raise


@click.command(epilog=examples("troupe stop --data-dir ~/nodes/two"))
@with_session
def stop(session: Session) -> None:
    """Stop the node in order, as Ctrl-C does."""
    client = session.client
    client.call(client.node.ShutdownNode, ShutdownNodeRequest())
    session.output.one(
        {"address": client.address, "stopping": True}, f"The node at {client.address} is stopping."
    )
