"""Messages as bytes, and bytes as messages (WIRE: messages). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from struct import Struct
from typing import NamedTuple

from actors.messaging.messages import MAX_KIND_BYTES, Inbound, MessageType
from actors.tcp.messages import ConnId

MAX_MESSAGE_ID = 2**32 - 1

_HEAD = Struct(">BI")
_HEAD_BYTES = _HEAD.size
_RESPONSE_HEAD = Struct(">BIB")
_KIND_WITHIN = _HEAD_BYTES + MAX_KIND_BYTES + 1
_TYPES = tuple(MessageType)
_REGULAR, _RESPONSE = int(MessageType.REGULAR), int(MessageType.RESPONSE)


class Fault(Enum):
    """Why a frame is no message."""

    TOO_SHORT = "too-short"
    BAD_TYPE = "bad-type"
    KIND_NOT_ENDED = "kind-not-ended"


def encode(message_type: MessageType, message_id: int, kind: str, payload: bytes) -> bytes:
    """The message's frame, without its length."""
    return b"%b%b\0%b" % (_HEAD.pack(message_type, message_id), kind.encode(), payload)


def encode_regular(first_id: int, messages: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """Regular messages of a kind and a payload each, as :func:`encode` makes them, numbered from
    ``first_id``. Those of one kind in a row share its encoding.
    """
    frames: list[bytes] = []
    pack, kind, middle = _HEAD.pack, "", b"\0"
    for message_id, (name, payload) in enumerate(messages, first_id):
        if name != kind:
            kind, middle = name, name.encode() + b"\0"
        frames.append(pack(_REGULAR, message_id & MAX_MESSAGE_ID) + middle + payload)
    return frames


def encode_response(message_id: int, payload: bytes) -> bytes:
    """A response: its request's id and an empty kind."""
    return _RESPONSE_HEAD.pack(_RESPONSE, message_id, 0) + payload


def encode_responses(answers: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """Responses by message id, as :func:`encode_response` makes each."""
    pack = _RESPONSE_HEAD.pack
    return [pack(_RESPONSE, message_id, 0) + payload for message_id, payload in answers]


class Decoded(NamedTuple):
    """The messages of a batch of frames, up to the one (if any) whose fault ends them. Value."""

    inbound: list[Inbound]
    """Regular messages and requests, in order."""
    responses: list[Inbound]
    fault: Fault | None


def decode(conn: ConnId, frames: Iterable[bytes]) -> Decoded:
    """The messages in frames received on ``conn``.

    A kind that is not UTF-8 is no fault: it is one that nobody handles, as in the field. Messages of
    one kind in a row share the ``str``, and are known by how they begin.
    """
    inbound: list[Inbound] = []
    responses: list[Inbound] = []
    unpack, types, new = _HEAD.unpack_from, _TYPES, tuple.__new__
    kind, kind_and_zero, begin = "", b"\0", _HEAD_BYTES + 1
    for frame in frames:
        if not frame.startswith(kind_and_zero, _HEAD_BYTES):
            begin = frame.find(0, _HEAD_BYTES, _KIND_WITHIN) + 1
            if not begin:
                return Decoded(inbound, responses, _fault_of(frame))
            kind_and_zero = frame[_HEAD_BYTES:begin]
            kind = kind_and_zero[:-1].decode(errors="replace")
        type_byte, message_id = unpack(frame)
        if type_byte >= len(types):
            return Decoded(inbound, responses, Fault.BAD_TYPE)
        # As Inbound(...), without the detour over its generated __new__: this is the hottest line.
        message = new(Inbound, (conn, types[type_byte], message_id, kind, frame[begin:]))
        (responses if type_byte == _RESPONSE else inbound).append(message)
    return Decoded(inbound, responses, None)


def _fault_of(frame: bytes) -> Fault:
    if len(frame) <= _HEAD_BYTES:
        return Fault.TOO_SHORT
    return Fault.BAD_TYPE if frame[0] >= len(_TYPES) else Fault.KIND_NOT_ENDED
