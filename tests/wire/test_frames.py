"""The field's own frames, whole, byte by byte and back to back."""

import pytest

from actors.messaging.codec import decode, encode, encode_response
from actors.messaging.messages import Inbound, MessageType
from actors.tcp.framing import FrameDecoder, enframe
from actors.tcp.messages import ConnId
from tests.support.vectors import FrameVector, workshop

LIMIT_BYTES = 1024 * 1024
CONN = ConnId(7)

frames = pytest.mark.parametrize("vector", workshop()["frames"], ids=lambda vector: vector["name"])


def _raw(vector: FrameVector) -> bytes:
    return bytes.fromhex(vector["frame"])


def _inbound(vector: FrameVector) -> Inbound:
    fields = vector["fields"]
    type_, id_, kind, payload = (fields[key] for key in ("type", "id", "kind", "payload"))
    assert isinstance(type_, int)
    assert isinstance(id_, int)
    assert isinstance(kind, str)
    assert isinstance(payload, str)
    return Inbound(CONN, MessageType(type_), id_, kind, bytes.fromhex(payload))


@frames
def test_a_whole_frame_is_the_message_that_it_says(vector: FrameVector) -> None:
    (body,) = FrameDecoder(LIMIT_BYTES).feed(_raw(vector))
    assert len(body) == vector["fields"]["length"]
    decoded = decode(CONN, [body])
    assert [*decoded.inbound, *decoded.responses] == [_inbound(vector)]
    assert decoded.fault is None


@frames
def test_a_frame_is_complete_with_its_last_byte_and_not_before(vector: FrameVector) -> None:
    decoder, raw = FrameDecoder(LIMIT_BYTES), _raw(vector)
    pieces = [decoder.feed(raw[index : index + 1]) for index in range(len(raw))]
    assert pieces[:-1] == [[]] * (len(raw) - 1)
    assert pieces[-1] == [raw[4:]]
    assert not decoder.in_frame


@frames
def test_what_follows_a_frame_is_left_for_the_next(vector: FrameVector) -> None:
    decoder, raw = FrameDecoder(LIMIT_BYTES), _raw(vector)
    assert decoder.feed(raw + raw[:-1]) == [raw[4:]]
    assert decoder.in_frame
    assert decoder.feed(raw[-1:]) == [raw[4:]]


@frames
def test_encoding_the_message_gives_the_frame(vector: FrameVector) -> None:
    inbound = _inbound(vector)
    if inbound.type is MessageType.RESPONSE:
        body = encode_response(inbound.message_id, inbound.payload)
    else:
        body = encode(inbound.type, inbound.message_id, inbound.kind, inbound.payload)
    assert enframe([body]) == _raw(vector)


def test_all_frames_in_one_piece_come_out_in_order() -> None:
    raws = [_raw(vector) for vector in workshop()["frames"]]
    assert FrameDecoder(LIMIT_BYTES).feed(b"".join(raws)) == [raw[4:] for raw in raws]


def test_all_frames_come_out_wherever_the_stream_is_cut() -> None:
    raws = [_raw(vector) for vector in workshop()["frames"]]
    stream = b"".join(raws)
    for cut in range(len(stream)):
        decoder = FrameDecoder(LIMIT_BYTES)
        assert decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]) == [raw[4:] for raw in raws]
