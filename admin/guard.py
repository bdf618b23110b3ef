"""The door: every call passes here before it reaches a service, and on its way out.

In: the token, the permission, the node's stop. Out: refusals become rich statuses, and whatever else is
raised becomes INTERNAL with an id, so that no text of ours leaks. Calls are counted, and ended at a stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError
from troupe.admin.v1 import errors_pb2

from actors.runtime.clock import Clock
from admin.auth import Tokens, authorize
from admin.brake import Brake
from admin.bursts import Bursts
from admin.counts import CallCounts
from admin.errors import Refusal, stopping
from admin.permissions import OPEN_METHODS, PACKAGE
from admin.places import Call, Places
from admin.sharing import Changes

log = logging.getLogger(__name__)

REQUEST_S = 5.0
"""A request comes with its call, at most 4 MiB over loopback; a call without one only holds a place."""

_LOOKS = OPEN_METHODS | {PACKAGE + "NodeService/GetNode", PACKAGE + "NodeService/WatchNode"}
"""They show what is kept for a moment. Whoever learns something by any other method must not find it older
there: each of those ends the moment.
"""
UPLOAD_GAP_S = 30.0
"""For the next message of an upload, from when it is wanted: a disk that has to spin up, and to spare."""
STALLED_LOOKS = 300
"""We look once a second: the reader of a stream who takes nothing for so long leaves its place to others. Whoever
reads page by page needs minutes, and can resume.
"""
ANSWER_LOOKS = 60
"""The same for the one answer of any other call, of 4 MiB at most: half a megabit a second is enough."""
_NO_MORE = object()

Handler = Any
"""``grpc.RpcMethodHandler``: the border to an untyped library."""


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """The server's one interceptor. Everything on the server's event loop."""

    def __init__(self, tokens: Tokens, counts: CallCounts, changes: Changes, clock: Clock) -> None:
        """``changes`` is told before the answer to any call that changes or shows something new."""
        self._tokens, self._counts, self._changes = tokens, counts, changes
        self._guarded: dict[str, Handler] = {}
        self._places = Places(counts)
        self._brake, self._bursts = Brake(clock), Bursts(clock)
        self._stopping = False
        self._closings = set[asyncio.Future[None]]()

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
            self._places.take(_current_task(), Call(method, handler.response_streaming, token))
        except Refusal as refusal:
            self._counts.end(method, refusal.code.name)
            return self._refuse(method, refusal)
        return handler

    def look(self) -> None:
        """Once a second: end the streams, of either direction, whose token was deleted or has expired, and
        all calls whose reader stalls; other calls are left to finish. One whose reader has not taken its last
        message by the next look is given up: gRPC ends no call whose message is on its way.
        """
        self._bursts.look()
        for task, call in self._places:
            waited = call.stalls()
            if call.ending is None:
                call.ending = self._overdue(call, waited)
                if call.ending is not None:
                    _cut(task, call)
            elif call.writing:
                self._give_up(call)

    def _give_up(self, call: Call) -> None:
        """End what is behind a call that gRPC does not end, and let others have its place."""
        self._places.give_up(call)
        responses, call.responses = call.responses, None
        if responses is not None:
            closing = asyncio.ensure_future(responses.aclose())
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)

    def _overdue(self, call: Call, waited: int) -> Refusal | None:
        """Why a call is to end now, if it is."""
        patience = STALLED_LOOKS if call.is_stream else ANSWER_LOOKS
        if waited > patience:
            message = f"the client took nothing for {patience} s"
            return Refusal(errors_pb2.ERROR_REASON_SLOW_CONSUMER, message)
        is_long = call.is_stream or call.is_upload
        return self._tokens.lapse(call.token) if is_long and call.token is not None else None

    # -- the node's stop ----------------------------------------------------------------------------

    def close(self) -> None:
        """Refuse calls from now on, and at once."""
        self._stopping = True
        self._brake.release()

    async def end_calls(self, *, last: frozenset[str], patience_s: float) -> None:
        """End every call with STOPPING: streams at once, calls and the streams of ``last`` if they do not
        end by themselves in a while.
        """
        for task, call in self._places:
            if call.is_stream and call.method not in last:
                _cut(task, call)
        if len(self._places):
            await asyncio.wait([task for task, _ in self._places], timeout=patience_s)
        for task, _ in self._places:
            task.cancel()

    # -- calls --------------------------------------------------------------------------------------

    def _guard(self, method: str, served: Handler) -> Handler:
        decode = _lenient(served.request_deserializer)
        # One request, too, is read here: gRPC would wait for it without a limit.
        if served.unary_unary is not None:
            return grpc.stream_unary_rpc_method_handler(
                self._unary(method, served.unary_unary), decode, served.response_serializer
            )
        if served.unary_stream is not None:
            encode = _once(served.response_serializer)
            return grpc.stream_stream_rpc_method_handler(
                self._stream(method, served.unary_stream, _first), decode, encode
            )
        if served.stream_unary is not None:
            return grpc.stream_unary_rpc_method_handler(
                self._upload(method, served.stream_unary), decode, served.response_serializer
            )
        # Reflection alone streams both ways; its requests are decoded by its own rules.
        return grpc.stream_stream_rpc_method_handler(
            self._stream(method, served.stream_stream, _all),
            served.request_deserializer,
            served.response_serializer,
        )

    def _unary(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> Any:
            async with self._boundary(method, context):
                response = await behaviour(await _first(requests), context)
            self._own().writing = True
            return response

        return call

    def _upload(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> Any:
            async with self._boundary(method, context):
                own = self._own()
                own.is_upload = True
                response = await behaviour(_paced(requests), context)
            own.writing = True
            return response

        return call

    def _stream(
        self,
        method: str,
        behaviour: Callable[..., AsyncIterator[Any]],
        asked: Callable[[AsyncIterator[Any]], Awaitable[Any]],
    ) -> Any:
        async def call(requests: AsyncIterator[Any], context: Any) -> None:
            own = self._own()
            async with self._boundary(method, context):
                own.responses = _closable(behaviour(await asked(requests), context))
                async with contextlib.aclosing(own.responses) as out:
                    async for response in out:
                        if method not in _LOOKS:
                            self._changes.tell()
                        own.writing = True
                        await context.write(response)
                        own.writing = False
                        own.written += 1
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
            self._bursts.note(refusal, method, context.peer)
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
            self._bursts.note(ending, method, context.peer)
            await ending.abort(context)
        except grpc.aio.InternalError:  # a message could not be sent: the client is gone
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a status
            code = grpc.StatusCode.INTERNAL
            await _bug(method, error).abort(context)
        finally:
            self._counts.end(method, code.name)

    def _ending(self) -> Refusal | None:
        """What this call is being ended with; None: it ended of its client's accord."""
        if self._stopping:
            return stopping()
        call = self._places.own()
        return call.ending if call is not None else None

    def _own(self) -> Call:
        call = self._places.own()
        assert call is not None, "it took its place before"
        return call

    def _refuse(self, method: str, refusal: Refusal) -> Handler:
        """A handler that answers any kind of call with a refusal, whatever it sends."""

        async def abort(_requests: Any, context: Any) -> None:
            self._bursts.note(refusal, method, context.peer)
            await self._brake.hold()
            await refusal.abort(context)

        return grpc.stream_stream_rpc_method_handler(abort)


def _cut(task: asyncio.Task[Any], call: Call) -> None:
    """End a stream, after the message that is being sent if one is: gRPC takes no status meanwhile."""
    call.is_cut = True
    if not call.writing:
        task.cancel()


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


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
    """The one request of a call.

    Raises:
        Refusal: it is no message, or does not come.
    """
    request = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REQUEST_S):
            request = await anext(requests, None)
    return _decoded(request)


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


async def _all(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """What a dialogue begins with: nothing is read yet."""
    return _while_asked(requests)


async def _while_asked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The requests of a dialogue, which ends when none comes for as long as an upload may pause."""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(UPLOAD_GAP_S):
                request = await anext(requests, _NO_MORE)
            if request is _NO_MORE:
                return
            yield request


def _decoded(request: Any) -> Any:
    if request is None:
        message = "the request is no message of this method"
        raise Refusal(errors_pb2.ERROR_REASON_FIELD_INVALID, message, field="")
    return request


def _closable(responses: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Every streaming behaviour here is an async generator, which its annotation does not say."""
    return cast("AsyncGenerator[Any, None]", responses)
