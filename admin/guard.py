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

from admin.auth import Token, Tokens, authorize
from admin.counts import CallCounts
from admin.errors import Refusal, stopping
from admin.permissions import OPEN_METHODS, PACKAGE
from admin.sharing import Changes

log = logging.getLogger(__name__)

MAX_STREAMS = 128
"""Streams with a token: each may hold a thousand events (ADMIN_API: TOO_MANY_STREAMS)."""
MAX_OPEN_STREAMS = 64
"""Streams that need no token (health, reflection) have places of their own: nobody can take the others'."""
MAX_OPEN_CALLS = 64
"""Other calls that need no token: so few that those with a token always have room (``MAX_CALLS``)."""
REQUEST_S = 5.0
"""A request comes with its call, at most 4 MiB over loopback; a call without one only holds a place."""

_LOOKS = OPEN_METHODS | {PACKAGE + "NodeService/GetNode", PACKAGE + "NodeService/WatchNode"}
"""They show what is kept for a moment. Whoever learns something by any other method must not find it older
there: each of those ends the moment.
"""
UPLOAD_GAP_S = 30.0
"""For the next message of an upload, from when it is wanted: a disk that has to spin up, and to spare."""
_NO_MORE = object()

Handler = Any
"""``grpc.RpcMethodHandler``: the border to an untyped library."""


@dataclass(slots=True)
class _Call:
    """A call that is under way.

    Attributes:
        token: What it was let in with; None for an open method.
        ending: What it is being ended with.
        is_upload: Whether it takes a stream of requests, which only its handler knows.
        writing: Whether a message of it is being sent.
        is_cut: Whether it is to end after that message.
    """

    method: str
    is_stream: bool
    token: Token | None = None
    ending: Refusal | None = None
    is_upload: bool = False
    writing: bool = False
    is_cut: bool = False

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

    def __init__(self, tokens: Tokens, counts: CallCounts, changes: Changes) -> None:
        """``changes`` is told before the answer to any call that changes or shows something new."""
        self._tokens, self._counts, self._changes = tokens, counts, changes
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
        token = None
        try:
            if method not in OPEN_METHODS:
                token = authorize(self._tokens, method, details.invocation_metadata or ())
                if self._stopping:
                    raise stopping()
            self._take_place(_Call(method, handler.response_streaming, token))
        except Refusal as refusal:
            self._counts.end(method, refusal.code.name)
            return _refuse(refusal)
        return handler

    def end_lapsed(self) -> None:
        """End the streams, of either direction, whose token was deleted or has expired; other calls are left
        to finish. One whose reader has not taken its last message by the next look is cut off.
        """
        for task, call in self._calls.items():
            if call.ending is not None:
                task.cancel()
            elif (call.is_stream or call.is_upload) and call.token is not None:
                call.ending = self._tokens.lapse(call.token)
                if call.ending is not None:
                    _cut(task, call)

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
                _cut(task, call)
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
            encode = _once(served.response_serializer)
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, served.unary_stream), decode, encode
            )
        if served.stream_unary is not None:
            return grpc.stream_unary_rpc_method_handler(
                self._upload(method, served.stream_unary), decode, served.response_serializer
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

    def _upload(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> Any:
            async with self._boundary(method, context):
                self._calls[_current_task()].is_upload = True
                return await behaviour(_paced(requests), context)

        return call

    def _stream(self, method: str, behaviour: Callable[..., AsyncIterator[Any]]) -> Any:
        async def call(request: Any, context: Any) -> None:
            async with self._boundary(method, context):
                responses = _closable(behaviour(_decoded(request), context))
                own = self._calls[_current_task()]
                async with contextlib.aclosing(responses) as out:
                    async for response in out:
                        if method not in _LOOKS:
                            self._changes.tell()
                        own.writing = True
                        await context.write(response)
                        own.writing = False
                        if own.is_cut:
                            raise asyncio.CancelledError

        return call

    @contextlib.asynccontextmanager
    async def _boundary(self, method: str, context: Any) -> AsyncIterator[None]:
        """Whatever a method raises ends its call with a status and its details, and lets no text out."""
        code = grpc.StatusCode.OK
        try:
            try:
                yield
            finally:
                if method not in _LOOKS:
                    self._changes.tell()
        except Refusal as refusal:
            code = refusal.code
            await refusal.abort(context)
        except grpc.aio.AbortError:
            code = grpc.StatusCode.UNKNOWN
            raise
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            ending = self._ending()
            if ending is None:
                raise
            code = ending.code
            await ending.abort(context)
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a status
            code = grpc.StatusCode.INTERNAL
            await _bug(method, error).abort(context)
        finally:
            self._counts.end(method, code.name)

    def _ending(self) -> Refusal | None:
        """What this call is being ended with; None: it ended of its client's accord."""
        if self._stopping:
            return stopping()
        task = asyncio.current_task()
        call = self._calls.get(task) if task is not None else None
        return call.ending if call is not None else None

    def _take_place(self, call: _Call) -> None:
        """Count a call from before its request, which may never come, to the end of its task."""
        limit = call.limit
        if (
            limit is not None
            and sum(other.kind == call.kind for other in self._calls.values()) >= limit
        ):
            message = f"{limit} {'streams' if call.is_stream else 'calls'} are open, and that is the limit"
            raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit=str(limit))
        task = _current_task()
        self._calls[task] = call
        if call.is_stream:
            self._counts.open_streams[call.method] += 1
        task.add_done_callback(self._leave_place)

    def _leave_place(self, task: asyncio.Task[Any]) -> None:
        call = self._calls.pop(task)
        if call.is_stream:
            self._counts.open_streams[call.method] -= 1


def _cut(task: asyncio.Task[Any], call: _Call) -> None:
    """End a stream, after the message that is being sent if one is: gRPC takes no status meanwhile."""
    call.is_cut = True
    if not call.writing:
        task.cancel()


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


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


def _once(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """A serializer that lets through what is serialized already: one for all the readers of a stream."""

    def attempt(response: Any) -> bytes:
        return response if isinstance(response, bytes) else encode(response)

    return attempt


async def _first(requests: AsyncIterator[Any]) -> Any:
    """The one request of a unary call, or None."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REQUEST_S):
            return await anext(requests, None)
    return None


async def _paced(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The messages of an upload, none of which lets us wait too long for it."""
    while True:
        try:
            async with asyncio.timeout(UPLOAD_GAP_S):
                request = await anext(requests, _NO_MORE)
        except TimeoutError as error:
            message = f"no message of the upload came for {UPLOAD_GAP_S:g} s"
            raise Refusal(errors_pb2.ERROR_REASON_UPLOAD_STALLED, message) from error
        if request is _NO_MORE:
            return
        yield _decoded(request)


def _decoded(request: Any) -> Any:
    if request is None:
        message = "the request is no message of this method"
        raise Refusal(errors_pb2.ERROR_REASON_FIELD_INVALID, message, field="")
    return request


def _closable(responses: AsyncIterator[Any]) -> Any:
    """Every streaming behaviour here is an async generator, which its annotation does not say."""
    return responses
