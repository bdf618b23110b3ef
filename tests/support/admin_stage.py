"""A stage for the admin server: real supervisor, real events, rooms that answer what a test says.

The rooms are actors on threads of their own, so that a test sees what a client sees; the server and the
clients are real gRPC on loopback.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from actors.chain import messages as chain
from actors.chain.archive import Archive
from actors.ledger.keys import ED25519
from actors.ledger.network import Network
from actors.ledger.types import BlockRef
from actors.mempool import messages as mempool
from actors.miner import messages as miner
from actors.peers import messages as peers
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address, Ask
from actors.runtime.aftermath import NoLetters
from actors.runtime.clock import ThreadClock
from actors.runtime.events import EventsActor, Happened
from actors.runtime.quarantine import Quarantine
from actors.runtime.supervisor import Supervisor, ThreadRunner
from admin.asks import Asker
from admin.auth import ADMIN_TOKEN_FILE, READONLY_TOKEN_FILE
from admin.house import House
from admin.server import AdminServer
from admin.tuning import Setting, Source, Tuning
from tests.support.ledger import EASY_MAIN, key

S = TypeVar("S")
WAIT_S = 30.0
"""How long a test waits for what must come, and the server for its actors; never how long it takes."""
HURRY_S = 0.05
"""How long the server waits where a test has it hurry: in vain, or the test asks again."""
EPOCH = "epoch-1"
ROOMS = ("tcp", "messaging", "peers", "gossip", "search", "chain", "reader", "mempool", "miner")

SETTINGS = (
    Setting("threads", "2", Source.FLAG, default="1", help="Threads.", flag="--threads", parse=int),
    Setting("coinbase", "", Source.DEFAULT, default="the node's own", parse=str),
    Setting("mine", "false", Source.DEFAULT, default="false", parse=lambda text: text == "true"),
    Setting("log_level", "info", Source.FILE, default="info", parse=str),
    Setting("listen", "127.0.0.1:0", Source.ENVIRONMENT, variable="TROUPE_LISTEN"),
)
"""Some settings of each kind."""


@dataclass
class Script:
    """What a room answers, by the type of the question, and what it was told. Outlives a restart."""

    answers: dict[type, Callable[[Any], Any]] = field(default_factory=dict)
    told: list[Any] = field(default_factory=list)
    deferred: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def answer(self, question: type, value: object) -> None:
        """Always answer this."""
        self.answers[question] = lambda _message: value

    def compute(self, question: type, answer: Callable[[Any], Any]) -> None:
        """Answer what this computes, on the room's thread; what it raises fells the room."""
        self.answers[question] = answer

    def of(self, kind: type[S]) -> list[S]:
        return [message for message in self.told if isinstance(message, kind)]


class DEFER:
    """An answer that a test gives later: the future goes to ``Script.deferred``."""


class RoomDouble(NodeActor):
    """A room that follows its script."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    def on_receive(self, message: Any) -> Any:
        self._script.told.append(message)
        answer = self._script.answers[type(message)](message)
        if answer is DEFER:
            self._script.deferred.put(self.defer())
        return answer


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg]
):
    """Adds a token to every call."""

    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), request)

    def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), requests)


class AdminStage:
    """A node of doubles, and the admin server in front of it."""

    def __init__(self, data_dir: Path, *, network: Network = EASY_MAIN, **server: Any) -> None:
        self.data_dir, self.network = data_dir, network
        self.clock = ThreadClock()
        self.supervisor = Supervisor(ThreadRunner(self.clock), self.clock)
        self.quarantine = Quarantine(version="1", wall_s=lambda: 7.5)
        self.supervisor.heed(NoLetters(), self.quarantine)
        self.rooms = {name: Script() for name in ROOMS}
        self.shutdown_asked = threading.Event()
        self.wallet = key(ED25519, "wallet")
        self.archive = Archive(data_dir / "chain.db", network, self.clock, stall_s=WAIT_S)
        self.log_levels: list[str] = []
        self.tuning = Tuning(
            SETTINGS, file=data_dir / "settings.toml", set_log_level=self.log_levels.append
        )
        self._epochs = 0
        for name, script in self.rooms.items():
            self.supervisor.enlist(name, lambda script=script: RoomDouble(script))  # type: ignore[misc]
        self.supervisor.enlist("events", self._build_events)
        self.house = self._house()
        self.server = AdminServer(self.house, **{"fresh_s": 0.0, "ask_timeout_s": WAIT_S, **server})
        self.address = ""
        self._channels: list[grpc.Channel] = []
        self._script_a_quiet_node()

    @property
    def tcp(self) -> Script:
        return self.rooms["tcp"]

    @property
    def messaging(self) -> Script:
        return self.rooms["messaging"]

    @property
    def gossip(self) -> Script:
        return self.rooms["gossip"]

    @property
    def search(self) -> Script:
        return self.rooms["search"]

    @property
    def peers(self) -> Script:
        return self.rooms["peers"]

    @property
    def chain(self) -> Script:
        return self.rooms["chain"]

    @property
    def reader(self) -> Script:
        return self.rooms["reader"]

    @property
    def mempool(self) -> Script:
        return self.rooms["mempool"]

    @property
    def miner(self) -> Script:
        return self.rooms["miner"]

    @property
    def tip(self) -> BlockRef:
        return self.network.genesis.ref

    def start(self) -> None:
        self.supervisor.start_members()
        self.supervisor.await_members()
        self.address = self.server.start()

    def stop(self) -> None:
        for channel in self._channels:
            channel.close()
        self.server.stop(grace_s=1.0)
        self.archive.close()
        self.supervisor.stop_members((*ROOMS, "events"))
        assert self.supervisor.actor.ended.wait(WAIT_S)
        self.clock.stop()

    def token(self, file: str = ADMIN_TOKEN_FILE) -> str:
        return (self.data_dir / file).read_text().strip()

    def channel(self, token: str | None = None) -> grpc.Channel:
        """A channel with the admin's token, unless told otherwise; "" for none. Its windows do not grow: what
        is not read waits in the node, and how much does not depend on speed.
        """
        bare = grpc.insecure_channel(self.address, options=(("grpc.http2.bdp_probe", 0),))
        self._channels.append(bare)
        given = self.token() if token is None else token
        return grpc.intercept_channel(bare, _Bearer(given)) if given else bare

    def stub(self, kind: Callable[[grpc.Channel], S], *, readonly: bool = False) -> S:
        return kind(self.channel(self.token(READONLY_TOKEN_FILE) if readonly else None))

    def happen(self, *bodies: object) -> None:
        """Let rooms' events happen."""
        for body in bodies:
            self.house.events.tell(Happened(body))

    def _build_events(self) -> EventsActor:
        self._epochs += 1
        return EventsActor(f"epoch-{self._epochs}", self.clock)

    def _house(self) -> House:
        boxes = {name: Address[Any](self.supervisor.mailbox(name)) for name in (*ROOMS, "events")}
        return House(
            supervisor=self.supervisor.address,
            **boxes,
            clock=self.clock,
            version="0.0.0",
            network=self.network,
            started_s=self.clock.now_s(),
            listen_address="127.0.0.1:7001",
            advertise_address="node.example:7001",
            data_dir=self.data_dir,
            archive=self.archive,
            wallet=self.wallet,
            tuning=self.tuning,
            shutdown=self.shutdown_asked.set,
        )

    def _script_a_quiet_node(self) -> None:
        self.peers.answer(peers.ListPeers, ())
        self.peers.answer(peers.GetSlots, peers.Slots(1, 2, 20, 8, 40, 80, 3, 7))
        self.chain.answer(chain.GetChain, chain_info(self.tip))
        self.mempool.answer(mempool.GetPool, mempool.PoolInfo(3, 2, 4, 1_234, 5_000, 1_000))
        self.miner.answer(miner.GetMiner, miner_info())


def chain_info(
    tip: BlockRef, sync: chain.SyncState = chain.SyncState.IDLE, best: int | None = None
) -> chain.ChainInfo:
    return chain.ChainInfo(tip, tip.hash, sync, tip.number if best is None else best, 1, 2, 50_000)


def miner_info(*, mining: bool = False) -> miner.MinerInfo:
    return miner.MinerInfo(
        mining, 2, b"\x01" * 32, 1_500.5, 99, 4, 1, 7 if mining else None, "test", False, "a test"
    )


@contextmanager
def staged(data_dir: Path, **arguments: Any) -> Iterator[AdminStage]:
    """A stage with its server running."""
    stage = AdminStage(data_dir, **arguments)
    stage.start()
    try:
        yield stage
    finally:
        stage.stop()


@contextmanager
def hurried(*questions: type) -> Iterator[None]:
    """Meanwhile a server does not wait for the answers to these questions, and to others as long as ever."""
    ask = Asker.ask

    async def impatient(
        self: Asker, address: Address[Any], question: Ask[S], *, timeout_s: float | None = None
    ) -> S:
        limit_s = HURRY_S if isinstance(question, questions) else timeout_s
        return await ask(self, address, question, timeout_s=limit_s)

    async def each_impatient(
        self: Asker, asked: Sequence[tuple[Address[Any], Ask[Any]]]
    ) -> list[Any]:
        answers = (self.ask(address, question) for address, question in asked)
        return await asyncio.gather(*answers, return_exceptions=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asker, "ask", impatient)
        patch.setattr(Asker, "ask_each", each_impatient)
        yield


@dataclass(frozen=True)
class Refused:
    """What a client learns from a failed call."""

    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str]
    fields: tuple[str, ...]
    retry_s: float | None
    message: str


def refused(error: grpc.RpcError) -> Refused:
    """The rich status of an error; every refusal of ours has one."""
    call = cast("Any", error)
    status = rpc_status.from_call(call)
    assert status is not None, (call.code(), call.details())
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    has_retry = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        has_retry = detail.Unpack(retry) or has_retry
    assert info.domain == "troupe.admin.v1"
    return Refused(
        call.code(),
        info.reason,
        dict(info.metadata),
        tuple(violation.field for violation in bad.field_violations),
        retry.retry_delay.ToMilliseconds() / 1000 if has_retry else None,
        call.details(),
    )


def refusal_of(call: Callable[[], Any]) -> Refused:
    """Make a call that must fail, or read a stream to an end that must be a failure."""
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            for _response in answer:
                pass
    except grpc.RpcError as error:
        return refused(error)
    message = f"it did not fail: {answer}"
    raise AssertionError(message)


def refusal_once_begun(call: Callable[[], Any]) -> Refused:
    """The same of a call that is `hurried`: one that an actor was too slow to come to is made again."""
    while (seen := refusal_of(call)).reason == "ACTOR_BUSY":
        pass
    return seen
