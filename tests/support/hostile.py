"""A real node in this process for hostile peers (`hostile_peer`) to try themselves at.

It has its real rooms, threads, sockets and files; only its clock is a test's: it stands still and is put forward,
so that what a node does after a minute is seen at once, and what it counts by the second is exact.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest

from actors import node as composition
from actors.chain.messages import GetChain
from actors.config import PeersSettings, Settings
from actors.gossip.messages import GetGossip
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.mempool.messages import GetPool, PoolInfo
from actors.messaging.messages import GetMessaging, MessagingInfo
from actors.node import Node
from actors.peers.messages import (
    Ban,
    ConnectOutcome,
    ConnectPeer,
    GetPeer,
    GetSlots,
    ListBans,
    ListPeers,
    PeerId,
    PeerInfo,
    PeerKind,
)
from actors.runtime.address import Address, Ask
from actors.runtime.clock import ThreadClock
from actors.runtime.supervisor import ListActors
from actors.search.messages import ListItems
from actors.tcp.messages import (
    CloseReason,
    ConnectionInfo,
    GetTransport,
    ListConnections,
    TransportInfo,
)
from tests.support.chains import EASY, mine
from tests.support.hostile_peer import STATUS, WAIT_S, Hostile, Listening, status_of
from tests.support.wire_client import REQUEST

T = TypeVar("T")

LOOK_EVERY_S = 0.002
SILENT_S = 3.5
"""After so long without an answer to its status a peer is taken for one of the field (WIRE: extensions)."""


class HandClock(ThreadClock):
    """A node's clock that a test moves: it stands still but for `skip`, so that nothing fades, fills up or falls
    due because a machine is slow.
    """

    def __init__(self) -> None:
        # Whole seconds: what is put forward by a limit is at it, and not a rounding before it.
        self._now_s, self._wall_s = 1_000.0, float(int(time.time()))
        self._going_since_s: float | None = None
        super().__init__()

    def _passed_s(self) -> float:
        since_s = self._going_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def now_s(self) -> float:
        return self._now_s + self._passed_s()

    def wall_s(self) -> float:
        return self._wall_s + self._passed_s()

    def skip(self, seconds: float) -> None:
        """Put it forward; what falls due has been told when this returns. Any thread."""
        with self._changed:
            self._now_s += seconds
            self._wall_s += seconds
            self._tell_due()
            self._changed.notify()

    def go(self) -> None:
        """Let it go as any clock from now on, where a node lets others wait."""
        with self._changed:
            self._going_since_s = time.monotonic()
            self._changed.notify()

    def _tell_due(self) -> None:
        while timer := self._timers.pop_due(self.now_s()):
            timer.fire()

    def _run(self) -> None:
        with self._changed:
            while self._running:
                self._tell_due()
                due_s = None if self._going_since_s is None else self._timers.next_due_s()
                self._changed.wait(None if due_s is None else max(0.0, due_s - self.now_s()))


class Arena:
    """A node and its peers; a context manager that leaves neither thread nor socket behind.

    At its end no actor must have fallen, and an honest peer, who was there from the start, must be there still and
    have a block of his accepted.
    """

    def __init__(self, folder: Path, network: Network = EASY, **settings: Any) -> None:
        """``settings``: ``tcp``, ``mempool``, ... as in `Settings`; ``max_peers`` and ``bootstrap`` alone."""
        self.network, self.clock = network, HandClock()
        self._peers = {
            name: settings.pop(name) for name in ("max_peers", "bootstrap") if name in settings
        }
        self._settings = Settings(
            data_dir=folder, network=network, peers=PeersSettings(**self._peers), **settings
        )
        self._names = (f"127.66.{each >> 8}.{each & 255}:4000" for each in itertools.count(1))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._start()
        self.honest = self.peer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.assert_sound()
        finally:
            self._stack.close()
            self.node.stop()

    def _start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(composition, "ThreadClock", lambda: self.clock)
            self.node = Node(self._settings)
            self.node.start()
        self.addresses = self.node.addresses

    def restart(self) -> None:
        """Stop the node and start it on the same directory; all peers are gone, and an honest one is there."""
        self.node.stop()
        self._stack.close()
        self.clock = HandClock()
        self._start()
        self.honest = self.peer()

    # -- peers ------------------------------------------------------------------------------------

    def new_name(self) -> str:
        """An address that is nobody's."""
        return next(self._names)

    def dial(self, source: str = "127.0.0.1") -> Hostile:
        """A connection from that host, which has said nothing."""
        host, _, port = self.node.listen_address.rpartition(":")
        sock = socket.create_connection((host, int(port)), WAIT_S, (source, 0))
        return self._stack.enter_context(Hostile(sock, WAIT_S))

    def peer(self, name: str | None = None, source: str = "127.0.0.1") -> Hostile:
        """One whose hello is accepted. Of what kind it is, is not known yet."""
        peer = self.dial(source)
        assert peer.greet(name or self.new_name()).accepted
        return peer

    def listen(self) -> Listening:
        """Somebody whom the node can dial."""
        return Listening(self._stack)

    def connect(self, address: str) -> Future[ConnectOutcome]:
        """Have the node dial; what comes of it."""
        return self.addresses.peers.ask_soon(ConnectPeer(address))

    def dialed(self) -> Hostile:
        """A peer that the node has dialed, and whom it knows by where it listens."""
        listening = self.listen()
        outcome = self.connect(listening.address)
        peer = listening.take()
        listening.socket.close()
        peer.answer_hello()
        assert outcome.result(WAIT_S) is ConnectOutcome.CONNECTED
        return peer

    def ours(self, height: int = 0, tip: bytes | None = None) -> Hostile:
        """A peer that the node takes for one of our kind, with a chain of that height."""
        peer = self.peer()
        peer.answer(STATUS, status_of(self.network, height, tip))
        self.await_that(lambda: self.kind_of(peer) is PeerKind.TROUPE)
        return peer

    def legacy(self) -> Hostile:
        """A peer that the node takes for one of the field: it never answers for its status."""
        peer = self.peer()
        peer.recv_until(REQUEST, kind=STATUS)
        self.skip(SILENT_S)
        self.await_that(lambda: self.kind_of(peer) is PeerKind.LEGACY)
        return peer

    def welcomes(self, name: str) -> bool:
        """Whether somebody of that name would be accepted."""
        with self.dial() as peer:
            return peer.greet(name).accepted

    # -- the node ---------------------------------------------------------------------------------

    def ask(self, room: Address[Any], question: Ask[T]) -> T:
        return room.ask(question, timeout_s=WAIT_S)

    def await_that(self, holds: Callable[[], object]) -> None:
        """Look again and again until it holds."""
        deadline_s = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline_s, "it never came to hold"
            time.sleep(LOOK_EVERY_S)

    def await_in_time(self, holds: Callable[[], object], *living: Hostile) -> None:
        """Put the clock forward, 15 s at a look, until it holds; the honest peer and these show that they live."""

        def look() -> object:
            if found := holds():
                return found
            self.skip(15.0)
            for peer in (self.honest, *living):
                peer.hears()
            return None

        self.await_that(look)

    def settle(self, *peers: Hostile, hurry_s: float = 0.0) -> None:
        """Until all that these peers sent is dealt with, and what followed from it; each look puts the clock
        forward by ``hurry_s``, where the node reads slowly on purpose.
        """

        def settled() -> bool:
            if hurry_s:
                self.clock.skip(hurry_s)
            return all(self._is_settled(peer) for peer in peers)

        self.await_that(settled)
        self._turn_over()

    def skip(self, seconds: float) -> None:
        """Put the clock forward, and wait until what fell due is dealt with: one sweep must have asked for the next
        before the clock goes on, which else finds nothing due.
        """
        self.clock.skip(seconds)
        self._turn_over()

    def _turn_over(self) -> None:
        """Until each actor has handled what it has been told so far."""
        at = self.addresses
        self.ask(at.tcp, GetTransport())
        self.ask(at.messaging, GetMessaging())
        self.ask(at.gossip, GetGossip())
        self.ask(at.chain, GetChain())
        self.ask(at.mempool, GetPool())
        at.mempool.look_soon(GetPool()).result(WAIT_S)  # tips come to it ahead of the rest
        self.ask(at.search, ListItems(1))
        self.ask(at.peers, GetSlots())
        self.ask(at.messaging, GetMessaging())  # what those have sent

    def _is_settled(self, peer: Hostile) -> bool:
        info = self.connection_of(peer)
        return info is None or (
            info.received_frames >= peer.frames and info.reading and not info.unhandled_frames
        )

    def connections(self) -> tuple[ConnectionInfo, ...]:
        return self.ask(self.addresses.tcp, ListConnections())

    def connection_of(self, peer: Hostile) -> ConnectionInfo | None:
        """Its connection as the node sees it; None: it is gone."""
        own = peer.address
        return next((each for each in self.connections() if each.remote == own), None)

    def info_of(self, peer: Hostile) -> PeerInfo | None:
        return self.ask(self.addresses.peers, GetPeer(PeerId(peer.name)))

    def kind_of(self, peer: Hostile) -> PeerKind | None:
        info = self.info_of(peer)
        return None if info is None else info.kind

    def score_of(self, peer: Hostile) -> float:
        """Its points now, rounded: they fade from the moment they are given."""
        info = self.info_of(peer)
        assert info is not None, "it is a peer"
        return round(info.score)

    def peers(self) -> tuple[str, ...]:
        return tuple(each.peer for each in self.ask(self.addresses.peers, ListPeers()))

    def bans(self) -> tuple[Ban, ...]:
        return self.ask(self.addresses.peers, ListBans())

    def is_banned(self, peer: Hostile) -> bool:
        return any(ban.target == peer.name for ban in self.bans())

    def transport(self) -> TransportInfo:
        return self.ask(self.addresses.tcp, GetTransport())

    def ended(self, reason: CloseReason) -> int:
        """How many connections ended for it."""
        return dict(self.transport().ended).get(reason, 0)

    def messaging(self) -> MessagingInfo:
        return self.ask(self.addresses.messaging, GetMessaging())

    def pool(self) -> PoolInfo:
        return self.ask(self.addresses.mempool, GetPool())

    def tip(self) -> tuple[int, bytes]:
        tip = self.ask(self.addresses.chain, GetChain()).tip
        return tip.number, tip.hash

    def await_tip(self, block: Block) -> None:
        """Until the chain ends with it, and everybody knows."""
        self.await_that(lambda: self.tip() == (block.number, block.hash))
        self._turn_over()

    def await_connections(self, count: int) -> None:
        self.await_that(lambda: len(self.connections()) == count)

    # -- blocks -----------------------------------------------------------------------------------

    def grow(self, blocks: int = 1, coinbase: bytes | None = None) -> list[Block]:
        """Let the honest peer gossip so many blocks on the tip, and wait for them."""
        made: list[Block] = []
        parent = self.ask(self.addresses.chain, GetChain()).tip
        for _ in range(blocks):
            block = mine(self.network, parent, *(() if coinbase is None else (coinbase,)))
            made.append(block)
            parent = block.ref
        self.honest.tell_block(*made)
        self.await_tip(made[-1])
        return made

    def assert_sound(self) -> None:
        """Nobody fell, and who was honest all the time is served."""
        reports = self.ask(self.addresses.supervisor, ListActors())
        assert [(each.name, each.last_error) for each in reports if each.restarts] == []
        assert self.honest.name in self.peers()
        assert not self.is_banned(self.honest)
        self.grow()
        assert self.honest.ask(STATUS, status_of(self.network)).startswith(b"easy,")
