"""Ten thousand calls that must be refused, on a real node; prints what they cost it.

    python -m tests.soak.door [--calls 10000] [--seed 1]

Fails if one is not refused, if the node falls or stops to serve, or if it holds on to more memory, files or
threads than before. It mines on all cores all the while, on a network whose blocks are rare: their own
memory would hide a leak.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.abuse import Abuse
from tests.support.process import NodeProcess
from tests.support.usage import held

WARM_UP_SHARE = 10
"""A tenth of the calls come first: what is allocated once is no leak."""
MAX_GROWTH_BYTES = 32 * 1024 * 1024
"""What allocators keep of six buffers of an oversized message; a leak of 3.3 kB a call is above it."""
MAX_NEW_FILES = 2
MAX_NEW_THREADS = 4
"""gRPC keeps a few threads for a while."""


def hold_out(calls: int, seed: int, say: Callable[[str], None]) -> None:
    """Raises AssertionError when the node did not hold out."""
    with tempfile.TemporaryDirectory() as name:
        threads = str(os.cpu_count())
        with NodeProcess(Path(name), "--network", "main", "--mine", "--threads", threads) as node:
            token = (node.data_dir / "admin.token").read_text().strip()
            with Abuse(node.admin_address, token, seed) as abuse:
                abuse.run(calls // WARM_UP_SHARE)
                before = held(node.process.pid)
                begun_s = time.perf_counter()
                outcomes = abuse.run(calls)
                taken_s = time.perf_counter() - begun_s
            after = held(node.process.pid)
            for outcome, count in outcomes.most_common():
                say(f"{count:>7,}  {outcome}")
            say(
                f"{calls:>7,}  calls refused in {taken_s:.1f} s; the node is at block {node.height()}"
            )
            say(f"before {before}\nafter  {after}")
            assert after.memory_bytes - before.memory_bytes < MAX_GROWTH_BYTES
            assert after.files <= before.files + MAX_NEW_FILES
            assert after.threads <= before.threads + MAX_NEW_THREADS
            code = node.stop()
            assert code == 0, code
            assert not any("Traceback" in line for line in node.output), "".join(node.output[-50:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    hold_out(chosen.calls, chosen.seed, print)


if __name__ == "__main__":
    main()
