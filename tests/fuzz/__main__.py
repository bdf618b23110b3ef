"""All targets under atheris, side by side on the cores; what `make fuzz` runs.

    python -m tests.fuzz [--seconds 60] [TARGET...]

New inputs that reach new code are kept in ``build/fuzz/corpus`` and are the next run's seeds. Each input that
fails is printed with the line that replays it. Ends with 1 if one failed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from subprocess import STDOUT, Popen, TimeoutExpired
from tempfile import TemporaryFile
from typing import NamedTuple

from tests.fuzz.inventory import HERE, TARGETS, inputs
from tests.fuzz.scratch import PLACE, temporary

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "fuzz"
MAX_INPUT_BYTES = 4096
"""Above any transaction and most blocks; longer ones take their time and reach nothing new."""
INPUT_S = 20
"""An input that takes longer is a finding: none takes a second."""
MEMORY_MIB = 2048
SPARE_S = 600
"""For the start, which reads and instruments the sources, and for what was kept from former runs."""
_DONE = re.compile(r"Done (\d+) runs")
_COVERED = re.compile(r" cov: (\d+)")


class Outcome(NamedTuple):
    """How a target's run ended; ``failed`` is what it left behind."""

    target: str
    inputs: int
    covered: int
    failed: tuple[Path, ...]
    output: str


def fuzz(target: str, seconds: int) -> Outcome:
    kept, crashes = BUILD / "corpus" / target, BUILD / "crashes" / target
    for folder in (kept, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    command = (
        *(sys.executable, "-m", "tests.fuzz.guided", target),
        *(f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-timeout={INPUT_S}"),
        *(f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={crashes}{os.sep}"),
        *(f"-dict={HERE / 'tokens.dict'}", str(kept), str(HERE / "corpus" / target)),
    )
    path = f"{ROOT}{os.pathsep}{ROOT / 'protos'}"
    with temporary() as scratch, TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        # libFuzzer ends a process without a word to anybody: its files are for us to clear away.
        environment = {**os.environ, "PYTHONPATH": path, PLACE: scratch}
        with Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=STDOUT) as process:
            try:
                code = process.wait(seconds + SPARE_S)
            except TimeoutExpired:
                process.kill()
                code = process.wait()
                output.write(f"it did not end within {seconds + SPARE_S} s")
        output.seek(0)
        said = output.read()
    runs, covered = _DONE.findall(said), _COVERED.findall(said)
    return Outcome(
        target,
        int(runs[-1]) if runs else 0,
        int(covered[-1]) if covered else 0,
        tuple(sorted(set(crashes.iterdir()) - before)),
        "" if code == 0 and runs else said,
    )


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what its user waits for


def tell(outcome: Outcome) -> None:
    say(f"{outcome.target:<14} {outcome.inputs:>10,} inputs  {outcome.covered:>6,} covered")
    if outcome.output:
        say("\n".join(outcome.output.splitlines()[-40:]))
    for path in outcome.failed:
        say(f"    python -m tests.fuzz.replay {outcome.target} {path.relative_to(ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    chosen = parser.parse_args()
    if find_spec("atheris") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        say(f"left out: coverage-guided fuzzing, for there is no atheris for Python {version} here")
        return
    targets = chosen.targets or TARGETS
    missing = [target for target in targets if not any(inputs("corpus", target))]
    assert not missing, f"without seeds: {missing}"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = []
        for outcome in pool.map(lambda target: fuzz(target, chosen.seconds), targets):
            tell(outcome)
            outcomes.append(outcome)
    sys.exit(any(outcome.output for outcome in outcomes))


if __name__ == "__main__":
    main()
