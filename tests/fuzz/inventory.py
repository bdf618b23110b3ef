"""Which targets there are, and where their inputs lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = tuple(
    sorted(path.stem for path in (HERE / "targets").glob("*.py") if path.stem != "__init__")
)

OneInput = Callable[[bytes], None]


def load(target: str) -> OneInput:
    """What a target does with one input."""
    one_input: OneInput = import_module(f"tests.fuzz.targets.{target}").one_input
    return one_input


def inputs(folder: str, target: str) -> Iterator[Path]:
    """The files of a target in ``corpus`` or ``crashes``, in one order everywhere."""
    yield from sorted((HERE / folder / target).glob("*"))
