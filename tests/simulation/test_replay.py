"""The same command does the same again, to the last byte: in another process, with other hashes of strings."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

COMMAND = shlex.split(
    "simulate --nodes 6 --seed 7 --minutes 1 --block-every 4 --byzantine 2 --legacy 1 --loss 0.05"
    " --partition 1 --crash 1 --disk-fault 1 --fall 1 -o json"
)


def test_two_processes_with_other_hash_seeds_trace_the_same(tmp_path: Path) -> None:
    reports, traces = [], []
    for hash_seed in ("1", "2"):
        trace = tmp_path / f"trace-{hash_seed}"
        done = subprocess.run(
            [sys.executable, "-m", "admin.cli", *COMMAND, "--trace", str(trace)],
            env={
                **os.environ,
                "PYTHONHASHSEED": hash_seed,
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            check=True,
            timeout=140,
        )
        reports.append(json.loads(done.stdout))
        traces.append(trace.read_bytes())
    assert reports[0] == reports[1]
    assert traces[0] == traces[1]
    assert traces[0].count(b"\n") == reports[0]["events"]
    assert len(reports[0]["faults"]) >= 4
