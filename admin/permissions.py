"""Who may call what: the one table of methods and permissions.

Must not live here: who holds which permission (``auth``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PACKAGE = "/troupe.admin.v1."

PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        PACKAGE + method: permission
        for method, permission in {
            "NodeService/GetNode": "node:read",
            "NodeService/WatchNode": "node:read",
            "NodeService/ListSettings": "node:read",
            "NodeService/UpdateSetting": "node:write",
            "NodeService/ShutdownNode": "node:write",
            "ActorService/ListActors": "actor:read",
            "ActorService/GetActor": "actor:read",
            "ActorService/RestartActor": "actor:write",
            "ActorService/ListExhibits": "actor:read",
            "ActorService/GetExhibit": "actor:read",
            "ActorService/DeleteExhibits": "actor:write",
            "TransportService/GetTransport": "transport:read",
            "TransportService/ListConnections": "transport:read",
            "TransportService/CloseConnection": "transport:write",
            "MessagingService/GetMessaging": "messaging:read",
            "MessagingService/SendMessage": "messaging:write",
            "MessagingService/SendRequest": "messaging:write",
            "MessagingService/BroadcastMessage": "messaging:write",
            "MessagingService/WatchMessages": "messaging:read",
            "PeerService/ListPeers": "peer:read",
            "PeerService/ConnectPeer": "peer:write",
            "PeerService/GetPeer": "peer:read",
            "PeerService/DisconnectPeer": "peer:write",
            "PeerService/ListAddresses": "peer:read",
            "PeerService/ListBans": "peer:read",
            "PeerService/GetPeerSlots": "peer:read",
            "PeerService/CreateBan": "peer:write",
            "PeerService/DeleteBan": "peer:write",
            "PeerService/GetTopology": "peer:write",
            "ChainService/GetChain": "chain:read",
            "ChainService/GetBlock": "chain:read",
            "ChainService/ListBlocks": "chain:read",
            "ChainService/GetTransaction": "chain:read",
            "ChainService/GetAccount": "chain:read",
            "ChainService/ListAccounts": "chain:read",
            "ChainService/ListTips": "chain:read",
            "ChainService/SubmitBlock": "chain:write",
            "ChainService/InvalidateBlock": "chain:write",
            "ChainService/ReconsiderBlock": "chain:write",
            "ChainService/VerifyChain": "chain:read",
            "ChainService/ExportBlocks": "chain:read",
            "ChainService/ImportBlocks": "chain:write",
            "ChainService/CreateBackup": "backup:write",
            "MempoolService/GetMempool": "mempool:read",
            "MempoolService/ListTransactions": "mempool:read",
            "MempoolService/GetTransaction": "mempool:read",
            "MempoolService/SubmitTransaction": "mempool:write",
            "MempoolService/EvictTransaction": "mempool:write",
            "MinerService/GetMiner": "miner:read",
            "MinerService/StartMining": "miner:write",
            "MinerService/UpdateMiner": "miner:write",
            "MinerService/StopMining": "miner:write",
            "MinerService/GenerateBlocks": "miner:write",
            "MinerService/GetBlockTemplate": "miner:read",
            "WalletService/GetAddress": "wallet:read",
            "WalletService/Transfer": "wallet:write",
            "WalletService/SignTransaction": "wallet:write",
            "EventService/WatchEvents": "event:read",
            "EventService/ListEvents": "event:read",
            "DiagnosticsService/ListLoggers": "diagnostics:read",
            "DiagnosticsService/UpdateLogger": "diagnostics:write",
            "DiagnosticsService/WatchLogs": "diagnostics:read",
            "DiagnosticsService/GetMetrics": "diagnostics:read",
            "GossipService/GetGossip": "gossip:read",
            "GossipService/Publish": "gossip:write",
            "GossipService/Subscribe": "gossip:read",
            "SearchService/Search": "search:write",
            "SearchService/ProvideItem": "search:write",
            "SearchService/WithdrawItem": "search:write",
            "SearchService/ListItems": "search:read",
            "AuthService/GetCaller": "caller:read",
            "AuthService/ListTokens": "auth:read",
            "AuthService/CreateToken": "auth:write",
            "AuthService/DeleteToken": "auth:write",
        }.items()
    }
)
"""The permission that each method needs. A method that is not here is denied to everybody."""

CHANNELZ: Final[Mapping[str, str]] = MappingProxyType(
    {
        f"/grpc.channelz.v1.Channelz/{method}": "channelz:read"
        for method in (
            "GetTopChannels",
            "GetServers",
            "GetServer",
            "GetServerSockets",
            "GetChannel",
            "GetSubchannel",
            "GetSocket",
        )
    }
)
"""The same for what is served only if the settings ask for it."""

OPEN_METHODS: Final = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""Methods that need no token: they tell what any client must know before it has one."""

EVERYTHING: Final = frozenset((*PERMISSIONS.values(), *CHANNELZ.values()))
READING: Final = frozenset(name for name in EVERYTHING if name.endswith(":read"))
ALWAYS: Final = frozenset({"caller:read"})
"""What every token permits: to ask what it is."""
