"""``peers``: who the node is connected to, knows of, or wants nothing to do with."""

from __future__ import annotations

import click
from troupe.admin.v1.peer_service_pb2 import (
    ConnectPeerRequest,
    CreateBanRequest,
    DeleteBanRequest,
    DisconnectPeerRequest,
    GetPeerRequest,
    GetPeerSlotsRequest,
    GetTopologyRequest,
    ListAddressesRequest,
    ListBansRequest,
    ListPeersRequest,
)

from admin.cli import peer_views, views
from admin.cli.client import CONNECT_PEER_DEADLINE_S
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.params import HostPort, Seconds
from admin.cli.session import Session, with_session
from admin.cli.text import plural

DEFAULT_TOPOLOGY_S = 5
MAX_TOPOLOGY_S = 30
TOPOLOGY_MARGIN_S = 10.0
"""GetTopology answers when its time is over, and a busy node a little later."""
MAX_DEPTH = 4
MAX_NODES = 1_000

_ADDRESS = click.argument("address", type=HostPort(any_port=False), metavar="HOST:PORT")
_TARGET = click.argument("target", metavar="IP|HOST:PORT")


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe peers",
        "troupe peers connect 192.0.2.7:18750",
        "troupe peers ban 192.0.2.7 --for 1h",
        "troupe peers topology",
    ),
)
@with_session
def peers(session: Session) -> None:
    """List the peers; connect, ban, and look further."""
    if click.get_current_context().invoked_subcommand is None:
        _list(session)


@peers.command("list", epilog=examples("troupe peers list -o json | jq -r .[].address"))
@with_session
def list_peers(session: Session) -> None:
    """List the peers."""
    _list(session)


def _list(session: Session) -> None:
    client = session.client
    listed = client.listing(client.peers.ListPeers, ListPeersRequest())
    data = list(map(as_data, listed))
    session.output.many(data, views.peers(data))


@peers.command(
    epilog=examples("troupe peers slots", "troupe peers slots -o json | jq .inbound_count")
)
@with_session
def slots(session: Session) -> None:
    """Show the places for peers, and how they are taken."""
    client = session.client
    data = as_data(client.call(client.peers.GetPeerSlots, GetPeerSlotsRequest()).slots)
    session.output.one(data, peer_views.slots(data))


@peers.command(epilog=examples("troupe peers show 192.0.2.7:18750"))
@_ADDRESS
@with_session
def show(session: Session, address: str) -> None:
    """Show one peer, named as `troupe peers` shows it."""
    client = session.client
    data = as_data(client.call(client.peers.GetPeer, GetPeerRequest(address=address)).peer)
    session.output.one(data, peer_views.peer(data))


@peers.command(epilog=examples("troupe peers connect 192.0.2.7:18750"))
@_ADDRESS
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
@_ADDRESS
@with_session
def disconnect(session: Session, address: str) -> None:
    """Close every connection to a peer, named as `troupe peers` shows it."""
    client = session.client
    client.call(client.peers.DisconnectPeer, DisconnectPeerRequest(address=address))
    session.output.one({"address": address, "disconnected": True}, f"{address} is disconnected.")


@peers.command(
    epilog=examples(
        "troupe peers addresses",
        "troupe peers addresses -o json | jq '.[] | select(.failure_count > 3)'",
    )
)
@with_session
def addresses(session: Session) -> None:
    """List the address book: where peers might be found."""
    client = session.client
    listed = client.listing(client.peers.ListAddresses, ListAddressesRequest())
    data = list(map(as_data, listed))
    session.output.many(data, peer_views.addresses(data))


@peers.command(epilog=examples("troupe peers bans"))
@with_session
def bans(session: Session) -> None:
    """List the bans in force."""
    client = session.client
    listed = client.listing(client.peers.ListBans, ListBansRequest())
    data = list(map(as_data, listed))
    session.output.many(data, peer_views.bans(data))


@peers.command(
    epilog=examples(
        "troupe peers ban 192.0.2.7",
        "troupe peers ban 192.0.2.7 --for 7d --reason 'floods us'",
        "troupe peers ban 127.0.0.1:18751",
    )
)
@_TARGET
@click.option("--for", "duration_s", type=Seconds(), default="10m", show_default=True)
@click.option("--reason", default="", help="Why, for people.")
@with_session
def ban(session: Session, target: str, duration_s: int, reason: str) -> None:
    """Have nothing to do with an IP address, or one node on this machine, for a time.

    Its connections are closed, and it is neither dialed nor accepted. Bans survive a restart.
    """
    client = session.client
    request = CreateBanRequest(target=target, duration_s=duration_s, reason=reason)
    data = as_data(client.call(client.peers.CreateBan, request))
    closed = plural(data["closed_connection_count"], "connection")
    session.output.one(data, f"{peer_views.banned(data['ban'])}; {closed} closed.")


@peers.command(epilog=examples("troupe peers unban 192.0.2.7"))
@_TARGET
@with_session
def unban(session: Session, target: str) -> None:
    """Lift a ban."""
    client = session.client
    client.call(client.peers.DeleteBan, DeleteBanRequest(target=target))
    session.output.one({"target": target, "banned": False}, f"{target} is not banned any more.")


@peers.command(
    epilog=examples(
        "troupe peers topology",
        "troupe peers topology --dial --depth 3",
        "troupe peers topology -o json | jq -r '.edges[] | \"\\(.from_address) \\(.to_address)\"'",
    )
)
@click.option(
    "--dial", is_flag=True, help="Dial nodes that are no peers, ask them, and hang up again."
)
@click.option(
    "--depth",
    type=click.IntRange(1, MAX_DEPTH),
    metavar="N",
    help="How far from here to ask; above 1 only with --dial. [default: 1, with --dial 2]",
)
@click.option("--max-nodes", type=click.IntRange(1, MAX_NODES), metavar="N", help="[default: 200]")
@click.option(
    "--wait",
    "timeout_s",
    type=click.IntRange(1, MAX_TOPOLOGY_S),
    metavar="SECONDS",
    help="How long to wait for answers.",
    default=DEFAULT_TOPOLOGY_S,
    show_default=True,
)
@with_session
def topology(
    session: Session, dial: bool, depth: int | None, max_nodes: int | None, timeout_s: int
) -> None:
    """Ask the peers who their peers are, and show who knows whom."""
    if depth is not None and depth > 1 and not dial:
        message = "--depth above 1 needs --dial: those nodes are no peers."
        raise click.UsageError(message)
    client = session.client
    request = GetTopologyRequest(
        max_depth=depth or 0, dial_others=dial, max_nodes=max_nodes or 0, timeout_s=timeout_s
    )
    deadline_s = timeout_s + TOPOLOGY_MARGIN_S
    data = as_data(client.call(client.peers.GetTopology, request, deadline_s=deadline_s))
    session.output.one(data, *peer_views.topology(data))
