"""What a process holds and uses, as the kernel tells it. Linux only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from actors.miner.engine import LOWEST_PRIORITY

KIB = 1024
_STATE = 2
"""``/proc/PID/stat`` numbers its fields from 1; behind the name, which may hold anything, comes this one."""
_UTIME, _STIME, _NICE = 14 - _STATE - 1, 15 - _STATE - 1, 19 - _STATE - 1


class Held(NamedTuple):
    """What a process holds."""

    memory_bytes: int
    files: int
    threads: int


def held(pid: int) -> Held:
    """What it holds now.

    Raises:
        OSError: it has ended, whether somebody waited for it or not.
    """
    folder = Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    if "VmRSS" not in fields:
        raise ProcessLookupError(pid)
    memory_bytes = int(fields["VmRSS"].split()[0]) * KIB
    return Held(memory_bytes, len(list((folder / "fd").iterdir())), int(fields["Threads"]))


def cpu_s(pid: int) -> float:
    """Processor time of a node so far, without the threads that scan nonces: they take what is left over."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        if int(fields[_NICE]) < LOWEST_PRIORITY:
            ticks += int(fields[_UTIME]) + int(fields[_STIME])
    return ticks / os.sysconf("SC_CLK_TCK")
