"""The nonce scan in plain ``hashlib``: what worker processes run, and what kernels are tested against.

Must not live here: the ledger, messages, processes. A scanning worker imports little more than this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

BYTES_PER_CHECK = 2 * 1024 * 1024
"""Hashed between two looks at ``cancelled``: some 10 ms for the slowest processor in use."""
HASH_OVERHEAD_BYTES = 512
"""What a hash costs beside its bytes, in bytes hashed in the same time (measured: about 0.4 us)."""


@dataclass(frozen=True, slots=True)
class Template:
    """A block text but for its nonce: ``prefix | decimal nonce | suffix``.

    Attributes:
        prefix: The bytes before the nonce.
        suffix: The bytes after it.
        difficulty: How many leading hex digits of the SHA-256 of the whole must be zero.
    """

    prefix: bytes
    suffix: bytes
    difficulty: int


def nonces_per_check(template: Template) -> int:
    """How many nonces are tried between two looks at ``cancelled``."""
    size_bytes = len(template.prefix) + len(template.suffix) + HASH_OVERHEAD_BYTES
    return max(1, BYTES_PER_CHECK // size_bytes)


def hash_bound(difficulty: int) -> bytes:
    """What a digest is below, as bytes compare, exactly when it has ``difficulty`` zero digits."""
    if difficulty == 0:
        return b"\xff" * (hashlib.sha256().digest_size + 1)
    zero_bytes, odd = divmod(difficulty, 2)
    return bytes(zero_bytes) + b"\x10" if odd else bytes(zero_bytes - 1) + b"\x01"


def scan(
    template: Template, start: int, count: int, cancelled: Callable[[], bool]
) -> tuple[int | None, int]:
    """Try the nonces from ``start`` on, ``count`` of them at most, until one solves the template.

    Returns:
        The first nonce that solves it, or None; and how many hashes were tried.
    """
    midstate = hashlib.sha256(template.prefix)
    copy, suffix, bound = midstate.copy, template.suffix, hash_bound(template.difficulty)
    end, stride = start + count, nonces_per_check(template)
    for first in range(start, end, stride):
        if cancelled():
            return None, first - start
        for nonce in range(first, min(first + stride, end)):
            state = copy()
            state.update(b"%d%b" % (nonce, suffix))
            if state.digest() < bound:
                return nonce, nonce - start + 1
    return None, count
