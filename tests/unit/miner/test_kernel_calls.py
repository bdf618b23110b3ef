"""The extension as Python calls it: cancel, the GIL, buffers, threads, arguments out of range."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import actors
from actors.miner.engine import NONCES
from actors.miner.scan import Template
from tests.support.kernels import (
    AVAILABLE,
    KNOWN,
    NEVER,
    dice_for,
    every_kernel,
    random_template,
    scan,
    solutions,
)

if AVAILABLE:
    from actors.miner import _native

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the extension is not built here")

HOPELESS = Template(b"1:", b":" + b"s" * 130, NEVER)
LONG_HOPELESS = Template(b"1:", b":" + b"s" * 3_000_000, NEVER)
ALL_BUT_ENDLESS = 2**63
FEW = 1_000_000
"""More than any kernel tries in the 10 ms that a cancel may take, and far less than endless."""
HANGS_AFTER_S = 60.0
"""For a process that ends at once if it ends at all."""


# -- cancel ------------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize("flag", [1, 2, 128, 255])
def test_a_scan_that_is_cancelled_before_it_begins_ends_at_once(kernel: str, flag: int) -> None:
    nonce, tried = scan(kernel, HOPELESS, 7, ALL_BUT_ENDLESS, bytearray([flag]))
    assert nonce is None
    assert tried <= FEW


CANCEL_FROM_ANOTHER_THREAD = """
import sys, threading
from actors.miner import _native

kernel, suffix_bytes = sys.argv[1], int(sys.argv[2])

def cancelled():
    cancel, answers = bytearray(1), []
    ping, pong = threading.Event(), threading.Event()

    def scan():
        answers.append(_native.scan(kernel, b"1:", b"s" * suffix_bytes, 64, 5, 2**63, cancel))

    def other():
        for _ in range(1_000):
            ping.wait()
            ping.clear()
            pong.set()

    threads = [threading.Thread(target=each) for each in (scan, other)]
    for each in threads:
        each.start()
    try:
        while threads[0].is_alive():  # until the scan holds the buffer: it is about to begin
            cancel.append(0)
            cancel.pop()
    except BufferError:
        pass
    for _ in range(1_000):  # two threads take turns while the scan goes on
        ping.set()
        pong.wait()
        pong.clear()
    assert not answers
    cancel[0] = 1
    for each in threads:
        each.join()
    cancel.append(0)
    (answer,) = answers
    assert answer[0] is None, answer
    return answer[1]

while not (tried := cancelled()):
    pass  # the system gave it no moment before it was cancelled: again
assert tried < 2**62, tried
print("let go")
"""


@every_kernel
@pytest.mark.parametrize("suffix_bytes", [0, 130, 2_900, 1_000_000])
def test_other_threads_run_during_a_scan_and_one_of_them_cancels_it(
    kernel: str, suffix_bytes: int
) -> None:
    """In a process of its own: with the GIL held it would never end, nor could it be interrupted."""
    done = subprocess.run(
        (sys.executable, "-P", "-c", CANCEL_FROM_ANOTHER_THREAD, kernel, str(suffix_bytes)),
        env={**os.environ, "PYTHONPATH": str(Path(actors.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("let go", 0), done.stderr


@every_kernel
def test_the_flag_is_let_go_after_every_kind_of_end(kernel: str) -> None:
    cancel = bytearray(1)
    scan(kernel, HOPELESS, 0, 100, cancel)
    cancel.append(0)
    scan(kernel, Template(b"", b"", 0), 0, 100, cancel)
    cancel.append(0)
    with pytest.raises(ValueError, match="difficulty"):
        scan(kernel, Template(b"", b"", 65), 0, 1, cancel)
    cancel.append(0)
    with pytest.raises(ValueError, match="kernel"):
        scan("none", HOPELESS, 0, 1, cancel)
    cancel.append(0)
    with pytest.raises(ValueError, match="first"):
        scan(kernel, HOPELESS, NONCES - 1, 2, cancel)
    cancel.append(0)
    assert cancel == bytes(6)


@every_kernel
def test_only_the_first_byte_of_the_flag_counts(kernel: str) -> None:
    assert scan(kernel, HOPELESS, 0, 20_000, bytearray(b"\0\1\1\1")) == (None, 20_000)


# -- threads -----------------------------------------------------------------------------------------


@every_kernel
def test_scans_at_the_same_time_do_not_disturb_each_other(kernel: str) -> None:
    scans, room = 4, 3_000
    templates = [random_template(dice_for("crowd", n), 40 * n, 50 * n, 2) for n in range(scans)]
    start = threading.Barrier(scans)

    def walk(template: Template) -> list[int]:
        start.wait()
        at, found = 9_000, []
        while at < 9_000 + room:
            nonce, tried = scan(kernel, template, at, 9_000 + room - at)
            at += tried
            if nonce is not None:
                found.append(nonce)
        return found

    with ThreadPoolExecutor(scans) as pool:
        results = list(pool.map(walk, templates * 1))
    for template, found in zip(templates, results, strict=True):
        assert tuple(found) == solutions(template, 9_000, 9_000 + room)


@every_kernel
def test_one_thread_scans_the_tail_of_what_another_scans_the_head_of(kernel: str) -> None:
    template, room = random_template(dice_for("halves"), 30, 90, 3), 60_000
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(scan, kernel, template, at, room) for at in (0, room)]
        answers = [half.result() for half in halves]
    for at, (nonce, tried) in zip((0, room), answers, strict=True):
        first = solutions(template, at, at + room)[0]
        assert (nonce, tried) == (first, first - at + 1)


# -- arguments ---------------------------------------------------------------------------------------


def call(**changed: Any) -> object:
    given: dict[str, Any] = {
        "kernel": "portable",
        "prefix": b"1:",
        "suffix": b":2",
        "difficulty": 1,
        "first": 0,
        "count": 10,
        "cancel": bytearray(1),
    }
    return _native.scan(*(given | changed).values())


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel": ""},
        {"kernel": "PORTABLE"},
        {"kernel": "portable "},
        {"kernel": "portable\0"},
        {"kernel": "pörtable"},
        {"kernel": "\ud800"},
        {"difficulty": -1},
        {"difficulty": 65},
        {"difficulty": 2**31},
        {"difficulty": 2**32},
        {"difficulty": 2**64},
        {"difficulty": -(2**31) - 1},
        {"first": -1},
        {"first": -(2**64)},
        {"first": 2**64},
        {"first": 2**64, "count": 0},
        {"count": -1},
        {"count": 2**64},
        {"count": 2**64 + 1},
        {"count": 2**200},
        {"first": 1, "count": 2**64},
        {"first": 2**64 - 1, "count": 2},
        {"first": 2**63, "count": 2**63 + 1},
        {"cancel": bytearray()},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        call(**changed)


@pytest.mark.parametrize("kernel", [name for name in KNOWN if name not in AVAILABLE])
def test_a_kernel_that_the_processor_lacks_is_refused(kernel: str) -> None:
    with pytest.raises(ValueError, match="kernel"):
        call(kernel=kernel)


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel": b"portable"},
        {"kernel": None},
        {"prefix": "1:"},
        {"prefix": None},
        {"suffix": "2"},
        {"suffix": 2},
        {"difficulty": "1"},
        {"difficulty": 1.0},
        {"difficulty": None},
        {"first": "0"},
        {"first": 0.0},
        {"count": None},
        {"count": 10.0},
        {"cancel": bytes(1)},
        {"cancel": None},
        {"cancel": [0]},
    ],
    ids=str,
)
def test_arguments_of_a_wrong_type_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        call(**changed)


def test_too_few_too_many_and_named_arguments_are_refused() -> None:
    scanning: Any = _native.scan
    for arguments in ((), ("portable",), ("portable", b"", b"", 1, 0, 1, bytearray(1), 0)):
        with pytest.raises(TypeError):
            scanning(*arguments)
    with pytest.raises(TypeError):
        scanning("portable", b"", b"", 1, 0, 1, cancel=bytearray(1))


def test_the_whole_range_of_nonces_is_in_range() -> None:
    assert call(difficulty=0, first=0, count=2**64 - 1) == (0, 1)
    assert call(difficulty=0, first=1, count=2**64 - 1) == (1, 1)
    assert call(difficulty=0, first=2**64 - 1, count=1) == (2**64 - 1, 1)
    assert call(difficulty=0, first=2**64 - 1, count=0) == (None, 0)


def test_a_refusal_holds_on_to_no_argument() -> None:
    prefix, suffix, cancel = b"p" * 77, b"s" * 78, bytearray(1)
    held = [sys.getrefcount(each) for each in (prefix, suffix, cancel)]
    for difficulty, count in ((65, 1), (1, 2**65), (0, 1), (64, 10)):
        for _ in range(10):
            try:
                _native.scan("portable", prefix, suffix, difficulty, 0, count, cancel)
            except ValueError:
                assert difficulty == 65 or count == 2**65
    assert [sys.getrefcount(each) for each in (prefix, suffix, cancel)] == held
