"""A node that answers as it is told to, over real gRPC on the loopback interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status
from troupe.admin.v1 import (
    actor_service_pb2_grpc,
    auth_service_pb2_grpc,
    chain_service_pb2_grpc,
    diagnostics_service_pb2_grpc,
    errors_pb2,
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

from admin.errors import Refusal

TOKEN = "a-token-of-letters"
STREAMS = (
    "GenerateBlocks",
    "WatchEvents",
    "WatchMessages",
    "Subscribe",
    "Search",
    "WatchLogs",
    "VerifyChain",
    "ExportBlocks",
    "CreateBackup",
)

Answer = Message | Refusal | Sequence[Message | Refusal] | Callable[[Any], Any]


class FakeNode:
    """Serves every method of the contract from `answers`; keeps what it was asked in `requests`."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, Any]] = []
        self._server = grpc.server(
            futures.ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0),)
        )
        for add in (
            actor_service_pb2_grpc.add_ActorServiceServicer_to_server,
            auth_service_pb2_grpc.add_AuthServiceServicer_to_server,
            chain_service_pb2_grpc.add_ChainServiceServicer_to_server,
            diagnostics_service_pb2_grpc.add_DiagnosticsServiceServicer_to_server,
            event_service_pb2_grpc.add_EventServiceServicer_to_server,
            gossip_service_pb2_grpc.add_GossipServiceServicer_to_server,
            search_service_pb2_grpc.add_SearchServiceServicer_to_server,
            messaging_service_pb2_grpc.add_MessagingServiceServicer_to_server,
            mempool_service_pb2_grpc.add_MempoolServiceServicer_to_server,
            miner_service_pb2_grpc.add_MinerServiceServicer_to_server,
            node_service_pb2_grpc.add_NodeServiceServicer_to_server,
            peer_service_pb2_grpc.add_PeerServiceServicer_to_server,
            transport_service_pb2_grpc.add_TransportServiceServicer_to_server,
            wallet_service_pb2_grpc.add_WalletServiceServicer_to_server,
        ):
            register: Callable[[Any, grpc.Server], None] = add
            register(_Servicer(self), self._server)

    def start(self) -> str:
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.stop(None).wait()

    def serve(self, directory: Path) -> str:
        """Start, and leave address and token where a client looks for them."""
        address = self.start()
        (directory / "admin.token").write_text(TOKEN + "\n")
        beside = directory / "admin.address.new"
        beside.write_text(address + "\n")
        beside.replace(directory / "admin.address")
        return address

    def asked(self, method: str) -> list[Any]:
        return [request for name, request in self.requests if name == method]


class _Servicer:
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def __getattr__(self, method: str) -> Callable[[Any, Any], Any]:
        return lambda request, context: (self._stream if method in STREAMS else self._unary)(
            method, request, context
        )

    def _answer(self, method: str, request: Any, context: Any) -> Any:
        self._node.requests.append((method, request))
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            refuse(context, Refusal(errors_pb2.ERROR_REASON_TOKEN_INVALID, "no token of this node"))
        if method not in self._node.answers:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        answer = self._node.answers[method]
        return answer(request) if callable(answer) else answer

    def _unary(self, method: str, request: Any, context: Any) -> Any:
        answer = self._answer(method, request, context)
        if isinstance(answer, Refusal):
            refuse(context, answer)
        return answer

    def _stream(self, method: str, request: Any, context: Any) -> Iterator[Any]:
        for answer in self._answer(method, request, context):
            if isinstance(answer, Refusal):
                refuse(context, answer)
            yield answer


def refuse(context: Any, refusal: Refusal) -> None:
    context.abort_with_status(rpc_status.to_status(refusal.status()))
