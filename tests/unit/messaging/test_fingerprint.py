from __future__ import annotations

import pytest

from actors.messaging.codec import decode, encode, encode_response
from actors.messaging.fingerprint import (
    fingerprint,
    frame_fingerprint,
    gossip_fingerprint,
    not_refused,
)
from actors.messaging.messages import MessageType
from actors.tcp.messages import ConnId

A, B = b"a" * 16, b"b" * 16


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("gossip:bc:new_tx", A + b"content", B + b"content"),
        ("gossip:search:block", A + B + b"content", B + A + b"content"),
        ("search_response:block", A + b"content", B + b"content"),
        ("p2p:get_peers", b"content", b"content"),
    ],
)
def test_the_same_content_under_other_ids_has_one_fingerprint(
    kind: str, one: bytes, other: bytes
) -> None:
    first = frame_fingerprint(encode(MessageType.REGULAR, 1, kind, one))
    assert first == frame_fingerprint(encode(MessageType.REGULAR, 2, kind, other))
    assert first == fingerprint(MessageType.REGULAR, kind, one)


def test_other_content_another_kind_or_type_has_another_one() -> None:
    frames = [
        encode(MessageType.REGULAR, 1, "gossip:chat", A + b"content"),
        encode(MessageType.REGULAR, 1, "gossip:chat", A + b"contents"),
        encode(MessageType.REGULAR, 1, "gossip:talk", A + b"content"),
        encode(MessageType.REQUEST, 1, "gossip:chat", A + b"content"),
        encode_response(1, A + b"content"),
    ]
    assert len(set(map(frame_fingerprint, frames))) == len(frames)


def test_gossip_as_its_handler_sees_it_has_the_one_of_its_frame() -> None:
    frame = encode(MessageType.REGULAR, 7, "gossip:bc:new_tx", A + b"content")
    assert gossip_fingerprint("bc:new_tx", b"content") == frame_fingerprint(frame)
    search = encode(MessageType.REGULAR, 7, "gossip:search:block", A + B + b"content")
    assert gossip_fingerprint("search:block", A + b"content") == frame_fingerprint(search)


@pytest.mark.parametrize("kind", [b"p2p:hello", b"", b"p2p:\xff", b"p2p:\xc3\xa9", b"gossip:\xff"])
def test_a_message_as_it_is_read_has_the_one_of_its_frame(kind: bytes) -> None:
    frame = b"\x01\0\0\0\x07" + kind + b"\0" + A + b"content"
    (read,) = decode(ConnId(1), [frame]).inbound
    assert fingerprint(read.type, read.kind, read.payload) == frame_fingerprint(frame)


@pytest.mark.parametrize(
    "frame", [b"", b"\0", b"\x01\0\0\0\x01", b"\xff" * 200, b"\0" * 5 + b"\xff\0"]
)
def test_whatever_a_frame_is_it_has_one(frame: bytes) -> None:
    assert len(frame_fingerprint(frame)) == 32


def test_what_is_refused_is_left_out_in_order() -> None:
    frames = tuple(encode(MessageType.REGULAR, n, "k", bytes((n,))) for n in range(4))
    refused = {frame_fingerprint(encode(MessageType.REGULAR, 9, "k", b"\x02"))}
    assert not_refused(frames, refused) == (frames[0], frames[1], frames[3])
