from dataclasses import replace

import pytest

from actors.chain import wire
from actors.chain.wire import Status
from tests.support.chains import EASY, mine_chain, raws

STATUS = Status("easy", EASY.genesis.hash, 7, b"\x01" * 32, "troupe/0.1.0")


def test_a_status_survives_the_wire() -> None:
    assert wire.decode_status(wire.encode_status(STATUS)) == STATUS


def test_a_status_is_the_line_that_the_protocol_says() -> None:
    genesis, tip = EASY.genesis.hash.hex(), "01" * 32
    assert wire.encode_status(STATUS) == f"easy,{genesis},7,{tip},troupe/0.1.0".encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"easy",
        wire.encode_status(STATUS) + b",more",
        wire.encode_status(STATUS).upper(),
        wire.encode_status(replace(STATUS, height=-1)),
        wire.encode_status(replace(STATUS, height=2**63)),
        wire.encode_status(STATUS).replace(b",7,", b",07,"),
        wire.encode_status(replace(STATUS, agent="")),
        wire.encode_status(replace(STATUS, agent="a" * 65)),
        wire.encode_status(replace(STATUS, agent="a\n")),
        wire.encode_status(STATUS) + b"\n",
    ],
)
def test_a_status_that_is_not_canonical_is_none(payload: bytes) -> None:
    assert wire.decode_status(payload) is None


def test_a_locator_survives_the_wire() -> None:
    hashes = tuple(bytes([n]) * 32 for n in range(32))
    assert wire.decode_locator(wire.encode_locator(hashes)) == hashes


@pytest.mark.parametrize("payload", [b"", b"00", b"0" * 64 + b",", b",".join([b"0" * 64] * 33)])
def test_a_locator_that_is_empty_malformed_or_too_long_is_none(payload: bytes) -> None:
    assert wire.decode_locator(payload) is None


def test_a_batch_survives_the_wire() -> None:
    blocks = mine_chain(EASY, EASY.genesis.ref, 3)
    assert wire.decode_batch(wire.encode_batch(raws(blocks))) == blocks
    assert wire.decode_batch(b"") == ()


def test_a_batch_holds_at_most_128_blocks() -> None:
    assert wire.encode_batch([b"x"] * 500).count(b"\n") == 127
    blocks = raws(mine_chain(EASY, EASY.genesis.ref, 1)) * 129
    assert wire.decode_batch(b"\n".join(blocks)) is None


def test_a_batch_ends_before_512_kib_but_always_holds_one_block() -> None:
    large = b"x" * 300_000
    assert wire.encode_batch([large, large]) == large
    assert wire.encode_batch([b"x" * 600_000, b"y"]) == b"x" * 600_000


def test_a_batch_with_a_malformed_block_is_none() -> None:
    (block,) = mine_chain(EASY, EASY.genesis.ref, 1)
    assert wire.decode_batch(block.raw + b"\n") is None
