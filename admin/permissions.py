"""Who may call what: the one table of methods and permissions.

Must not live here: who holds which permission (``auth``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PACKAGE = "/troupe.admin.v1."

PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        _PACKAGE + method: permission
        for method, permission in {
            "NodeService/GetNode": "node:read",
            "NodeService/ShutdownNode": "node:write",
            "ActorService/ListActors": "actor:read",
            "PeerService/ListPeers": "peer:read",
            "PeerService/ConnectPeer": "peer:write",
            "PeerService/DisconnectPeer": "peer:write",
            "ChainService/GetChain": "chain:read",
            "ChainService/GetBlock": "chain:read",
            "ChainService/ListBlocks": "chain:read",
            "ChainService/GetTransaction": "chain:read",
            "ChainService/GetAccount": "chain:read",
            "ChainService/SubmitBlock": "chain:write",
            "MempoolService/GetMempool": "mempool:read",
            "MempoolService/ListTransactions": "mempool:read",
            "MempoolService/SubmitTransaction": "mempool:write",
            "MinerService/GetMiner": "miner:read",
            "MinerService/StartMining": "miner:write",
            "MinerService/UpdateMiner": "miner:write",
            "MinerService/StopMining": "miner:write",
            "MinerService/GenerateBlocks": "miner:write",
            "WalletService/GetAddress": "wallet:read",
            "WalletService/Transfer": "wallet:write",
            "EventService/WatchEvents": "event:read",
        }.items()
    }
)
"""The permission that each method needs. A method that is not here is denied to everybody."""

OPEN_METHODS: Final = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""Methods that need no token: they tell what any client must know before it has one."""

EVERYTHING: Final = frozenset(PERMISSIONS.values())
READING: Final = frozenset(name for name in EVERYTHING if name.endswith(":read"))
