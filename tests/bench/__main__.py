"""Runs the benchmarks and prints a table, or one JSON array with ``--json``.

Each figure of a rate or a time is the median of several runs, but for those of a long run (a sync, a thousand
blocks). Those of a node are of a real process over loopback.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.bench import admin, ledger, scan, wire
from tests.bench.figure import Figure

PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "ledger": lambda _folder: ledger.ledger(),
    "pow": lambda _folder: scan.proof_of_work(),
    "store": ledger.store,
    "wire": wire.figures,
    "admin": admin.unary,
    "streams": admin.streams,
}


def figures(parts: Iterable[str]) -> Iterator[Figure]:
    for part in parts:
        with tempfile.TemporaryDirectory() as name:
            yield from PARTS[part](Path(name))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one array of what, value, unit")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; without any: all")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    measured = figures(chosen.parts or PARTS)
    if chosen.json:
        print(json.dumps([figure._asdict() for figure in measured], indent=1))
        return
    for figure in measured:
        print(f"{figure.what:<62} {figure.value:>12,.2f} {figure.unit}", flush=True)


if __name__ == "__main__":
    main()
