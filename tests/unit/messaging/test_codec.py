from __future__ import annotations

import pytest

from actors.messaging.codec import Decoded, Fault, decode, encode, encode_response
from actors.messaging.messages import MAX_KIND_BYTES, Inbound, MessageType
from actors.tcp.messages import ConnId

CONN = ConnId(7)


def _decode(*frames: bytes) -> Decoded:
    return decode(CONN, frames)


@pytest.mark.parametrize(
    "inbound",
    [
        Inbound(CONN, MessageType.REGULAR, 0, "chat", b""),
        Inbound(CONN, MessageType.REQUEST, 2**32 - 1, "p2p:hello", b"127.0.0.1:1"),
        Inbound(CONN, MessageType.REGULAR, 1, "", b"\0\0"),
        Inbound(CONN, MessageType.REQUEST, 1, "é" * 32, b"x" * 100_000),
    ],
)
def test_a_message_survives_the_wire(inbound: Inbound) -> None:
    frame = encode(inbound.type, inbound.message_id, inbound.kind, inbound.payload)
    assert _decode(frame) == Decoded([inbound], [], None)


def test_a_response_has_its_requests_id_and_no_kind() -> None:
    assert encode_response(258, b"pay") == b"\x02\0\0\x01\x02\0pay"
    response = Inbound(CONN, MessageType.RESPONSE, 258, "", b"pay")
    assert _decode(b"\x02\0\0\x01\x02\0pay") == Decoded([], [response], None)


def test_responses_are_told_apart_and_the_rest_keeps_its_order() -> None:
    one = encode(MessageType.REGULAR, 1, "a", b"1")
    two = encode(MessageType.REQUEST, 2, "b", b"2")
    three = encode(MessageType.REGULAR, 3, "a", b"3")
    decoded = _decode(one, encode_response(9, b"r"), two, three)
    assert [inbound.payload for inbound in decoded.inbound] == [b"1", b"2", b"3"]
    assert [inbound.kind for inbound in decoded.inbound] == ["a", "b", "a"]
    assert [response.message_id for response in decoded.responses] == [9]


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b"", Fault.TOO_SHORT),
        (b"\0", Fault.TOO_SHORT),
        (b"\0\0\0\0\x01", Fault.TOO_SHORT),
        (b"\x03\0\0\0\x01kind\0", Fault.BAD_TYPE),
        (b"\xff\0\0\0\x01kind\0", Fault.BAD_TYPE),
        (b"\0\0\0\0\x01kind", Fault.KIND_NOT_ENDED),
        (b"\0\0\0\0\x01" + b"k" * (MAX_KIND_BYTES + 1) + b"\0", Fault.KIND_NOT_ENDED),
        (b"\0\0\0\0\x01" + b"k" * 100_000, Fault.KIND_NOT_ENDED),
    ],
)
def test_what_is_no_message_has_its_fault(frame: bytes, fault: Fault) -> None:
    assert _decode(frame) == Decoded([], [], fault)


def test_a_kind_of_64_bytes_is_one() -> None:
    frame = b"\0\0\0\0\x01" + b"k" * MAX_KIND_BYTES + b"\0"
    assert _decode(frame).inbound[0].kind == "k" * MAX_KIND_BYTES


def test_a_kind_that_is_not_utf8_is_only_a_strange_kind() -> None:
    decoded = _decode(b"\0\0\0\0\x01\xff\xfe\0pay")
    assert decoded.fault is None
    assert decoded.inbound[0].kind == "\ufffd\ufffd"


def test_a_fault_ends_the_batch_behind_the_messages_before_it() -> None:
    good = encode(MessageType.REGULAR, 1, "a", b"")
    decoded = _decode(good, b"", good)
    assert len(decoded.inbound) == 1
    assert decoded.fault is Fault.TOO_SHORT
