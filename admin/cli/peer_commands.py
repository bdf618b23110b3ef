"""``peers``: who the node is connected to."""

from __future__ import annotations

import click
from troupe.admin.v1.peer_service_pb2 import (
    ConnectPeerRequest,
    DisconnectPeerRequest,
    ListPeersRequest,
)

from admin.cli import views
from admin.cli.client import CONNECT_PEER_DEADLINE_S, pages
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.params import HostPort
from admin.cli.session import Session, with_session


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe peers",
        "troupe peers connect 192.0.2.7:18750",
        "troupe peers disconnect 192.0.2.7:18750",
    ),
)
@with_session
def peers(session: Session) -> None:
    """List the peers, or connect and disconnect one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    client = session.client

    def fetch(size: int, token: str) -> tuple[list[object], str]:
        request = ListPeersRequest(page_size=size, page_token=token)
        answer = client.call(client.peers.ListPeers, request)
        return list(answer.peers), answer.next_page_token

    data = [as_data(each) for each in pages(fetch, None)]
    session.output.many(data, views.peers(data))


@peers.command(epilog=examples("troupe peers connect 192.0.2.7:18750"))
@click.argument("address", type=HostPort(any_port=False), metavar="HOST:PORT")
@with_session
def connect(session: Session, address: str) -> None:
    """Connect to a node, and wait until it accepts."""
    client = session.client
    answer = client.call(
        client.peers.ConnectPeer,
        ConnectPeerRequest(address=address),
        deadline_s=CONNECT_PEER_DEADLINE_S,
    )
    before = "was connected already" if answer.already_connected else "is connected"
    session.output.one({"address": address, **as_data(answer)}, f"{address} {before}.")


@peers.command(epilog=examples("troupe peers disconnect 192.0.2.7:18750"))
@click.argument("address", type=HostPort(any_port=False), metavar="HOST:PORT")
@with_session
def disconnect(session: Session, address: str) -> None:
    """Close every connection to a peer, named as `troupe peers` shows it."""
    client = session.client
    client.call(client.peers.DisconnectPeer, DisconnectPeerRequest(address=address))
    session.output.one({"address": address, "disconnected": True}, f"{address} is disconnected.")
