"""A call to every unary method, for grpcurl: one line a method, in the order in which they are made.

``$peer`` is the address of another node of the same network, ``$included`` the id of a transaction in block 4,
``$recipient`` an address. What ``keep`` names is taken from the answer for the calls that follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

OK: Final = ""


@dataclass(frozen=True)
class Call:
    """A call to make.

    Attributes:
        method: The method, without "troupe.admin.v1." in front.
        request: JSON, with ``$name`` for what is known only when the node runs.
        reason: What it must be refused with; ``OK`` for an answer.
        keep: Names for parts of the answer, by their path: names of fields and positions in lists.
    """

    method: str
    request: str = "{}"
    reason: str = OK
    keep: Mapping[str, str] = field(default_factory=dict)


CALLS: Final = (
    Call("grpc.health.v1.Health/Check", '{"service": "troupe.admin.v1.NodeService"}'),
    Call("grpc.health.v1.Health/Check", '{"service": "nothing"}', "SERVICE_NOT_FOUND"),
    Call("grpc.health.v1.Health/List"),
    Call("NodeService/GetNode"),
    Call("NodeService/ListSettings"),
    Call("NodeService/UpdateSetting", '{"name": "threads", "value": "1"}'),
    Call("NodeService/UpdateSetting", '{"name": "nothing"}', "SETTING_NOT_FOUND"),
    Call("ActorService/ListActors"),
    Call("ActorService/GetActor", '{"name": "chain"}'),
    Call("ActorService/GetActor", '{"name": "nobody"}', "ACTOR_NOT_FOUND"),
    Call("PeerService/ConnectPeer", '{"address": "$peer"}'),
    Call("PeerService/ConnectPeer", '{"address": "nowhere"}', "FIELD_INVALID"),
    Call("PeerService/ListPeers"),
    Call("PeerService/GetPeer", '{"address": "$peer"}'),
    Call("PeerService/GetPeerSlots"),
    Call("PeerService/ListAddresses"),
    Call("PeerService/GetTopology", '{"max_depth": 1}'),
    Call("PeerService/CreateBan", '{"target": "192.0.2.7", "duration_s": 60, "reason": "floods"}'),
    Call("PeerService/ListBans"),
    Call("PeerService/DeleteBan", '{"target": "192.0.2.7"}'),
    Call("PeerService/DeleteBan", '{"target": "192.0.2.7"}', "BAN_NOT_FOUND"),
    Call("MessagingService/GetMessaging"),
    Call("MessagingService/SendMessage", '{"peer_address": "$peer", "kind": "my:kind"}'),
    Call("MessagingService/SendRequest", '{"peer_address": "$peer", "kind": "p2p:get_peers"}'),
    Call("MessagingService/BroadcastMessage", '{"kind": "my:kind", "payload": "aGVsbG8="}'),
    Call("GossipService/GetGossip"),
    Call("GossipService/Publish", '{"kind": "chat", "payload": "YWRhAGhlbGxv"}'),
    Call("SearchService/ProvideItem", '{"kind": "note", "query": "bW90dG8=", "item": "aGVsbG8="}'),
    Call("SearchService/ListItems"),
    Call("SearchService/WithdrawItem", '{"kind": "note", "query": "bW90dG8="}'),
    Call("SearchService/WithdrawItem", '{"kind": "note", "query": "bW90dG8="}', "ITEM_NOT_FOUND"),
    Call("ChainService/GetChain", keep={"tip": "chain.tip.hash"}),
    Call("ChainService/GetBlock", '{"number": 1}', keep={"block": "block.raw"}),
    Call("ChainService/GetBlock", '{"number": 1000000}', "BLOCK_NOT_FOUND"),
    Call("ChainService/ListBlocks", '{"page_size": 2}'),
    Call("ChainService/ListBlocks", '{"page_token": "rubbish"}', "PAGE_TOKEN_INVALID"),
    Call("ChainService/GetTransaction", '{"id": "$included"}'),
    Call("ChainService/GetAccount", '{"address": "$recipient"}'),
    Call("ChainService/ListAccounts"),
    Call("ChainService/ListTips"),
    Call("ChainService/SubmitBlock", '{"raw": "$block"}', "BLOCK_KNOWN"),
    Call("ChainService/SubmitBlock", '{"raw": "cnViYmlzaA=="}', "BLOCK_MALFORMED"),
    Call("ChainService/InvalidateBlock", '{"hash": "$tip"}'),
    Call("ChainService/ReconsiderBlock", '{"hash": "$tip"}'),
    Call("WalletService/GetAddress", keep={"address": "address"}),
    Call(
        "WalletService/Transfer",
        '{"recipient": "$recipient", "amount": 25, "request_id": "rent-7"}',
        keep={"pooled": "transaction.id"},
    ),
    Call(
        "WalletService/SignTransaction",
        '{"recipient": "$recipient", "amount": 5}',
        keep={"signed": "transaction.raw"},
    ),
    Call("MempoolService/SubmitTransaction", '{"raw": "$signed"}'),
    Call("MempoolService/SubmitTransaction", '{"raw": "$signed"}', "TX_IN_MEMPOOL"),
    Call("MempoolService/GetMempool"),
    Call("MempoolService/ListTransactions"),
    Call("MempoolService/GetTransaction", '{"id": "$pooled"}'),
    Call("MempoolService/EvictTransaction", '{"id": "$pooled"}'),
    Call("MempoolService/EvictTransaction", '{"id": "$pooled"}', "TX_NOT_IN_MEMPOOL"),
    Call("MinerService/GetMiner"),
    Call("MinerService/GetBlockTemplate", '{"coinbase": "$address"}'),
    Call("MinerService/UpdateMiner", '{"threads": 1}'),
    Call("MinerService/StartMining"),
    Call("MinerService/StopMining"),
    Call("EventService/ListEvents", '{"page_size": 5}'),
    Call("DiagnosticsService/ListLoggers"),
    Call("DiagnosticsService/UpdateLogger", '{"name": "actors.chain", "level": "LOG_LEVEL_DEBUG"}'),
    Call("DiagnosticsService/GetMetrics"),
    Call("AuthService/GetCaller"),
    Call(
        "AuthService/CreateToken",
        '{"name": "grafana", "permissions": ["node:read"], "ttl": "60s"}',
        keep={"token": "token.id"},
    ),
    Call("AuthService/ListTokens"),
    Call("AuthService/DeleteToken", '{"id": "$token"}'),
    Call("AuthService/DeleteToken", '{"id": "$token"}', "TOKEN_NOT_FOUND"),
    Call("TransportService/GetTransport"),
    Call("TransportService/ListConnections", keep={"connection": "connections.0.id"}),
    Call("TransportService/CloseConnection", '{"connection_id": "$connection"}'),
    Call("TransportService/CloseConnection", '{"connection_id": 999999}', "CONNECTION_NOT_FOUND"),
    Call("PeerService/DisconnectPeer", '{"address": "192.0.2.7:1"}', "PEER_NOT_FOUND"),
    Call("ActorService/ListExhibits"),
    Call("ActorService/GetExhibit", '{"id": 1}', "EXHIBIT_NOT_FOUND"),
    Call("ActorService/DeleteExhibits", '{"id": 0}'),
    Call("ActorService/RestartActor", '{"name": "search"}'),
    Call("NodeService/ShutdownNode"),
)
