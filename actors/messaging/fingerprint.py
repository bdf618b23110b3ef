"""The content of a frame as a hash that is the same whoever sends it, under whatever ids. Pure."""

from __future__ import annotations

from collections.abc import Container
from hashlib import sha256

from actors.messaging.messages import MAX_KIND_BYTES

KIND_AT = 5
"""Behind type and message id (WIRE: messages)."""
ID_BYTES = 16
_GOSSIP, _SEARCH, _ANSWER = "gossip:", "gossip:search:", "search_response:"


def fingerprint(type_: int, kind: str, payload: bytes) -> bytes:
    """Of a message that was read."""
    return sha256(bytes((type_,)) + kind.encode() + b"\0" + payload[_ids_bytes(kind) :]).digest()


def gossip_fingerprint(kind: str, payload: bytes) -> bytes:
    """Of gossip, by its own kind and without its message id."""
    return fingerprint(0, _GOSSIP + kind, bytes(ID_BYTES) + payload)


def frame_fingerprint(frame: bytes) -> bytes:
    """Of a frame that may be anything."""
    kind, end, _ = frame[KIND_AT : KIND_AT + MAX_KIND_BYTES + 1].partition(b"\0")
    if not end:
        return sha256(frame[:1] + frame[KIND_AT:]).digest()
    name = kind.decode(errors="replace")  # as rooms see it, or its fingerprint would be another
    return fingerprint(frame[0], name, frame[KIND_AT + len(kind) + 1 :])


def not_refused(frames: tuple[bytes, ...], refused: Container[bytes]) -> tuple[bytes, ...]:
    """Those whose content is not refused."""
    return tuple(frame for frame in frames if frame_fingerprint(frame) not in refused)


def _ids_bytes(kind: str) -> int:
    """How many bytes in front of a payload name the message and not what it says."""
    if kind.startswith(_SEARCH):
        return 2 * ID_BYTES
    return ID_BYTES if kind.startswith((_GOSSIP, _ANSWER)) else 0
