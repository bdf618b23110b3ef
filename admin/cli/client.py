"""Calls to a node: where it is, the token, a deadline for each call, and failures as one sentence.

Must not live here: what is asked, and how answers are shown.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status
from troupe.admin.v1.actor_service_pb2_grpc import ActorServiceStub
from troupe.admin.v1.auth_service_pb2_grpc import AuthServiceStub
from troupe.admin.v1.chain_service_pb2_grpc import ChainServiceStub
from troupe.admin.v1.diagnostics_service_pb2_grpc import DiagnosticsServiceStub
from troupe.admin.v1.event_service_pb2_grpc import EventServiceStub
from troupe.admin.v1.gossip_service_pb2_grpc import GossipServiceStub
from troupe.admin.v1.mempool_service_pb2_grpc import MempoolServiceStub
from troupe.admin.v1.messaging_service_pb2_grpc import MessagingServiceStub
from troupe.admin.v1.miner_service_pb2_grpc import MinerServiceStub
from troupe.admin.v1.node_service_pb2_grpc import NodeServiceStub
from troupe.admin.v1.peer_service_pb2_grpc import PeerServiceStub
from troupe.admin.v1.search_service_pb2_grpc import SearchServiceStub
from troupe.admin.v1.transport_service_pb2_grpc import TransportServiceStub
from troupe.admin.v1.wallet_service_pb2_grpc import WalletServiceStub

from admin.cli.channel import Security, handshake_fault, open_channel, security_of
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import Target

DEADLINE_S: Final = 5.0
"""A node on the same machine answers in milliseconds; a person waits this long without wondering."""
CONNECT_PEER_DEADLINE_S: Final = 30.0
"""ConnectPeer decides within 25 s, and says why it failed if it did."""
UPLOAD_LOOK_S: Final = 0.5
"""Between two looks at how far an upload is: as often as a person reads it."""
PAGE_SIZE: Final = 1_000
"""The most that a listing gives in one page (ADMIN_API)."""

ADDRESS_FILE: Final = "admin.address"
TOKEN_FILE: Final = "admin.token"  # noqa: S105 - a file's name
LOCK_FILE: Final = "lock"

Request = TypeVar("Request")
Response = TypeVar("Response")
Item = TypeVar("Item")

_EXITS: Final[Mapping[grpc.StatusCode, ExitCode]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: ExitCode.USAGE,
        grpc.StatusCode.OUT_OF_RANGE: ExitCode.USAGE,
        grpc.StatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS: ExitCode.REJECTED,
        grpc.StatusCode.FAILED_PRECONDITION: ExitCode.REJECTED,
        grpc.StatusCode.UNAUTHENTICATED: ExitCode.UNAUTHORISED,
        grpc.StatusCode.PERMISSION_DENIED: ExitCode.UNAUTHORISED,
        grpc.StatusCode.RESOURCE_EXHAUSTED: ExitCode.TRY_AGAIN,
        grpc.StatusCode.UNAVAILABLE: ExitCode.TRY_AGAIN,
        grpc.StatusCode.ABORTED: ExitCode.TRY_AGAIN,
        grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.TIMED_OUT,
    }
)
_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "GENERATE_NOT_ALLOWED": "start the miner with `troupe miner start` instead",
        "NO_COINBASE": "name one with --coinbase",
        "TOKEN_MISSING": "name the token's file with --token-file",
        "TOKEN_EXPIRED": "somebody with auth:write can make another with `troupe token create`",
        "PERMISSION_MISSING": "use admin.token, which may do everything",
        "ACTOR_DOWN": "`troupe actors` says why, `troupe actors restart NAME` brings it back",
        "MINER_BUSY": "wait for it, or stop it with `troupe miner stop`",
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed call says, beside its status code.

    Attributes:
        reason: Name of the ``ErrorReason``; empty when the call did not reach the node's method.
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def failure_of(error: grpc.RpcError) -> Failure:
    """Read a failed call, whether or not it carries the rich status of the contract."""
    assert isinstance(error, grpc.Call)
    code, message = error.code(), error.details() or ""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # code and trailer disagree: a server that is none of ours
        status = None
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return Failure(code, message, info.reason, dict(info.metadata))
    return Failure(code, message)


class Client:
    """One node, called over one channel; a context manager.

    Attributes:
        address: Where the node's admin server is, ``host:port``.
    """

    def __init__(
        self, address: str, token: str, *, where: str, security: Security | None = None
    ) -> None:
        """``where`` is how the user named the node, for the sentence that says it does not run; without
        ``security`` it is called in plaintext.
        """
        self.address = address
        self._where = where
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._security = security
        self._channel = open_channel(address, security)
        self.actors = ActorServiceStub(self._channel)
        self.auth = AuthServiceStub(self._channel)
        self.chain = ChainServiceStub(self._channel)
        self.diagnostics = DiagnosticsServiceStub(self._channel)
        self.events = EventServiceStub(self._channel)
        self.gossip = GossipServiceStub(self._channel)
        self.mempool = MempoolServiceStub(self._channel)
        self.messages = MessagingServiceStub(self._channel)
        self.miner = MinerServiceStub(self._channel)
        self.node = NodeServiceStub(self._channel)
        self.peers = PeerServiceStub(self._channel)
        self.search = SearchServiceStub(self._channel)
        self.transport = TransportServiceStub(self._channel)
        self.wallet = WalletServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> Response:
        """Call and wait.

        Raises:
            CliError: the call failed.
        """
        try:
            return method(request, timeout=deadline_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self.explained(failure_of(error), deadline_s) from error

    def listing(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Any],
        request: Request,
        limit: int | None = None,
    ) -> list[Any]:
        """The entries of a List method, page after page: all, or the first ``limit``. The fields of
        ``request`` that are about pages are set here.

        Raises:
            CliError: a call failed.
        """
        page: Any = request
        entries: list[Any] = []
        while limit is None or len(entries) < limit:
            page.page_size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - len(entries))
            answer = self.call(method, request)
            entries += _entries(answer)
            page.page_token = answer.next_page_token
            if not page.page_token:
                break
        return entries[:limit]

    def stream(
        self, method: grpc.UnaryStreamMultiCallable[Request, Response], request: Request
    ) -> Iterator[Response]:
        """Call and yield what comes, however long it takes.

        Raises:
            StreamError: the call failed; it knows the reason.
        """
        call = method(request, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            failure = failure_of(error)
            raise StreamError(failure, self.explained(failure, DEADLINE_S)) from error
        finally:
            call.cancel()  # type: ignore[no-untyped-call]

    def upload(
        self,
        method: grpc.StreamUnaryMultiCallable[Request, Response],
        requests: Iterator[Request],
        meanwhile: Callable[[], None],
    ) -> Response:
        """Call with what is to be sent, however long it takes; ``meanwhile`` is called every half second.

        Raises:
            CliError: the call failed, or there was nothing to be sent: what ``requests`` raised; or what
                ``meanwhile`` raised.
        """
        faults: list[CliError] = []

        def sent() -> Iterator[Request]:
            try:
                yield from requests
            except CliError as error:  # on a thread of gRPC's, which would only log it
                faults.append(error)
                raise

        call = method.future(sent(), metadata=self._metadata)
        try:
            while True:
                try:
                    return call.result(UPLOAD_LOOK_S)
                except grpc.FutureTimeoutError:
                    meanwhile()
        except grpc.RpcError as error:
            if faults:
                raise faults[0] from error
            raise self.explained(failure_of(error), DEADLINE_S) from error
        finally:
            call.cancel()  # type: ignore[no-untyped-call]

    def explained(self, failure: Failure, deadline_s: float) -> CliError:
        """The failure as a sentence for the user, with the exit code of its kind."""
        if failure.reason:
            return CliError(_sentence(failure), _exit(failure.code), reason=_tag(failure))
        match failure.code:
            case grpc.StatusCode.UNAVAILABLE:
                fault = handshake_fault(failure.message, self.address, self._security)
                return fault or CliError(f"no node is running {self._where}")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                message = f"the node at {self.address} did not answer within {deadline_s:g} s"
            case grpc.StatusCode.UNIMPLEMENTED:
                message = f"the node at {self.address} is of another version: it cannot do this"
            case _:
                message = f"the call failed: {failure.message or failure.code.name.lower()}"
        return CliError(message, _exit(failure.code))


class StreamError(CliError):
    """A stream that ended in failure.

    Attributes:
        failure: What the node said, for callers that can go on from it.
    """

    def __init__(self, failure: Failure, explained: CliError) -> None:
        super().__init__(explained.message, ExitCode(explained.exit_code), reason=explained.reason)
        self.failure = failure


def _entries(answer: Any) -> MutableSequence[Any]:
    """A List's answer has one repeated field, whatever its name (ADMIN_API; a test sees to it)."""
    values = (getattr(answer, field.name) for field in answer.DESCRIPTOR.fields)
    return next(each for each in values if isinstance(each, MutableSequence))


def _exit(code: grpc.StatusCode) -> ExitCode:
    return _EXITS.get(code, ExitCode.FAILED)


def _sentence(failure: Failure) -> str:
    advice = _ADVICE.get(failure.reason)
    message = failure.message.rstrip(". ") or failure.reason.lower().replace("_", " ")
    if failure.reason == "INTERNAL" and "error_id" in failure.metadata:
        advice = f"its log has more under {failure.metadata['error_id']}"
    return f"{message}; {advice}" if advice else message


def _tag(failure: Failure) -> str:
    rule = failure.metadata.get("rule")
    return f"{failure.reason}: {rule}" if rule else failure.reason


def open_client(target: Target) -> Client:
    """The client of the node that the options and the environment name.

    Raises:
        CliError: there is no node, or no token for it.
    """
    directory = target.directory()
    if target.admin is not None:
        if target.admin.endswith(":0"):
            message = f"cannot call {target.admin}: port 0 is for `troupe run` alone"
            raise CliError(message, ExitCode.USAGE)
        address, where = target.admin, f"at {target.admin}"
    else:
        address, where = _address(directory), f"on {directory}"
    security = security_of(target, directory, address)
    return Client(address, _token(target, directory), where=where, security=security)


def _address(directory: Path) -> str:
    try:
        address = (directory / ADDRESS_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        message = (
            f"no node is running on {directory}; start one with `troupe run`, or name another's"
            " directory with --data-dir"
        )
        raise CliError(message) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {directory / ADDRESS_FILE}: {_why(error)}"
        raise CliError(message) from error
    if not address or _is_unlocked(directory):
        message = f"no node is running on {directory}"
        raise CliError(message)
    return address


def _is_unlocked(directory: Path) -> bool:
    """Whether no node holds the directory: one that was killed leaves its address.

    The port may be somebody else's by now, who must not be given the token. Looked at after the address
    only, which a node writes last: the shared lock could get in the way of one that starts.
    """
    try:
        with (directory / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # held by a node; or none of ours to look at, which says nothing
        return False
    return True


def _token(target: Target, directory: Path) -> str:
    path = target.token_file or directory / TOKEN_FILE
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        advice = "" if target.token_file else "; name the token's file with --token-file"
        message = f"cannot read the token {path}: {_why(error)}{advice}"
        raise CliError(message, ExitCode.UNAUTHORISED) from error
    if not token or not token.isprintable():
        message = f"{path} holds no token"
        raise CliError(message, ExitCode.UNAUTHORISED)
    return token


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is no text"
