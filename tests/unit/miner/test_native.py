"""The seam over the C scan: what it believes, and that the scan holds no GIL."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors.miner import native
from actors.miner.native import (
    Kernel,
    KernelError,
    from_first_sound,
    is_sound,
    scan_natively,
    self_test,
)
from actors.miner.scan import Template, scan

HOPELESS = Template(b"1:", b":" + b"s" * 130, 64)
KERNELS = native.kernels()
NAMES = [each.name for each in KERNELS]
needs_the_extension = pytest.mark.skipif(not KERNELS, reason="the extension is not built here")


def in_python(
    template: Template, first: int, count: int, cancel: bytearray, /
) -> tuple[int | None, int]:
    return scan(template, first, count, lambda: bool(cancel[0]))


def lying(answer: Callable[[int, int], tuple[int | None, int]]) -> Callable[..., Any]:
    """A scan in C that says whatever it likes."""

    def scan_in_c(*arguments: Any) -> tuple[int | None, int]:
        first, count = arguments[4:6]
        return answer(first, count)

    return scan_in_c


# -- what is believed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda first, _: (first, 1), id="a nonce that solves nothing"),
        pytest.param(lambda first, count: (first + count, count), id="a nonce behind the range"),
        pytest.param(lambda _, count: (None, count - 1), id="an end before its time"),
        pytest.param(lambda _, count: (None, count + 1), id="more hashes than nonces"),
    ],
)
def test_what_hashlib_does_not_confirm_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[int, int], tuple[int | None, int]]
) -> None:
    monkeypatch.setattr(native, "_scan", lying(answer), raising=False)
    with pytest.raises(KernelError):
        scan_natively("portable", HOPELESS, 100, 50, bytearray(1))


def test_a_true_nonce_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_scan", lying(lambda first, _: (first, 1)), raising=False)
    anything_solves = Template(b"1:", b":s", 0)
    assert scan_natively("portable", anything_solves, 100, 50, bytearray(1)) == (100, 1)


def test_an_early_end_is_believed_of_a_scan_that_was_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "_scan", lying(lambda _first, _count: (None, 7)), raising=False)
    assert scan_natively("portable", HOPELESS, 0, 50, bytearray(b"\1")) == (None, 7)


# -- the self-test ----------------------------------------------------------------------------------


def test_a_kernel_that_finds_what_hashlib_finds_passes() -> None:
    self_test(Kernel("python", in_python))


def test_a_kernel_that_misses_a_nonce_fails() -> None:
    def blind(
        template: Template, first: int, count: int, cancel: bytearray, /
    ) -> tuple[int | None, int]:
        nonce, tried = in_python(template, first, count, cancel)
        return (None, count) if nonce is not None and nonce > 10**5 else (nonce, tried)

    with pytest.raises(KernelError):
        self_test(Kernel("blind", blind))


def test_a_kernel_that_finds_where_nothing_is_fails() -> None:
    def eager(
        template: Template, first: int, count: int, cancel: bytearray, /
    ) -> tuple[int | None, int]:
        return (first, 1) if template.difficulty > 8 else in_python(template, first, count, cancel)

    with pytest.raises(KernelError):
        self_test(Kernel("eager", eager))


def test_the_first_kernel_that_passes_is_used_and_the_log_tells_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(
        _template: Template, _first: int, _count: int, _cancel: bytearray, /
    ) -> tuple[int | None, int]:
        raise ValueError

    bad, good, spare = Kernel("bad", broken), Kernel("good", in_python), Kernel("spare", in_python)
    assert from_first_sound((bad, good, spare)) == (good, spare)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "bad" in record.getMessage()
    assert from_first_sound((bad, bad)) == ()
    assert (is_sound(bad), is_sound(good)) == (False, True)


@needs_the_extension
@pytest.mark.parametrize("kernel", KERNELS, ids=NAMES)
def test_every_kernel_of_this_machine_passes_its_test(kernel: Kernel) -> None:
    self_test(kernel)


# -- the GIL and the flag ---------------------------------------------------------------------------


@needs_the_extension
@pytest.mark.parametrize("kernel", KERNELS, ids=NAMES)
@pytest.mark.parametrize("size", [130, 300_000])
def test_other_threads_run_during_a_scan_and_can_cancel_it(kernel: Kernel, size: int) -> None:
    """No processor ends this scan: that it returns shows that somebody else could raise the flag."""
    cancel, begun = bytearray(1), threading.Event()
    template = Template(b"1:", b"s" * size, 64)

    def hopeless() -> tuple[int | None, int]:
        begun.set()
        return kernel.scan(template, 0, 2**63, cancel)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(hopeless)
        begun.wait()
        for _ in range(3):  # turns at the GIL that the scan would never give if it held it
            assert threading.active_count() > 1
        assert not future.done()
        cancel[0] = 1
        nonce, tried = future.result()
    assert nonce is None
    assert tried < 2**63


# -- where there is no extension ----------------------------------------------------------------------


def test_without_the_extension_there_are_no_kernels_and_a_reason() -> None:
    """In a process of its own, which is told that the module cannot be imported."""
    code = """
import sys
sys.modules["actors.miner._native"] = None
from actors.miner import native
from actors.miner.engines import plan_engine
print(native.kernels(), "_native" in native.MISSING, plan_engine().kernels)
print(plan_engine().note)
"""
    done = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, check=True, timeout=60
    )
    facts, note = done.stdout.splitlines()
    assert facts == "() True ()"
    assert "C compiler" in note
