"""Messages as bytes, and bytes as messages (WIRE: messages). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from struct import Struct

from actors.messaging.messages import MAX_KIND_BYTES, Inbound, MessageType
from actors.tcp.messages import ConnId

MAX_MESSAGE_ID = 2**32 - 1

_HEAD = Struct(">BI")
_HEAD_BYTES = _HEAD.size
_RESPONSE_HEAD = Struct(">BIB")
_KIND_WITHIN = _HEAD_BYTES + MAX_KIND_BYTES + 1
_TYPES = tuple(MessageType)


class Fault(Enum):
    """Why a frame is no message."""

    TOO_SHORT = "too-short"
    BAD_TYPE = "bad-type"
    KIND_NOT_ENDED = "kind-not-ended"


def encode(message_type: MessageType, message_id: int, kind: str, payload: bytes) -> bytes:
    """The message's frame, without its length."""
    return b"%b%b\0%b" % (_HEAD.pack(message_type, message_id), kind.encode(), payload)


def encode_response(message_id: int, payload: bytes) -> bytes:
    """A response: its request's id and an empty kind."""
    return _RESPONSE_HEAD.pack(MessageType.RESPONSE, message_id, 0) + payload


@dataclass(frozen=True, slots=True)
class Decoded:
    """The messages of a batch of frames, up to the one (if any) whose fault ends them. Value."""

    inbound: list[Inbound]
    """Regular messages and requests, in order."""
    responses: list[Inbound]
    fault: Fault | None


def decode(conn: ConnId, frames: Iterable[bytes]) -> Decoded:
    """The messages in frames received on ``conn``.

    A kind that is not UTF-8 is no fault: it is one that nobody handles, as in the field. Messages of
    one kind in a row share the ``str``.
    """
    inbound: list[Inbound] = []
    responses: list[Inbound] = []
    kind_bytes, kind = b"", ""
    for frame in frames:
        end = frame.find(0, _HEAD_BYTES, _KIND_WITHIN)
        if end < 0 or frame[0] >= len(_TYPES):
            return Decoded(inbound, responses, _fault_of(frame))
        type_byte, message_id = _HEAD.unpack_from(frame)
        if frame[_HEAD_BYTES:end] != kind_bytes:
            kind_bytes = frame[_HEAD_BYTES:end]
            kind = kind_bytes.decode(errors="replace")
        # As Inbound(...), without the detour over its generated __new__: this is the hottest line.
        message = tuple.__new__(
            Inbound, (conn, _TYPES[type_byte], message_id, kind, frame[end + 1 :])
        )
        (responses if type_byte == MessageType.RESPONSE else inbound).append(message)
    return Decoded(inbound, responses, None)


def _fault_of(frame: bytes) -> Fault:
    if len(frame) <= _HEAD_BYTES:
        return Fault.TOO_SHORT
    return Fault.BAD_TYPE if frame[0] >= len(_TYPES) else Fault.KIND_NOT_ENDED
