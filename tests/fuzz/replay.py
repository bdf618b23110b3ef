"""Inputs once more, as atheris left them.

python -m tests.fuzz.replay TARGET FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.inventory import load


def main() -> None:
    target, *files = sys.argv[1:]
    one_input = load(target)
    for file in files:
        one_input(Path(file).read_bytes())
        print(f"{file}: nothing is wrong")  # noqa: T201 - it is what was asked for


if __name__ == "__main__":
    main()
