"""Runs the benchmarks and prints a table, or one JSON array with ``--json``.

Each figure of a rate or a time is the median of several runs, but for those of a long run (a sync of all, a
thousand blocks). Those of a node are of a real process over loopback, whose peers are processes of their own;
what these and the node use of a processor stands beside them. The machine's own speed comes first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from admin.cli.signals import interrupting
from tests.bench import (
    accounts,
    admin,
    admission,
    crowd,
    hop,
    ledger,
    machine,
    relay,
    reorg,
    scan,
    sync,
    wire,
)
from tests.bench.figure import Bench, Figure

PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "machine": machine.machine,
    "ledger": ledger.ledger,
    "pow": scan.proof_of_work,
    "accounts": accounts.tip_commit,
    "reorg": reorg.reorg,
    "wire": wire.wire,
    "relay": relay.relay,
    "hop": hop.hop,
    "admission": admission.admission,
    "crowd": crowd.crowd,
    "sync": sync.sync,
    "long-sync": sync.long_sync,
    "admin": admin.unary,
    "streams": admin.streams,
}
"""From the quick ones to the long ones."""


def figures(part: str) -> Iterator[Figure]:
    """The figures of a part, as they come."""
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
        yield from PARTS[part](Bench(Path(name)))


def summary(measured: Iterable[Figure]) -> str:
    """How many of the targets are met, and which are not."""
    aimed = [figure for figure in measured if figure.target is not None]
    missed = [figure for figure in aimed if not figure.is_met]
    lines = [f"{len(aimed) - len(missed)} of {len(aimed)} targets met"]
    lines += [
        f"missed: {figure.what}: {figure.value:,.2f} {figure.unit}, to be {figure.target}"
        for figure in missed
    ]
    return "\n".join(lines)


def main() -> None:
    """Ends with 1 if a part failed; the others are worth their time. Told to end, it takes along all processes
    and files that a part has made.
    """
    with interrupting():
        run()


def run() -> None:
    """Measure what the command line says, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one array in place of the table")
    parser.add_argument("--save", type=Path, metavar="FILE", help="the array into a file as well")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; without any: all")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    measured, failed = list[Figure](), list[str]()
    for part in chosen.parts or PARTS:
        try:
            for figure in figures(part):
                measured.append(figure)
                if not chosen.json:
                    print(figure.line(), flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            traceback.print_exc()
            failed.append(f"failed: {part}: {error}")
    array = json.dumps([figure.data() for figure in measured], indent=1)
    print("\n".join([array] if chosen.json else [summary(measured), *failed]))
    if chosen.save is not None:
        chosen.save.write_text(f"{array}\n")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
