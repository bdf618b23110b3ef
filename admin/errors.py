"""How a call is refused: one exception, and the status code of each reason.

The reasons and their metadata are documented where every language finds them: ``errors.proto``. Must not
live here: which verdict of an actor is which reason (``verdicts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from troupe.admin.v1 import errors_pb2

DOMAIN: Final = "troupe.admin.v1"
RETRY_S: Final = 1.0
"""An actor is usually back within milliseconds; a client that waits a second finds it so."""

ReasonValue: TypeAlias = "errors_pb2.ErrorReason.ValueType"

MAX_TEXT_BYTES: Final = 1_000
"""Of a message or a value of its metadata, which may repeat what the caller sent: a status travels in headers,
the message three times in all and thrice as long where it is not ASCII, and clients take 8 KiB of them.
"""

_PREFIX = "ERROR_REASON_"
_DETAILS_KEY = "grpc-status-details-bin"

_BY_CODE: Mapping[grpc.StatusCode, tuple[ReasonValue, ...]] = {
    grpc.StatusCode.INVALID_ARGUMENT: (
        errors_pb2.ERROR_REASON_FIELD_INVALID,
        errors_pb2.ERROR_REASON_PAGE_TOKEN_INVALID,
        errors_pb2.ERROR_REASON_REQUEST_ID_REUSED,
        errors_pb2.ERROR_REASON_TX_MALFORMED,
        errors_pb2.ERROR_REASON_BLOCK_MALFORMED,
        errors_pb2.ERROR_REASON_PEER_IS_OURSELVES,
        errors_pb2.ERROR_REASON_EXPORT_MALFORMED,
    ),
    grpc.StatusCode.NOT_FOUND: (
        errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND,
        errors_pb2.ERROR_REASON_TX_NOT_FOUND,
        errors_pb2.ERROR_REASON_PEER_NOT_FOUND,
        errors_pb2.ERROR_REASON_CONNECTION_NOT_FOUND,
        errors_pb2.ERROR_REASON_SERVICE_NOT_FOUND,
        errors_pb2.ERROR_REASON_ITEM_NOT_FOUND,
        errors_pb2.ERROR_REASON_ACTOR_NOT_FOUND,
        errors_pb2.ERROR_REASON_EXHIBIT_NOT_FOUND,
        errors_pb2.ERROR_REASON_LOGGER_NOT_FOUND,
        errors_pb2.ERROR_REASON_TOKEN_NOT_FOUND,
        errors_pb2.ERROR_REASON_BAN_NOT_FOUND,
        errors_pb2.ERROR_REASON_TX_NOT_IN_MEMPOOL,
        errors_pb2.ERROR_REASON_SETTING_NOT_FOUND,
    ),
    grpc.StatusCode.ALREADY_EXISTS: (
        errors_pb2.ERROR_REASON_TX_IN_MEMPOOL,
        errors_pb2.ERROR_REASON_BLOCK_KNOWN,
        errors_pb2.ERROR_REASON_ITEM_EXISTS,
        errors_pb2.ERROR_REASON_BACKUP_EXISTS,
        errors_pb2.ERROR_REASON_TOKEN_NAME_TAKEN,
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (
        errors_pb2.ERROR_REASON_TX_REJECTED,
        errors_pb2.ERROR_REASON_NONCE_TAKEN,
        errors_pb2.ERROR_REASON_BLOCK_REJECTED,
        errors_pb2.ERROR_REASON_PEER_REJECTED,
        errors_pb2.ERROR_REASON_PEER_UNREACHABLE,
        errors_pb2.ERROR_REASON_PEER_NO_ANSWER,
        errors_pb2.ERROR_REASON_NO_COINBASE,
        errors_pb2.ERROR_REASON_GENERATE_NOT_ALLOWED,
        errors_pb2.ERROR_REASON_NO_PEERS,
        errors_pb2.ERROR_REASON_GENESIS_FIXED,
        errors_pb2.ERROR_REASON_REORG_TOO_DEEP,
        errors_pb2.ERROR_REASON_BLOCK_INVALIDATED,
        errors_pb2.ERROR_REASON_ACTOR_NOT_RESTARTABLE,
        errors_pb2.ERROR_REASON_BACKUP_REFUSED,
        errors_pb2.ERROR_REASON_WRONG_NETWORK,
        errors_pb2.ERROR_REASON_TOKEN_PROTECTED,
        errors_pb2.ERROR_REASON_PEER_BANNED,
        errors_pb2.ERROR_REASON_SETTING_IMMUTABLE,
        errors_pb2.ERROR_REASON_SETTING_NOT_PERSISTED,
    ),
    grpc.StatusCode.ABORTED: (
        errors_pb2.ERROR_REASON_MINER_BUSY,
        errors_pb2.ERROR_REASON_MINING_STOPPED,
        errors_pb2.ERROR_REASON_CHAIN_JOB_BUSY,
        errors_pb2.ERROR_REASON_UPLOAD_STALLED,
        errors_pb2.ERROR_REASON_LISTING_OUTDATED,
    ),
    grpc.StatusCode.OUT_OF_RANGE: (
        errors_pb2.ERROR_REASON_CURSOR_EXPIRED,
        errors_pb2.ERROR_REASON_HISTORY_PRUNED,
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        errors_pb2.ERROR_REASON_MEMPOOL_FULL,
        errors_pb2.ERROR_REASON_SENDER_FULL,
        errors_pb2.ERROR_REASON_PEERS_BUSY,
        errors_pb2.ERROR_REASON_TOO_MANY_STREAMS,
        errors_pb2.ERROR_REASON_SLOW_CONSUMER,
        errors_pb2.ERROR_REASON_TOO_MANY_ITEMS,
        errors_pb2.ERROR_REASON_TOO_MANY_TOKENS,
        errors_pb2.ERROR_REASON_TOO_MANY_BANS,
    ),
    grpc.StatusCode.UNAVAILABLE: (
        errors_pb2.ERROR_REASON_STOPPING,
        errors_pb2.ERROR_REASON_ACTOR_DOWN,
        errors_pb2.ERROR_REASON_ACTOR_BUSY,
        errors_pb2.ERROR_REASON_STORE_UNWRITABLE,
    ),
    grpc.StatusCode.DATA_LOSS: (errors_pb2.ERROR_REASON_STORE_UNREADABLE,),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        errors_pb2.ERROR_REASON_ACTOR_TIMEOUT,
        errors_pb2.ERROR_REASON_PEER_NO_RESPONSE,
    ),
    grpc.StatusCode.UNAUTHENTICATED: (
        errors_pb2.ERROR_REASON_TOKEN_MISSING,
        errors_pb2.ERROR_REASON_TOKEN_INVALID,
        errors_pb2.ERROR_REASON_TOKEN_EXPIRED,
    ),
    grpc.StatusCode.PERMISSION_DENIED: (
        errors_pb2.ERROR_REASON_PERMISSION_MISSING,
        errors_pb2.ERROR_REASON_METHOD_DENIED,
    ),
    grpc.StatusCode.INTERNAL: (errors_pb2.ERROR_REASON_INTERNAL,),
}
CODES: Final[Mapping[ReasonValue, grpc.StatusCode]] = MappingProxyType(
    {reason: code for code, reasons in _BY_CODE.items() for reason in reasons}
)
"""The status code of every reason."""


class Refusal(Exception):  # noqa: N818 - to refuse is no error of ours
    """A call that is not fulfilled, with all that its caller is told.

    Attributes:
        reason: Why, for programs; decides the status code.
        message: Why, for people: one sentence without a full stop, nothing secret; cut where it is long.
        metadata: What ``errors.proto`` promises for the reason; its values likewise.
        field: The request's field at fault, if one is.
    """

    def __init__(
        self,
        reason: ReasonValue,
        message: str,
        *,
        field: str | None = None,
        **metadata: str,
    ) -> None:
        super().__init__(message)
        self.reason, self.message, self.field = reason, _short(message), field
        self.metadata = {key: _short(value) for key, value in metadata.items()}

    @property
    def code(self) -> grpc.StatusCode:
        return CODES[self.reason]

    @property
    def reason_name(self) -> str:
        """The reason as it travels: ``TX_REJECTED``."""
        return errors_pb2.ErrorReason.Name(self.reason).removeprefix(_PREFIX)

    def status(self) -> status_pb2.Status:
        """The rich status: ErrorInfo always, BadRequest for a field, RetryInfo when a retry may help."""
        details: list[Any] = [
            error_details_pb2.ErrorInfo(
                reason=self.reason_name, domain=DOMAIN, metadata=self.metadata
            )
        ]
        if self.field is not None:
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=self.field, description=self.message
            )
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
        if self.code is grpc.StatusCode.UNAVAILABLE:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(int(RETRY_S * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    async def abort(self, context: Any) -> None:
        """End the call of this ``grpc.aio`` context; does not return."""
        trailer = ((_DETAILS_KEY, self.status().SerializeToString()),)
        await context.abort(self.code, self.message, trailer)


def _short(text: str) -> str:
    """As much of a text as a status can carry, without the lone surrogates that protobuf does not take."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_TEXT_BYTES:
        return data.decode("utf-8")
    return data[:MAX_TEXT_BYTES].decode("utf-8", "ignore") + "..."


def stopping() -> Refusal:
    """The refusal of a node on its way down."""
    return Refusal(errors_pb2.ERROR_REASON_STOPPING, "the node is stopping")


def require(holds: bool, field: str, message: str) -> None:
    """Check a field of a request; ``message`` goes on after its name: "must be ...".

    Raises:
        Refusal: FIELD_INVALID, unless it ``holds``.
    """
    if not holds:
        raise field_invalid(field, message)


def field_invalid(field: str, message: str) -> Refusal:
    """The refusal of a request for one of its fields; ``message`` goes on after its name."""
    return Refusal(errors_pb2.ERROR_REASON_FIELD_INVALID, f"{field} {message}", field=field)
