"""The seam over the nonce scan in C (``_native``): its kernels, if there are any, and no blind trust.

Whatever a kernel finds is hashed again with ``hashlib`` before anybody hears of it. Must not live here:
threads (``threads``), or which kernel a node uses (``engines``).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from actors.miner.engine import NONCES
from actors.miner.scan import Template, hash_bound, scan

try:
    from actors.miner._native import kernels as _kernel_names
    from actors.miner._native import scan as _scan
except ImportError as error:  # not built: there was no compiler, or it is another Python's
    MISSING = str(error)
else:
    MISSING = ""
"""Why there is no extension, as the import said it; empty: there is one."""

log = logging.getLogger(__name__)


class KernelError(Exception):
    """A kernel says what ``hashlib`` does not confirm: a bug of ours, or a broken processor."""


class Scan(Protocol):
    """A nonce scan that holds no GIL."""

    def __call__(
        self, template: Template, first: int, count: int, cancel: bytearray, /
    ) -> tuple[int | None, int]:
        """Try ``count`` nonces from ``first`` on, in order, until one solves the template.

        Returns within 10 ms after another thread made the one byte of ``cancel`` non-zero.

        Returns:
            The least nonce that solves it, or None; and how many were tried.
        """


@dataclass(frozen=True, slots=True)
class Kernel:
    """One way to scan. Value."""

    name: str
    scan: Scan


def kernels() -> tuple[Kernel, ...]:
    """The kernels that this processor runs, the preferred one first; empty without the extension."""
    if MISSING:
        return ()
    return tuple(Kernel(name, partial(scan_natively, name)) for name in _kernel_names())


def scan_natively(
    kernel: str, template: Template, first: int, count: int, cancel: bytearray, /
) -> tuple[int | None, int]:
    """A :class:`Scan` by one kernel of the extension; any thread, without the GIL.

    Raises:
        KernelError: it claims a nonce that does not solve the template, or ended before its time.
        ValueError: this processor lacks the kernel.
        MemoryError: the template is too large for the memory that there is.
    """
    nonce, tried = _scan(
        kernel, template.prefix, template.suffix, template.difficulty, first, count, cancel
    )
    confirm(template, first, count, nonce, tried, cancelled=bool(cancel[0]))
    return nonce, tried


def confirm(
    template: Template, first: int, count: int, nonce: int | None, tried: int, *, cancelled: bool
) -> None:
    """Check the result of a scan, except for what was tried in vain.

    ``cancelled`` is read after the scan: a flag that is down now was down all the time.

    Raises:
        KernelError: it cannot be true.
    """
    if not 0 <= tried <= count:
        message = f"it counts {tried} hashes for {count} nonces"
        raise KernelError(message)
    if nonce is None:
        if tried < count and not cancelled:
            message = f"it gave up after {tried} of {count} nonces"
            raise KernelError(message)
        return
    text = b"%b%d%b" % (template.prefix, nonce, template.suffix)
    if not first <= nonce < first + tried or not _solves(text, template.difficulty):
        message = f"it found nonce {nonce}, which solves nothing"
        raise KernelError(message)


def _solves(text: bytes, difficulty: int) -> bool:
    return hashlib.sha256(text).digest() < hash_bound(difficulty)


_TRIALS = (
    # The digits end before, straddle, and begin at a boundary of 64 bytes; a whole block lies before
    # them or behind them; a power of ten is passed; the largest nonces of all come last.
    (Template(b"7:", b":" + b"a" * 130, 1), 9_930, 140),
    (Template(b"b" * 61, b":" + b"c" * 64, 1), 95, 30),
    (Template(b"d" * 128, b":e", 2), 99_950, 100),
    (Template(b"8:", b":" + b"f" * 600, 1), NONCES - 40, 40),
    (Template(b"9:", b":" + b"g" * 130, 16), 9_990, 40),  # nothing to find
)


def self_test(kernel: Kernel) -> None:
    """Let a kernel find all that there is in a few hundred nonces; a few ms.

    Raises:
        KernelError: it finds something else than ``hashlib`` does.
        Exception: what it raises itself.
    """
    for template, first, count in _TRIALS:
        at, end = first, first + count
        while at < end:
            found = kernel.scan(template, at, end - at, bytearray(1))
            expected = scan(template, at, end - at, lambda: False)
            if found[0] != expected[0]:
                message = f"it found {found[0]} and not {expected[0]}"
                raise KernelError(message)
            at = end if found[0] is None else found[0] + 1


def is_sound(kernel: Kernel) -> bool:
    """Whether a kernel passes its test; the log says how it fails."""
    try:
        self_test(kernel)
    except Exception as error:  # noqa: BLE001 - whatever a kernel does, there is another way
        log.error("the %s kernel fails its test, it is not used: %r", kernel.name, error)  # noqa: TRY400
        return False
    return True


def from_first_sound(candidates: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The candidates from the first one on that passes its test: that one is for use."""
    for index, kernel in enumerate(candidates):
        if is_sound(kernel):
            return tuple(candidates[index:])
    return ()


def failure_note(failed: Sequence[str]) -> str:
    """What people read of the kernels that failed, by their names; empty: none did."""
    if not failed:
        return ""
    return f"the {' and '.join(failed)} kernel{'s' * (len(failed) > 1)} failed, the log says how"
