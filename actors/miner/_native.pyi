"""The nonce scan in C; built from ``kernels/`` where there is a compiler, absent elsewhere."""

def kernels() -> tuple[str, ...]:
    """Names of the kernels that this processor runs, the preferred one first.

    Out of ``avx512``, ``sha_ni``, ``avx2``, ``armv8`` and ``portable``, which is always the last.
    """

def scan(
    kernel: str,
    prefix: bytes,
    suffix: bytes,
    difficulty: int,
    first: int,
    count: int,
    cancel: bytearray,
    /,
) -> tuple[int | None, int]:
    """Try the nonces from ``first`` on, ``count`` of them at most, until one solves the template.

    The text hashed is ``prefix | decimal nonce | suffix``. The GIL is released from the first hash to
    the last. Any thread.

    Args:
        kernel: One of ``kernels()``.
        prefix: The bytes before the nonce.
        suffix: The bytes after it.
        difficulty: How many leading hex digits of the SHA-256 must be zero, 0 to 64.
        first: The first nonce to try, below 2**64.
        count: How many to try, below 2**64; ``first + count`` is at most 2**64.
        cancel: One byte; the scan ends within 10 ms after another thread made it non-zero.

    Returns:
        The least nonce of the range that solves it, or None; and how many hashes were tried.

    Raises:
        ValueError: an argument is out of its range, or this processor lacks the kernel.
        MemoryError: the template is too large for the memory that there is.
    """
