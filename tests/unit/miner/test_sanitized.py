"""That the kernels' tests run on the sanitized build when they are told to, and that it is awake."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import actors
from tests.support.kernels import AVAILABLE, KNOWN, SANITIZED

pytestmark = pytest.mark.skipif(not SANITIZED, reason="for the sanitized build: make sanitize")

READ_BEHIND_THE_PREFIX = """
import ctypes
from actors.miner import _native

prefix = bytes(8)
size = ctypes.c_ssize_t.from_address(id(prefix) + object.__basicsize__)
assert size.value == 8
print(_native.__file__, flush=True)
size.value = 4_096
_native.scan("portable", prefix, b"", 64, 0, 1, bytearray(1))
print("unnoticed")
"""


def test_the_module_under_test_is_the_sanitized_one() -> None:
    from actors.miner import _native  # noqa: PLC0415 - absent in an ordinary run without a compiler

    module = Path(_native.__file__)
    assert module.is_relative_to(SANITIZED)
    assert Path(actors.__file__).is_relative_to(SANITIZED)
    code = module.read_bytes()
    assert b"__asan_report_load" in code
    assert b"__ubsan_handle_" in code


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86's instructions")
def test_the_kernel_of_the_sha_instructions_is_tested_on_any_x86() -> None:
    assert "sha_ni" in KNOWN
    assert "sha_ni" in AVAILABLE


def test_a_read_behind_the_end_of_an_argument_is_noticed() -> None:
    """By a bytes object that claims to be longer than it is."""
    done = subprocess.run(
        (sys.executable, "-P", "-c", READ_BEHIND_THE_PREFIX),
        env={**os.environ, "PYTHONPATH": SANITIZED},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (module,) = done.stdout.splitlines()
    assert Path(module).is_relative_to(SANITIZED)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
    assert "actors/miner/kernels/" in done.stderr, (
        "the report names no line of ours: built without -g"
    )
