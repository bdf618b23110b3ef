"""Calls that no node should answer: bad tokens, oversized messages, bytes that are none of ours.

Seeded, so that the same calls come again. Each kind of abuse says how it was refused.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from admin.bind import parts_of
from admin.permissions import PERMISSIONS

OVERSIZED_BYTES = 5 * 1024 * 1024
"""Above the 4 MiB that a message may have."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_S = 60.0
NO_MESSAGE = b"\xff\xff\xff"
"""A tag that never ends: no protobuf message begins so."""
METHODS = sorted(PERMISSIONS)
UNARY = "/troupe.admin.v1.MempoolService/SubmitTransaction"


class NotRefusedError(AssertionError):
    """The node did what it should not."""


class Abuse:
    """Misuses one server, over plaintext; a context manager."""

    def __init__(self, address: str, token: str, seed: int = 1) -> None:
        self._address, self._token = address, token
        self._random = random.Random(seed)
        self._channel: Any = grpc.insecure_channel(address)
        self._kinds: tuple[tuple[int, Callable[[], str]], ...] = (
            (70, self.bad_token),
            (5, self.oversized_message),
            (10, self.message_of_noise),
            (15, self.noise_on_the_port),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def run(self, calls: int) -> Counter[str]:
        """So many calls of all kinds; how often each was refused how.

        Raises:
            NotRefusedError: one was not refused as it must be.
        """
        weights, kinds = zip(*self._kinds, strict=True)
        chosen = self._random.choices(kinds, weights, k=calls)
        return Counter(kind() for kind in chosen)

    def bad_token(self) -> str:
        """A call of any method with a token that is none."""
        values: tuple[str | None, ...] = (
            None,
            "",
            "Bearer ",
            "Basic " + self._token,
            "Bearer " + self._token[:-1],
            "Bearer " + self._random.randbytes(32).hex(),
            "Bearer " + "x" * 4_000,
        )
        value = self._random.choice(values)
        metadata = () if value is None else (("authorization", value),)
        seen = self._call(self._random.choice(METHODS), self._random.randbytes(40), metadata)
        return _expected(seen, "TOKEN_MISSING" if value is None else "TOKEN_INVALID")

    def oversized_message(self) -> str:
        """A request beyond the limit, with a good token or none: refused before anybody looks at that."""
        good = self._random.random() < 0.5
        metadata = (("authorization", f"Bearer {self._token}"),) if good else ()
        seen = self._call(UNARY, bytes(OVERSIZED_BYTES), metadata)
        return _expected(seen, "RESOURCE_EXHAUSTED", *(() if good else ("TOKEN_MISSING",)))

    def message_of_noise(self) -> str:
        """A request that is no message, with a good token."""
        metadata = (("authorization", f"Bearer {self._token}"),)
        noise = NO_MESSAGE + self._random.randbytes(self._random.randrange(2_000))
        return _expected(self._call(UNARY, noise, metadata), "FIELD_INVALID")

    def noise_on_the_port(self) -> str:
        """A connection that speaks no gRPC; it is to be closed without an answer to it."""
        noise = self._random.randbytes(self._random.randrange(1, 4_096))
        if self._random.random() < 0.5:
            noise = PREFACE + noise
        with socket.create_connection(parts_of(self._address), TIMEOUT_S) as connection:
            try:
                connection.sendall(noise)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
            except ConnectionError:
                return "connection reset"
        return "connection closed"

    def _call(self, method: str, request: bytes, metadata: Any) -> str:
        """The reason that the call was refused for, or its status code if it was without one."""
        call = self._channel.unary_unary(method)
        try:
            call(request, metadata=metadata, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            failed: Any = error
            status = rpc_status.from_call(failed)
            if status is None:
                return str(failed.code().name)
            return _reason(status)
        message = f"{method} answered"
        raise NotRefusedError(message)


def _reason(status: Any) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return str(info.reason)


def _expected(seen: str, *allowed: str) -> str:
    if seen not in allowed:
        message = f"refused with {seen}, not with {' or '.join(allowed)}"
        raise NotRefusedError(message)
    return seen
