"""The C kernels under test and the oracle that they are held against: ``hashlib``, nonce by nonce.

Must not live here: anything of the kernels' own arithmetic; the oracle shares nothing with them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from actors.miner.engine import NONCES
from actors.miner.scan import Template

try:
    from actors.miner import _native
except ImportError:  # built without a compiler
    AVAILABLE: tuple[str, ...] = ()
else:
    AVAILABLE = _native.kernels()

SANITIZED = os.environ.get("TROUPE_SANITIZED", "")
"""The folder of the sanitized build that these tests are to run on, empty in an ordinary run."""
THIN = 8 if SANITIZED else 1
"""Of the large tables only every so-manieth row is tried under the sanitizers, which are slow."""
NEVER = 64
"""A difficulty that nothing solves."""

KNOWN = ("avx512", "sha_ni", "avx2", "armv8", "portable")


def lacking(name: str) -> str:
    """Why a kernel is not tested here."""
    return f"this processor does not run {name}" if AVAILABLE else "the extension is not built here"


NONE_AT_ALL = [pytest.param("none", marks=pytest.mark.skip(reason=lacking("any")))]
every_kernel = pytest.mark.parametrize("kernel", AVAILABLE or NONE_AT_ALL)


def scan(
    kernel: str, template: Template, first: int, count: int, cancel: bytearray | None = None
) -> tuple[int | None, int]:
    """What the extension answers."""
    flag = bytearray(1) if cancel is None else cancel
    prefix, suffix, difficulty = template.prefix, template.suffix, template.difficulty
    return _native.scan(kernel, prefix, suffix, difficulty, first, count, flag)


def zero_bits(template: Template, nonce: int) -> int:
    """How many bits of the hash are zero before the first that is not."""
    text = b"%b%d%b" % (template.prefix, nonce, template.suffix)
    digest = hashlib.sha256(text).digest()
    return 8 * len(digest) - int.from_bytes(digest, "big").bit_length()


@cache
def solutions(template: Template, first: int, end: int) -> tuple[int, ...]:
    """All nonces from ``first`` up to ``end`` that solve the template, by ``hashlib``."""
    zeros, begun = "0" * template.difficulty, hashlib.sha256(template.prefix)
    found = []
    for nonce in range(first, end):
        state = begun.copy()
        state.update(str(nonce).encode() + template.suffix)
        if state.hexdigest().startswith(zeros):
            found.append(nonce)
    return tuple(found)


def expected(template: Template, first: int, count: int) -> tuple[int | None, int]:
    """What a scan of a range must answer."""
    found = solutions(template, first, first + count)
    return (found[0], found[0] - first + 1) if found else (None, count)


def assert_finds_all(kernel: str, template: Template, first: int, end: int) -> None:
    """Walk the range from one solution to the next: they are the oracle's, with the true counts."""
    at, found = first, []
    while at < end:
        nonce, tried = scan(kernel, template, at, end - at)
        if nonce is None:
            assert tried == end - at, (template, at, end)
            break
        assert tried == nonce - at + 1, (template, at, end)
        found.append(nonce)
        at = nonce + 1
    assert tuple(found) == solutions(template, first, end), (template, first, end)


def random_template(dice: random.Random, prefix: int, suffix: int, difficulty: int) -> Template:
    """A template of random bytes, of so many before and behind the nonce."""
    return Template(dice.randbytes(prefix), dice.randbytes(suffix), difficulty)


def random_nonce(dice: random.Random, room: int) -> int:
    """A nonce of any length, often near where one grows or its last digits roll over."""
    nonce = dice.randrange(10 ** dice.randint(1, 20))
    if dice.random() < 0.5:
        nonce = nonce // 10_000 * 10_000 + dice.randint(-room, room)
    return min(max(nonce, 0), NONCES - room)


def dice_for(*seed: Any) -> random.Random:
    """Dice that fall the same way in every run of a test."""
    return random.Random(repr(seed))


def bits_table(prefix: bytes, suffix: bytes, most: int) -> list[int]:
    """By place, a nonce whose hash begins with exactly so many zero bits, up to ``most``.

    Made the constants of a test, which checks them by ``hashlib``: a kernel is used for nothing but to
    pass over the millions of nonces that begin with fewer.
    """
    found: dict[int, int] = {}
    at = 0
    while len(found) <= most:
        wanted = min(bits for bits in range(most + 1) if bits not in found)
        template = Template(prefix, suffix, wanted // 4)
        nonce, _ = scan(AVAILABLE[0], template, at, NONCES - at)
        if nonce is None:
            break
        bits = zero_bits(template, nonce)
        if bits <= most:
            found.setdefault(bits, nonce)
        at = nonce + 1
    return [found[bits] for bits in sorted(found)]


def endings_table(template: Template, endings: Iterable[int]) -> dict[int, int]:
    """By its last four digits, what stands before them in the least nonce that solves the template."""
    return {
        last: next(n for n in itertools.count(1) if solves(template, 10_000 * n + last))
        for last in endings
    }


def solves(template: Template, nonce: int) -> bool:
    """Whether a nonce solves a template, by ``hashlib``."""
    return zero_bits(template, nonce) >= 4 * template.difficulty
