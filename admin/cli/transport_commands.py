"""``transport``: the TCP connections."""

from __future__ import annotations

import click
from troupe.admin.v1.transport_service_pb2 import (
    CloseConnectionRequest,
    GetTransportRequest,
    ListConnectionsRequest,
)

from admin.cli import link_views
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session


@click.group(
    invoke_without_command=True,
    epilog=examples("troupe transport", "troupe transport connections", "troupe transport close 3"),
)
@with_session
def transport(session: Session) -> None:
    """Show the TCP connections, or close one."""
    if click.get_current_context().invoked_subcommand is None:
        _show(session)


@transport.command(
    epilog=examples(
        "troupe transport show", "troupe transport show -o json | jq .limits.max_connections"
    )
)
@with_session
def show(session: Session) -> None:
    """Show the transport in numbers: connections, bytes, frames, limits."""
    _show(session)


@transport.command(
    epilog=examples(
        "troupe transport connections",
        "troupe transport connections -o jsonl | jq 'select(.unsent_bytes > 0)'",
    )
)
@with_session
def connections(session: Session) -> None:
    """List the open connections, oldest first."""
    client = session.client
    listed = client.listing(client.transport.ListConnections, ListConnectionsRequest())
    data = list(map(as_data, listed))
    session.output.many(data, link_views.connections(data))


@transport.command(epilog=examples("troupe transport close 3"))
@click.argument("connection_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@with_session
def close(session: Session, connection_id: int) -> None:
    """Close a connection, named as `troupe transport connections` shows it."""
    client = session.client
    request = CloseConnectionRequest(connection_id=connection_id)
    client.call(client.transport.CloseConnection, request)
    session.output.one(
        {"connection_id": connection_id, "closing": True},
        f"Connection {connection_id} is closing.",
    )


def _show(session: Session) -> None:
    client = session.client
    data = as_data(client.call(client.transport.GetTransport, GetTransportRequest()).transport)
    session.output.one(data, link_views.transport(data))
