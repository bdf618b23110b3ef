"""A scripted peer: a blocking socket with a timeout that speaks the peer protocol byte by byte.

Written from the protocol's description and not with the node's own codec, so that the two check each
other. Every wait is bounded; running out of time raises `TimeoutError`.
"""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import NamedTuple, Self

REGULAR, REQUEST, RESPONSE = range(3)
HELLO = "p2p:hello"


class WireMessage(NamedTuple):
    """One message as received."""

    type: int
    id: int
    kind: str
    payload: bytes


class HelloAnswer(NamedTuple):
    """The response to a hello."""

    accepted: bool
    peers: list[str]


def frame(body: bytes) -> bytes:
    """`body` with its length in front."""
    return len(body).to_bytes(4, "big") + body


def message(type_: int, id_: int, kind: str, payload: bytes = b"") -> bytes:
    """A message, without a frame."""
    return bytes([type_]) + id_.to_bytes(4, "big") + kind.encode() + b"\0" + payload


class WireClient:
    """One connection to a node, or from one."""

    def __init__(self, sock: socket.socket, timeout_s: float = 30.0) -> None:
        self.sock = sock
        sock.settimeout(timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""

    @classmethod
    def connect(cls, host: str, port: int, timeout_s: float = 30.0) -> Self:
        return cls(socket.create_connection((host, port), timeout_s), timeout_s)

    @classmethod
    def accept(cls, listener: socket.socket, timeout_s: float = 30.0) -> Self:
        """Take the next connection from a listening socket of the test's own."""
        listener.settimeout(timeout_s)
        return cls(listener.accept()[0], timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Our own end."""
        host, port = self.sock.getsockname()[:2]
        return f"{host}:{port}"

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    # -- bytes and frames -------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_frame(self, body: bytes) -> None:
        self.send_raw(frame(body))

    def recv_exactly(self, count: int) -> bytes:
        """Raises EOFError where the stream ends before."""
        while len(self._pending) < count:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._pending += data
        data, self._pending = self._pending[:count], self._pending[count:]
        return data

    def recv_frame(self) -> bytes:
        return self.recv_exactly(int.from_bytes(self.recv_exactly(4), "big"))

    def wait_closed(self) -> bytes:
        """Wait for the other side to close or reset; what it had still sent."""
        with contextlib.suppress(ConnectionError):
            while data := self.sock.recv(65536):
                self._pending += data
        return self._pending

    # -- messages -----------------------------------------------------------------------------------

    def send_message(self, type_: int, id_: int, kind: str, payload: bytes = b"") -> None:
        self.send_frame(message(type_, id_, kind, payload))

    def recv_message(self) -> WireMessage:
        body = self.recv_frame()
        kind, payload = body[5:].split(b"\0", 1)
        return WireMessage(body[0], int.from_bytes(body[1:5], "big"), kind.decode(), payload)

    def recv_until(
        self, type_: int, *, id_: int | None = None, kind: str | None = None
    ) -> WireMessage:
        """The next message of a type (and id, and kind); others are skipped."""
        while True:
            got = self.recv_message()
            if got.type == type_ and id_ in (None, got.id) and kind in (None, got.kind):
                return got

    def request(self, id_: int, kind: str, payload: bytes = b"") -> bytes:
        """Ask; the payload of the response with that id."""
        self.send_message(REQUEST, id_, kind, payload)
        return self.recv_until(RESPONSE, id_=id_).payload

    # -- the handshake ------------------------------------------------------------------------------

    def hello(self, address: str, id_: int = 1) -> HelloAnswer:
        """Say hello as the peer of that address."""
        answer = self.request(id_, HELLO, address.encode())
        peers = answer[1:].decode()
        return HelloAnswer(answer[:1] == b"\1", peers.split(",") if peers else [])

    def answer_hello(self, *peers: str, accept: bool = True) -> str:
        """Wait for a hello on a connection that the node dialed and answer it; its address."""
        said = self.recv_until(REQUEST, kind=HELLO)
        verdict = b"\1" if accept else b"\0"
        self.send_message(RESPONSE, said.id, "", verdict + ",".join(peers).encode())
        return said.payload.decode()
