"""Every service that is served: how it is made, and which actors it stands on.

Must not live here: how they are served (``server``), what a method does (``services``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_channelz.v1 import channelz_pb2
from grpc_channelz.v1.channelz import add_channelz_servicer
from troupe.admin.v1 import (
    actor_service_pb2_grpc,
    auth_service_pb2_grpc,
    chain_service_pb2_grpc,
    diagnostics_service_pb2_grpc,
    event_service_pb2_grpc,
    gossip_service_pb2_grpc,
    mempool_service_pb2_grpc,
    messaging_service_pb2_grpc,
    miner_service_pb2_grpc,
    node_service_pb2_grpc,
    peer_service_pb2_grpc,
    search_service_pb2_grpc,
    transport_service_pb2_grpc,
    wallet_service_pb2_grpc,
)

from actors.runtime.address import Address
from admin.asks import Asker
from admin.auth import Tokens
from admin.counts import CallCounts
from admin.house import House
from admin.logs import LogHub
from admin.services.actor import ActorService
from admin.services.auth import AuthService
from admin.services.chain import ChainService
from admin.services.diagnostics import DiagnosticsService
from admin.services.event import EventService
from admin.services.gossip import GossipService
from admin.services.mempool import MempoolService
from admin.services.messaging import MessagingService
from admin.services.miner import MinerService
from admin.services.node import NodeService
from admin.services.peer import PeerService
from admin.services.search import SearchService
from admin.services.transport import TransportService
from admin.services.wallet import WalletService
from admin.sharing import Changes
from admin.streams import EventHub

PACKAGE: Final = "troupe.admin.v1."


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the contract.

    Attributes:
        name: Its full name.
        actors: The names of those without which it cannot serve.
        servicer: What answers its calls.
        add: Adds that to a server, as the generated stubs do.
    """

    name: str
    actors: Sequence[str]
    servicer: Any
    add: Callable[[Any, Any], None]


@dataclass(frozen=True, slots=True)
class Means:
    """What the services have of their server; they live as long as it does.

    Attributes:
        stop_asked: Set when the server is to stop.
        changes: Tells when what is kept for a moment, ``fresh_s``, is out of date before that.
    """

    house: House
    asker: Asker
    hub: EventHub
    logs: LogHub
    tokens: Tokens
    counts: CallCounts
    stop_asked: asyncio.Event
    changes: Changes
    fresh_s: float


def services(means: Means) -> Sequence[Service]:
    """The services of a node; what they keep between calls begins here."""
    house, asker = means.house, means.asker
    node = NodeService(house, asker, means.stop_asked, means.changes, fresh_s=means.fresh_s)
    rooms: Sequence[tuple[Sequence[Address[Any]], Any, Any]] = (
        ((), node, node_service_pb2_grpc),
        ((house.supervisor,), ActorService(house, asker), actor_service_pb2_grpc),
        ((house.tcp,), TransportService(house, asker), transport_service_pb2_grpc),
        ((house.messaging,), MessagingService(house, asker), messaging_service_pb2_grpc),
        ((house.peers,), PeerService(house, asker), peer_service_pb2_grpc),
        ((house.gossip,), GossipService(house, asker), gossip_service_pb2_grpc),
        ((house.search,), SearchService(house, asker), search_service_pb2_grpc),
        ((house.chain, house.reader), ChainService(house, asker), chain_service_pb2_grpc),
        ((house.mempool,), MempoolService(house, asker), mempool_service_pb2_grpc),
        ((house.miner,), MinerService(house, asker), miner_service_pb2_grpc),
        ((house.mempool,), WalletService(house, asker), wallet_service_pb2_grpc),
        ((house.events,), EventService(house, asker, means.hub), event_service_pb2_grpc),
        (
            (),
            DiagnosticsService(house, asker, means.counts, means.logs),
            diagnostics_service_pb2_grpc,
        ),
        ((), AuthService(means.tokens, house.clock), auth_service_pb2_grpc),
    )
    return tuple(_service(actors, servicer, stubs) for actors, servicer, stubs in rooms)


def _service(actors: Sequence[Address[Any]], servicer: Any, stubs: Any) -> Service:
    """Its class bears the name that the contract gives it."""
    name = type(servicer).__name__
    enlist = getattr(stubs, f"add_{name}Servicer_to_server")
    return Service(
        PACKAGE + name,
        [actor.name for actor in actors],
        servicer,
        lambda serves, server: enlist(serves, _ByName(server)),
    )


class _ByName:
    """A server that looks up a method by its name when it is called. Generated code registers each method as
    well, and gRPC then waits for the next call with a task for every method: a tenth of what a call costs.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, _service: str, _handlers: Any) -> None:
        """Nothing: the generic handlers are enough."""


def channelz() -> Service:
    """What gRPC tells of this server's own calls and sockets, for one that was asked to serve it."""
    name: str = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name
    return Service(name, (), None, lambda _servicer, server: add_channelz_servicer(server))
