"""Messages: the decoder does what WIRE's table says, in batches and alone; what is encoded is read back."""

from __future__ import annotations

from actors.messaging.codec import Decoded, Fault, decode, encode, encode_regular, encode_response
from actors.messaging.messages import MAX_KIND_BYTES, Inbound, MessageType
from actors.tcp.messages import ConnId
from tests.fuzz.draw import Draw

CONN = ConnId(7)
HEAD_BYTES = 5


def one_input(data: bytes) -> None:
    draw = Draw(data)
    frames: list[bytes] = []
    while draw:
        frames.append(draw.blob())
    decoded = decode(CONN, frames)
    assert decoded == naive(frames)
    for message in decoded.inbound:
        again = encode(message.type, message.message_id, message.kind, message.payload)
        if len(message.kind.encode()) <= MAX_KIND_BYTES:  # one that is no UTF-8 is longer in ours
            assert decode(CONN, [again]) == Decoded([message], [], None)
        if message.type is MessageType.REGULAR:
            assert encode_regular(message.message_id, [(message.kind, message.payload)]) == [again]
    for response in decoded.responses:
        again = encode_response(response.message_id, response.payload)
        assert decode(CONN, [again]).responses == [response._replace(kind="")]


def naive(frames: list[bytes]) -> Decoded:
    """The same from the protocol's description, a byte at a time."""
    inbound: list[Inbound] = []
    responses: list[Inbound] = []
    for frame in frames:
        end = frame[HEAD_BYTES : HEAD_BYTES + MAX_KIND_BYTES + 1].find(b"\0")
        if len(frame) <= HEAD_BYTES:
            return Decoded(inbound, responses, Fault.TOO_SHORT)
        if frame[0] > 2:
            return Decoded(inbound, responses, Fault.BAD_TYPE)
        if end < 0:
            return Decoded(inbound, responses, Fault.KIND_NOT_ENDED)
        kind, payload = frame[HEAD_BYTES : HEAD_BYTES + end], frame[HEAD_BYTES + end + 1 :]
        message_id, type_ = int.from_bytes(frame[1:HEAD_BYTES], "big"), MessageType(frame[0])
        message = Inbound(CONN, type_, message_id, kind.decode(errors="replace"), payload)
        (responses if type_ is MessageType.RESPONSE else inbound).append(message)
    return Decoded(inbound, responses, None)
