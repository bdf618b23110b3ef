"""Every service that is served: how it is made, and which actor it stands on.

Must not live here: how they are served (``server``), what a method does (``services``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from troupe.admin.v1 import (
    actor_service_pb2_grpc,
    chain_service_pb2_grpc,
    event_service_pb2_grpc,
    mempool_service_pb2_grpc,
    miner_service_pb2_grpc,
    node_service_pb2_grpc,
    peer_service_pb2_grpc,
    wallet_service_pb2_grpc,
)

from admin.asks import Asker
from admin.house import House
from admin.services.actor import ActorService
from admin.services.chain import ChainService
from admin.services.event import EventService
from admin.services.mempool import MempoolService
from admin.services.miner import MinerService
from admin.services.node import NodeService
from admin.services.peer import PeerService
from admin.services.wallet import WalletService
from admin.streams import EventHub

PACKAGE: Final = "troupe.admin.v1."


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the contract.

    Attributes:
        name: Its full name.
        actor: The actor without which it cannot serve; None: it always can.
        servicer: What answers its calls.
        add: Adds that to a server, as the generated stubs do.
    """

    name: str
    actor: str | None
    servicer: Any
    add: Callable[[Any, Any], None]


def services(house: House, asker: Asker, hub: EventHub) -> Sequence[Service]:
    """The services of a node; what they keep between calls begins here."""

    def service(name: str, actor: str | None, servicer: Any, stubs: Any) -> Service:
        add = getattr(stubs, f"add_{name}Servicer_to_server")
        return Service(PACKAGE + name, actor, servicer, add)

    return (
        service("NodeService", None, NodeService(house, asker), node_service_pb2_grpc),
        service(
            "ActorService",
            house.supervisor.name,
            ActorService(house, asker),
            actor_service_pb2_grpc,
        ),
        service("PeerService", house.peers.name, PeerService(house, asker), peer_service_pb2_grpc),
        service(
            "ChainService", house.chain.name, ChainService(house, asker), chain_service_pb2_grpc
        ),
        service(
            "MempoolService",
            house.mempool.name,
            MempoolService(house, asker),
            mempool_service_pb2_grpc,
        ),
        service(
            "MinerService", house.miner.name, MinerService(house, asker), miner_service_pb2_grpc
        ),
        service(
            "WalletService",
            house.mempool.name,
            WalletService(house, asker),
            wallet_service_pb2_grpc,
        ),
        service(
            "EventService",
            house.events.name,
            EventService(house, asker, hub),
            event_service_pb2_grpc,
        ),
    )
