"""SECURITY.md names tests that exist, and leaves out none of the hostile and attack tests."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [
    line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| ---")
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`")
"""A file, a test in it, or, after either, another test in the same file."""


def named_in(row: str) -> set[tuple[str, str]]:
    """The tests of a row, file and name; without a name: the whole file."""
    found, file = set(), ""
    for path, name in NAMED.findall(row):
        file = path or file
        if path or name:
            found.add((file, name))
    return found


@cache
def named() -> frozenset[tuple[str, str]]:
    return frozenset(test for row in ROWS for test in named_in(row))


@cache
def functions_of(file: str) -> frozenset[str]:
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


def test_each_test_in_the_table_exists() -> None:
    tests = sorted(named())
    assert len(tests) > 100
    unknown = [
        f"{file}::{name}"
        for file, name in tests
        if not (name in functions_of(file) if name else functions_of(file))
    ]
    assert not unknown


def test_each_hostile_and_attack_test_is_in_the_table() -> None:
    files = [
        *(ROOT / "tests/hostile").glob("test_*.py"),
        *(ROOT / "tests/admin").glob("test_attack_*.py"),
    ]
    assert len(files) > 10
    relative = [path.relative_to(ROOT).as_posix() for path in files]
    missing = [
        f"{file}::{name}"
        for file in sorted(relative)
        if (file, "") not in named()
        for name in sorted(functions_of(file))
        if (file, name) not in named()
    ]
    assert not missing


def test_each_row_of_a_threat_names_a_test() -> None:
    threats = TEXT[TEXT.index("## Threats") : TEXT.index("## Longer runs")]
    rows = [line for line in threats.splitlines() if line.startswith("| ")]
    bodies = [line for line in rows if not line.startswith(("| ---", "| threat"))]
    assert len(bodies) > 30
    assert [line for line in bodies if not named_in(line)] == []
