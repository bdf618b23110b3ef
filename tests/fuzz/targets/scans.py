"""The nonce scan: each kernel finds what ``hashlib`` finds, whatever strangers' transactions stand behind."""

from __future__ import annotations

from actors.miner.scan import Template, scan
from tests.fuzz.draw import Draw
from tests.support.kernels import AVAILABLE
from tests.support.kernels import scan as native_scan

MAX_NONCES = 600


def one_input(data: bytes) -> None:
    draw = Draw(data)
    difficulty, count = draw.below(4), draw.number(2) % MAX_NONCES
    first = min(draw.number(8), 2**64 - count)
    template = Template(draw.blob(), draw.rest(), difficulty)
    expected = scan(template, first, count, lambda: False)
    for kernel in AVAILABLE:
        assert native_scan(kernel, template, first, count) == expected
