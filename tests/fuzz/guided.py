"""One target under atheris, which changes inputs so that they reach new code.

    python -m tests.fuzz.guided TARGET [options of libFuzzer] [folders of inputs]

Ends at the first input that fails, and leaves it where ``-artifact_prefix`` says.
"""

from __future__ import annotations

import logging
import sys

import atheris

from tests.fuzz.inventory import load


def main() -> None:
    program, target, *options = sys.argv
    logging.getLogger().addHandler(logging.NullHandler())  # what a node says is of no use here
    with atheris.instrument_imports(include=["actors", "admin"]):
        one_input = load(target)
    atheris.Setup([program, *options], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
