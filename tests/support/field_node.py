"""A node as they are in the field: a small model of its own, to test interoperation against.

Written from WIRE's "Nodes in the field: what to live with", habits and faults included, and with nothing
of ours: its own codec and ledger, plain sockets, a thread per connection. Every wait is bounded.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.field_ledger import (
    FieldBlock,
    FieldChain,
    FieldKey,
    FieldNetwork,
    FieldTransaction,
    dig,
)

REGULAR, REQUEST, RESPONSE = range(3)
HELLO, GET_PEERS = "p2p:hello", "p2p:get_peers"
NEW_BLOCK, NEW_TX, SEARCH = "gossip:bc:new_block", "gossip:bc:new_tx", "gossip:search:block"
ANSWER = "search_response:block"
ID_BYTES = 16
MAX_PEERS = 80
HELLO_S = 30.0
"""A hello unanswered for so long wedges the node (2)."""
WAIT_S = 30.0
"""How long a test waits for what must happen: only a failing test ever waits so long."""


class Heard(NamedTuple):
    """A regular message of a peer, as it came."""

    peer: str
    kind: str
    payload: bytes


@dataclass(eq=False)
class Link:
    """One connection; ``peer`` is None until a hello is accepted, ``answered`` until ours is."""

    number: int
    sock: socket.socket
    dialed: str | None
    hello_until_s: float
    peer: str | None = None
    answered: bool | None = None
    closed: bool = False
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    asked: dict[int, str] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)
    """To requests other than a hello."""

    def send(self, type_: int, id_: int, kind: str, payload: bytes) -> None:
        body = bytes([type_]) + id_.to_bytes(4, "big") + kind.encode() + b"\0" + payload
        with contextlib.suppress(OSError):  # the reader will notice
            self.sock.sendall(len(body).to_bytes(4, "big") + body)

    def request(self, kind: str, payload: bytes = b"") -> None:
        number = next(self.ids)
        self.asked[number] = kind
        self.send(REQUEST, number, kind, payload)

    def read_frame(self) -> bytes:
        """Raises EOFError at the end of the stream, TimeoutError where our hello is not answered."""
        return self._read(int.from_bytes(self._read(4), "big"))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            left_s = max(0.001, self.hello_until_s - time.monotonic())
            self.sock.settimeout(left_s if HELLO in self.asked.values() else None)
            if not (more := self.sock.recv(size - len(data))):
                raise EOFError
            data += more
        return data

    def shut(self) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class FieldNode:
    """One node; a context manager that leaves neither thread nor socket behind.

    What tests look at is read under ``changed``, or by `await_that`.
    """

    def __init__(
        self,
        network: FieldNetwork,
        name: str = "field",
        *,
        advertise: str | None = None,
        listed: Collection[str] | None = None,
        accepting: bool = True,
        fetching: bool = True,
    ) -> None:
        """Start it.

        Args:
            network: Its rules.
            name: Makes its key.
            advertise: What its hello says, unchecked by its peers; None: where it listens.
            listed: The peer list that it sends; None: its peers.
            accepting: Whether it accepts a hello or rejects it.
            fetching: False: its searches for ancestors are stalled.
        """
        self.chain, self.key = FieldChain(network), FieldKey(name)
        self.changed = threading.Condition()
        self.wedged = self._closing = False
        self.heard: list[Heard] = []
        self.peers: dict[str, list[Link]] = {}
        self.links: list[Link] = []
        self.pool: dict[str, FieldTransaction] = {}
        self._listed, self._accepting, self._fetching = listed, accepting, fetching
        self._seen: set[bytes] = set()
        self._routes: dict[bytes, str] = {}
        self._pending: dict[bytes, FieldBlock] = {}
        self._target = b""
        self._search: tuple[bytes, bytes] | None = None
        """Its id and the block that it is for."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = advertise or f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, name=f"{name} accepts")]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.changed:
            self._closing = True
            for link in self.links:
                link.shut()
        socket.create_connection(self._listener.getsockname()).close()  # wakes the acceptor
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), thread.name
        for link in self.links:
            link.sock.close()
        self._listener.close()
        assert error is not None or not self.wedged, "a hello of it was not answered"

    # -- what a test does and waits for -------------------------------------------------------------

    def await_that(self, holds: Callable[[], object]) -> None:
        """Wait until it holds, looking again whenever something happened here."""
        with self.changed:
            assert self.changed.wait_for(holds, WAIT_S), "it never came to hold"

    def await_tip(self, tip_hash: str) -> None:
        self.await_that(lambda: self.chain.tip.hash.hex() == tip_hash)

    def await_peer(self, address: str) -> None:
        self.await_that(lambda: address in self.peers)

    def dial(self, address: str) -> list[Link]:
        """Dial a bootstrap address: twice, with the same hello on both connections (1)."""
        host, _, port = address.rpartition(":")
        with self.changed:
            return [
                self._open(socket.create_connection((host, int(port)), HELLO_S), address)
                for _ in range(2)
            ]

    def join(self, address: str) -> list[Link]:
        """Dial and wait until both hellos are accepted."""
        dialed = self.dial(address)
        self.await_that(lambda: all(link.peer == address for link in dialed))
        return dialed

    def request(self, link: Link, kind: str, payload: bytes = b"") -> bytes:
        """Ask something else than a hello; the answer."""
        with self.changed:
            had = len(link.answers)
            link.request(kind, payload)
            self.await_that(lambda: len(link.answers) > had)
        return link.answers[-1]

    def gossip(self, kind: str, news: bytes) -> None:
        """Send news of our own to every peer."""
        with self.changed:
            gossip_id = os.urandom(ID_BYTES)
            self._seen.add(gossip_id)
            self._flood(kind, gossip_id + news)

    def ask(self, block_hash: bytes) -> bytes:
        """Search for a block; whatever comes back is only heard. The search id."""
        search_id = os.urandom(ID_BYTES)
        self.gossip(SEARCH, search_id + block_hash)
        return search_id

    def pay(self, recipient: bytes, amount: int) -> FieldTransaction:
        """Sign a transfer, pool it and gossip it."""
        with self.changed:
            nonce = self.chain.account(self.key.public)[1]
            transaction = self.key.transfer(recipient, nonce, amount)
            self.pool[transaction.text] = transaction
            self.gossip(NEW_TX, transaction.text.encode())
            return transaction

    def mine(self, blocks: int = 1, on: FieldBlock | None = None) -> FieldBlock:
        """Mine on the tip, or on any block, and gossip; the last one."""
        with self.changed:
            block = on or self.chain.tip
            for _ in range(blocks):
                chosen = self.chain.choose(block, self.pool.values())
                block = dig(self.chain.network, block, self.key.public, chosen)
                self.chain.add(block)
                self._forget_included(block)
                self.gossip(NEW_BLOCK, block.text.encode())
            self.changed.notify_all()
            return block

    # -- connections --------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            sock = self._listener.accept()[0]
            with self.changed:
                if self._closing:
                    sock.close()
                    return
                self._open(sock, None)

    def _open(self, sock: socket.socket, dialed: str | None) -> Link:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(len(self.links), sock, dialed, time.monotonic() + HELLO_S)
        self.links.append(link)
        if dialed is not None:
            link.request(HELLO, self.address.encode())
        self._threads.append(threading.Thread(target=self._read, args=(link,), name=str(link)))
        self._threads[-1].start()
        return link

    def _read(self, link: Link) -> None:
        try:
            while not self._closing:
                body = link.read_frame()
                with self.changed:
                    if not self.wedged:
                        self._on_message(link, body)
                    self.changed.notify_all()
        except TimeoutError:
            with self.changed:
                self.wedged = True
                self.changed.notify_all()
        except (OSError, EOFError):
            with self.changed:
                self._lose(link)
                self.changed.notify_all()

    def _lose(self, link: Link) -> None:
        """If either connection of a peer closes, the peer is dropped (1)."""
        link.shut()
        if link.peer is not None and link in self.peers.get(link.peer, ()):
            for other in self.peers.pop(link.peer):
                other.shut()

    def _link(self, link: Link, peer: str) -> None:
        link.peer = peer
        self.peers.setdefault(peer, []).append(link)
        self.peers[peer].sort(key=lambda known: known.number)

    # -- messages -----------------------------------------------------------------------------------

    def _on_message(self, link: Link, body: bytes) -> None:
        """Silent on whatever it does not know (3)."""
        type_, id_ = body[0], int.from_bytes(body[1:5], "big")
        name, _, payload = body[5:].partition(b"\0")
        kind = name.decode(errors="replace")
        if type_ == RESPONSE:
            self._on_response(link, link.asked.pop(id_, None), payload)
        elif type_ == REQUEST and kind == HELLO:
            if self._accepting:
                self._link(link, payload.decode())
            link.send(RESPONSE, id_, "", bytes([self._accepting]) + self._peer_list())
        elif type_ == REQUEST and kind == GET_PEERS:
            link.send(RESPONSE, id_, "", self._peer_list())
        elif type_ == REGULAR and link.peer is not None:  # news before that are dropped (7)
            self.heard.append(Heard(link.peer, kind, payload))
            if kind == ANSWER:
                self._on_answer(payload[:ID_BYTES], payload[ID_BYTES:])
            elif kind.startswith("gossip:"):
                self._on_gossip(link.peer, kind, payload)

    def _on_response(self, link: Link, kind: str | None, payload: bytes) -> None:
        if kind == HELLO:
            link.answered = payload[:1] == b"\1"
            entries = payload[1:].decode().split(",") if payload[1:] else []
            sound = all(port.isdigit() for _, _, port in (e.partition(":") for e in entries))
            if link.answered and sound and link.dialed is not None:  # a malformed list: not (3)
                self._link(link, link.dialed)
        elif kind is not None:
            link.answers.append(payload)

    def _peer_list(self) -> bytes:
        listed = self.peers if self._listed is None else self._listed
        return ",".join(list(listed)[:MAX_PEERS]).encode()

    # -- gossip -------------------------------------------------------------------------------------

    def _flood(self, kind: str, payload: bytes, but: str | None = None) -> None:
        """The original bytes, to each peer's first connection."""
        for peer in self.peers:
            if peer != but:
                self._tell(peer, kind, payload)

    def _tell(self, peer: str, kind: str, payload: bytes) -> None:
        if peer in self.peers:
            link = self.peers[peer][0]
            link.send(REGULAR, next(link.ids), kind, payload)

    def _on_gossip(self, peer: str, kind: str, payload: bytes) -> None:
        gossip_id, news = payload[:ID_BYTES], payload[ID_BYTES:]
        if gossip_id in self._seen:
            return
        self._seen.add(gossip_id)
        with contextlib.suppress(ValueError):  # what it cannot read at all
            if (
                (kind == NEW_BLOCK and self._on_block(news))
                or (kind == NEW_TX and self._on_transaction(news))
                or (kind == SEARCH and self._must_ask(peer, news[:ID_BYTES], news[ID_BYTES:]))
            ):
                self._flood(kind, payload, but=peer)

    def _on_block(self, news: bytes) -> bool:
        """Only the proof of work is checked before a block is relayed, and known ones are, too (4)."""
        block = FieldBlock.parse(news.decode())
        if not block.has_work(self.chain.network):
            return False
        if block.hash not in self.chain.blocks:
            self._pending[block.hash] = block
            self._target = block.hash
            self._connect()
        return True

    def _on_transaction(self, news: bytes) -> bool:
        transaction = FieldTransaction.parse(news.decode())
        if not transaction.is_signed():
            return False
        self.pool[transaction.text] = transaction
        return True

    def _forget_included(self, block: FieldBlock) -> None:
        for transaction in block.transactions:
            self.pool.pop(transaction.text, None)

    # -- blocks and searches ------------------------------------------------------------------------

    def _connect(self) -> None:
        """Connect what can be, then search for the one block that is missing (6)."""
        while ready := [b for b in self._pending.values() if b.parent in self.chain.blocks]:
            for block in ready:
                self.chain.add(self._pending.pop(block.hash))
                self._forget_included(block)
        self._search = None
        wanted = self._target
        while wanted in self._pending:
            wanted = self._pending[wanted].parent
        if wanted != self._target and self._fetching:
            self._search = self.ask(wanted), wanted

    def _must_ask(self, peer: str, search_id: bytes, block_hash: bytes) -> bool:
        """Answer a search; True where others must be asked."""
        block = self.chain.blocks.get(block_hash)
        if block is None:
            self._routes[search_id] = peer
        else:
            self._tell(peer, ANSWER, search_id + block.text.encode())
        return block is None

    def _on_answer(self, search_id: bytes, answer: bytes) -> None:
        """Another's answer is forwarded without its search id (5); one without is none of ours."""
        if self._search is not None and self._search[0] == search_id:
            block = FieldBlock.parse(answer.decode())
            if block.hash == self._search[1] and block.has_work(self.chain.network):
                self._pending[block.hash] = block
                self._connect()
        elif search_id in self._routes:
            self._tell(self._routes[search_id], ANSWER, answer)
