"""Puts an admin server beside a running node: the one place that knows both."""

from __future__ import annotations

from collections.abc import Callable

from actors.assembly import VERSION
from actors.node import Node
from admin.house import House
from admin.server import AdminServer
from admin.tls import server_tls
from admin.tuning import Tuning


def launch(
    node: Node, *, shutdown: Callable[[], None], tuning: Tuning | None = None
) -> AdminServer:
    """The admin server of a started node, on the address of its settings; not yet serving.

    Args:
        node: Its actors play.
        shutdown: As of :class:`~admin.house.House`.
        tuning: As there; None: no settings to show.

    Raises:
        AdminBindError: that address is none, or is open to other machines without TLS.
        TlsError: its TLS cannot be served.
    """
    at, settings = node.addresses, node.settings
    house = House(
        supervisor=at.supervisor,
        tcp=at.tcp,
        messaging=at.messaging,
        peers=at.peers,
        gossip=at.gossip,
        search=at.search,
        chain=at.chain,
        reader=at.reader,
        mempool=at.mempool,
        miner=at.miner,
        events=at.events,
        clock=node.clock,
        version=VERSION,
        network=settings.network,
        started_s=node.started_s,
        listen_address=node.listen_address,
        advertise_address=settings.peers.advertise,
        data_dir=node.data_dir.path,
        archive=node.archive,
        wallet=node.wallet,
        shutdown=shutdown,
        tuning=tuning or Tuning(),
    )
    tls = server_tls(settings.tls, house.data_dir, settings.admin, node.clock)
    return AdminServer(house, listen=settings.admin, tls=tls, channelz=settings.channelz)
