"""A node that weighs itself: run in place of ``troupe``, it says besides what its allocators have given out.

    python -m tests.support.weighed FILE run --data-dir ...

What the kernel counts for a process is what its allocators have ever taken, less what they gave back. Of what is
freed they keep most: after a first sync some 20 MB, which a leak of 1 MB an hour fills for a day before anything is
seen from outside. And what they give back now and then makes dips that nobody has freed anything for. What is given
out shows a leak at once, and to the byte.

Of the newest events, records of the log and peers that are gone it keeps fewer than others. A thousand peers take
hours to go; and each event is larger or smaller than the one that it replaces: until 10,000 are exchanged takes over
an hour. Meanwhile a slope of 3 MB an hour was measured, which comes to its end of itself.

Needs CPython, glibc from 2.33 on, and a SQLite that is a library of its own: `is_possible`.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import re
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar, NamedTuple

EVERY_S = 10.0
"""To collect what is garbage takes a tenth of a second."""
KEPT_EVENTS, KEPT_RECORDS, KEPT_PEERS = 300, 40, 16
"""Exchanged within some minutes."""
LOOKS = 100
"""At the two counts of C: another thread may take or drop pages between them, and what is told would be too little by that. A
reader at work for so long is one reading that is wrong."""
SQLITE_STATUS_PAGECACHE_OVERFLOW = 2
"""Of pages that SQLite keeps, all are counted here: none was given to it in advance."""

_libc = ctypes.CDLL(None)


class Weight(NamedTuple):
    """What a process has in use.

    Attributes:
        at_s: By the monotonic clock, which all processes share.
        python_bytes: Of small objects.
        c_bytes: Of all else, also SQLite's and gRPC's.
        page_bytes: The part of ``c_bytes`` that is pages of a database, kept to be read again.
    """

    at_s: float
    python_bytes: int
    c_bytes: int
    page_bytes: int

    @property
    def held_bytes(self) -> int:
        """Without the pages: they have a bound of their own, and a reader's are dropped at each block that another
        connection writes, and come back with what it is asked.
        """
        return self.python_bytes + self.c_bytes - self.page_bytes


class _MallInfo(ctypes.Structure):
    """As of ``man 3 mallinfo``: ten counts, of which two are what is given out, mapped and else."""

    _fields_: ClassVar = [
        ("others", ctypes.c_size_t * 4),
        ("hblkhd", ctypes.c_size_t),
        ("more", ctypes.c_size_t * 2),
        ("uordblks", ctypes.c_size_t),
        ("rest", ctypes.c_size_t * 2),
    ]
    hblkhd: int
    uordblks: int


def weigh() -> Weight:
    """What this process has in use now, without what is garbage."""
    gc.collect()
    for _ in range(LOOKS):
        pages_before, c_bytes, pages_after = _page_bytes(), _c_bytes(), _page_bytes()
        if pages_before == pages_after:
            break
    return Weight(time.monotonic(), _python_bytes(), c_bytes, pages_after)


def is_possible() -> bool:
    """Whether a process can be weighed on this system."""
    try:
        weigh()
    except (AttributeError, OSError, AssertionError):  # one of them knows no such function
        return False
    return True


def read(path: Path) -> Weight:
    """The last one that a node wrote there."""
    return Weight(*json.loads(path.read_text()))


def _python_bytes() -> int:
    """As ``sys._debugmallocstats`` says it, which has no other way to say it than a stream of C."""
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    _libc.open_memstream.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(_libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    ctypes.pythonapi._PyObject_DebugMallocStats(stream)
    _libc.fclose(stream)
    said = (text.value or b"").decode()
    _libc.free(text)
    match = re.search(r"# bytes in allocated blocks\s*=\s*([\d,]+)", said)
    assert match is not None, "Python's own allocator is in use"
    return int(match[1].replace(",", ""))


def _c_bytes() -> int:
    _libc.mallinfo2.restype = _MallInfo
    info = _libc.mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


def _page_bytes() -> int:
    library = importlib.import_module("_sqlite3").__file__
    now, most = ctypes.c_int64(), ctypes.c_int64()
    status = ctypes.CDLL(library).sqlite3_status64
    status(SQLITE_STATUS_PAGECACHE_OVERFLOW, ctypes.byref(now), ctypes.byref(most), 0)
    return now.value


def _write(path: Path) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(weigh()))
    draft.replace(path)


def _go_on(path: Path) -> None:
    while True:
        time.sleep(EVERY_S)
        _write(path)


def keep_less() -> None:
    """Of a node that is made from now on in this process."""
    from actors.peers import table  # noqa: PLC0415 - who only reads weights needs no node
    from actors.runtime import events  # noqa: PLC0415
    from admin import logs  # noqa: PLC0415

    events.KEPT_EVENTS, logs.KEPT_RECORDS = KEPT_EVENTS, KEPT_RECORDS
    table.MAX_GONE = KEPT_PEERS


def main() -> None:
    from admin.cli.main import main as troupe  # noqa: PLC0415

    path = Path(sys.argv.pop(1))
    keep_less()
    _write(path)
    threading.Thread(target=_go_on, args=(path,), name="weigher", daemon=True).start()
    sys.argv[0] = "troupe"
    troupe()


if __name__ == "__main__":
    main()
