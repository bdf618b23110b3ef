"""``kill -9``, over and over, of a node that follows a control; prints where its lives ended.

    python -m tests.soak.cuts [--cycles 500] [--seed 1] [--power]

With ``--power`` each death is a power cut: what is not synced may be gone from the disk, any sectors of it.

Fails if a node's disk ever differs from what the rules make of the control's blocks, or lacks a tip that it had
told of. Half of the lives are of a node that keeps all history, half of one that deletes it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from actors.config import MIN_KEEP_HISTORY
from tests.support.cuts import Cuts, Tally


def hold_out(cycles: int, seed: int, say: Callable[[str], None], *, power: bool) -> None:
    """Raises DivergedError, with the cycle, when the node did not hold out."""
    for keep_history, share in ((0, cycles - cycles // 2), (MIN_KEEP_HISTORY, cycles // 2)):
        begun_s = time.perf_counter()
        with (
            tempfile.TemporaryDirectory() as name,
            closing(
                Cuts(Path(name), seed + bool(keep_history), keep_history=keep_history, power=power)
            ) as cuts,
        ):
            if cuts.shim is None:
                say("no C compiler, or not Linux: deaths come from outside only")
            cuts.run(share)
            cuts.finish()
            taken_s = time.perf_counter() - begun_s
            say(f"history kept: {keep_history or 'all'}; {share} cycles in {taken_s:.0f} s")
            say(f"the chain ends at block {cuts.tip.number}, after {cuts.forks} forks")
            tell(cuts.tally, say)
    say(f"{cycles} cycles: 0 divergences, 0 confirmed blocks lost")


def tell(tally: Tally, say: Callable[[str], None]) -> None:
    """Where the lives ended."""
    say(f"{tally.told:>7,}  tips told of, each held against the disk after the next end")
    for phase, count in tally.phases.most_common():
        say(f"{count:>7,}  ended while {phase}")
    for end, count in tally.ends.most_common():
        say(f"{count:>7,}  {end}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--power", action="store_true")
    chosen = parser.parse_args()
    hold_out(chosen.cycles, chosen.seed, print, power=chosen.power)


if __name__ == "__main__":
    main()
