"""The door: every call passes here before it reaches a service, and on its way out.

In: the token, the permission, the node's stop. Out: refusals become rich statuses, and whatever else is
raised becomes INTERNAL with an id, so that no text of ours leaks. Streams are counted, and ended at a stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from troupe.admin.v1 import errors_pb2

from admin.auth import OPEN_METHODS, Tokens, authorize
from admin.errors import Refusal, stopping

log = logging.getLogger(__name__)

MAX_STREAMS = 128
"""Streams with a token: each may hold a thousand events (ADMIN_API: TOO_MANY_STREAMS)."""
MAX_OPEN_STREAMS = 64
"""Streams that need no token (health, reflection) have places of their own: nobody can take the others'."""

Handler = Any
"""``grpc.RpcMethodHandler``: the border to an untyped library."""


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """The server's one interceptor. Everything on the server's event loop."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._guarded: dict[str, Handler] = {}
        self._streams: dict[asyncio.Task[Any], str] = {}
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
        except Refusal as refusal:
            return _refuse(refusal)
        return handler

    # -- the node's stop ----------------------------------------------------------------------------

    def close(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def end_streams(self, *, last: frozenset[str], patience_s: float) -> None:
        """End every stream with STOPPING; those of the methods in ``last`` get a while to end by themselves."""
        for task, method in self._streams.items():
            if method not in last:
                task.cancel()
        if self._streams:
            await asyncio.wait(self._streams, timeout=patience_s)
        for task in self._streams:
            task.cancel()

    # -- calls --------------------------------------------------------------------------------------

    def _guard(self, method: str, served: Handler) -> Handler:
        decode = _lenient(served.request_deserializer)
        if served.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
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
        async def call(request: Any, context: Any) -> Any:
            try:
                return await behaviour(_decoded(request), context)
            except Refusal as refusal:
                await refusal.abort(context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a status
                await _bug(method, error).abort(context)

        return call

    def _stream(self, method: str, behaviour: Callable[..., AsyncIterator[Any]]) -> Any:
        async def call(request: Any, context: Any) -> None:
            try:
                with self._place(method):
                    async with contextlib.aclosing(
                        _closable(behaviour(_decoded(request), context))
                    ) as out:
                        async for response in out:
                            await context.write(response)
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

        return call

    @contextlib.contextmanager
    def _place(self, method: str) -> Iterator[None]:
        is_open = method in OPEN_METHODS
        limit = MAX_OPEN_STREAMS if is_open else MAX_STREAMS
        taken = sum((name in OPEN_METHODS) == is_open for name in self._streams.values())
        if taken >= limit:
            message = f"{limit} streams are open, and that is the limit"
            raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit=str(limit))
        task = asyncio.current_task()
        assert task is not None
        self._streams[task] = method
        try:
            yield
        finally:
            del self._streams[task]


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


def _decoded(request: Any) -> Any:
    if request is None:
        message = "the request is no message of this method"
        raise Refusal(errors_pb2.ERROR_REASON_FIELD_INVALID, message, field="")
    return request


def _closable(responses: AsyncIterator[Any]) -> Any:
    """Every streaming behaviour here is an async generator, which its annotation does not say."""
    return responses
