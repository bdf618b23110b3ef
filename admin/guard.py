"""The door: every call passes here before it reaches a service, and on its way out.

In: the token, the permission, the node's stop. Out: refusals become rich statuses, and whatever else is
raised becomes INTERNAL with an id, so that no text of ours leaks. Calls are counted, and ended at a stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from troupe.admin.v1 import errors_pb2

from admin.auth import Tokens, authorize
from admin.errors import Refusal, stopping
from admin.permissions import OPEN_METHODS

log = logging.getLogger(__name__)

MAX_STREAMS = 128
"""Streams with a token: each may hold a thousand events (ADMIN_API: TOO_MANY_STREAMS)."""
MAX_OPEN_STREAMS = 64
"""Streams that need no token (health, reflection) have places of their own: nobody can take the others'."""
MAX_OPEN_CALLS = 64
"""Other calls that need no token: so few that those with a token always have room (``MAX_CALLS``)."""
REQUEST_S = 5.0
"""A request comes with its call, at most 4 MiB over loopback; a call without one only holds a place."""

Handler = Any
"""``grpc.RpcMethodHandler``: the border to an untyped library."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is under way."""

    method: str
    is_stream: bool

    @property
    def is_open(self) -> bool:
        return self.method in OPEN_METHODS

    @property
    def kind(self) -> tuple[bool, bool]:
        """Calls of a kind share their places."""
        return self.is_open, self.is_stream

    @property
    def limit(self) -> int | None:
        if self.is_stream:
            return MAX_OPEN_STREAMS if self.is_open else MAX_STREAMS
        return MAX_OPEN_CALLS if self.is_open else None


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """The server's one interceptor. Everything on the server's event loop."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._guarded: dict[str, Handler] = {}
        self._calls: dict[asyncio.Task[Any], _Call] = {}
        self._stopping = False

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], details: Any
    ) -> Handler:
        """Pass a call on, or answer it with a refusal. What is not served is UNIMPLEMENTED to anyone."""
        method: str = details.method
        handler = self._guarded.get(method)
        if handler is None:
            served = await continuation(details)
            if served is None:
                return None
            handler = self._guarded[method] = self._guard(method, served)
        try:
            if method not in OPEN_METHODS:
                authorize(self._tokens, method, details.invocation_metadata or ())
                if self._stopping:
                    raise stopping()
            self._take_place(_Call(method, is_stream=handler.response_streaming))
        except Refusal as refusal:
            return _refuse(refusal)
        return handler

    # -- the node's stop ----------------------------------------------------------------------------

    def close(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def end_calls(self, *, last: frozenset[str], patience_s: float) -> None:
        """End every call with STOPPING: streams at once, calls and the streams of ``last`` if they do not
        end by themselves in a while.
        """
        for task, call in self._calls.items():
            if call.is_stream and call.method not in last:
                task.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=patience_s)
        for task in self._calls:
            task.cancel()

    # -- calls --------------------------------------------------------------------------------------

    def _guard(self, method: str, served: Handler) -> Handler:
        decode = _lenient(served.request_deserializer)
        if served.unary_unary is not None:
            # Its one request is read here: gRPC would wait for it without a limit.
            return grpc.stream_unary_rpc_method_handler(
                self._unary(method, served.unary_unary), decode, served.response_serializer
            )
        if served.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, served.unary_stream), decode, served.response_serializer
            )
        # Reflection alone streams both ways; its requests are decoded by its own rules.
        return grpc.stream_stream_rpc_method_handler(
            self._stream(method, served.stream_stream),
            served.request_deserializer,
            served.response_serializer,
        )

    def _unary(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> Any:
            async with self._boundary(method, context):
                return await behaviour(_decoded(await _first(requests)), context)

        return call

    def _stream(self, method: str, behaviour: Callable[..., AsyncIterator[Any]]) -> Any:
        async def call(request: Any, context: Any) -> None:
            async with self._boundary(method, context):
                responses = _closable(behaviour(_decoded(request), context))
                async with contextlib.aclosing(responses) as out:
                    async for response in out:
                        await context.write(response)

        return call

    @contextlib.asynccontextmanager
    async def _boundary(self, method: str, context: Any) -> AsyncIterator[None]:
        """Whatever a method raises ends its call with a status and its details, and lets no text out."""
        try:
            yield
        except Refusal as refusal:
            await refusal.abort(context)
        except grpc.aio.AbortError:
            raise
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            await stopping().abort(context)
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a status
            await _bug(method, error).abort(context)

    def _take_place(self, call: _Call) -> None:
        """Count a call from before its request, which may never come, to the end of its task."""
        limit = call.limit
        if (
            limit is not None
            and sum(other.kind == call.kind for other in self._calls.values()) >= limit
        ):
            message = f"{limit} {'streams' if call.is_stream else 'calls'} are open, and that is the limit"
            raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit=str(limit))
        task = asyncio.current_task()
        assert task is not None
        self._calls[task] = call
        task.add_done_callback(self._calls.pop)


def _refuse(refusal: Refusal) -> Handler:
    """A handler that answers any kind of call with a refusal, whatever it sends."""

    async def abort(_requests: Any, context: Any) -> None:
        await refusal.abort(context)

    return grpc.stream_stream_rpc_method_handler(abort)


def _bug(method: str, error: Exception) -> Refusal:
    error_id = secrets.token_hex(8)
    log.error("error %s in %s", error_id, method, exc_info=error)
    message = f"internal error {error_id}: the node's log says more"
    return Refusal(errors_pb2.ERROR_REASON_INTERNAL, message, error_id=error_id)


def _lenient(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A deserializer that returns None for bytes that are no message, instead of raising into gRPC."""

    def attempt(data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError:
            return None

    return attempt


async def _first(requests: AsyncIterator[Any]) -> Any:
    """The one request of a unary call, or None."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REQUEST_S):
            return await anext(requests, None)
    return None


def _decoded(request: Any) -> Any:
    if request is None:
        message = "the request is no message of this method"
        raise Refusal(errors_pb2.ERROR_REASON_FIELD_INVALID, message, field="")
    return request


def _closable(responses: AsyncIterator[Any]) -> Any:
    """Every streaming behaviour here is an async generator, which its annotation does not say."""
    return responses
