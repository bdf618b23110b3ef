"""The lines of the cookbook and the README can be typed: their commands, options and methods are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from admin.cli.main import cli
from admin.permissions import PERMISSIONS

ROOT = Path(__file__).resolve().parents[3]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "admin/COOKBOOK.md")}
LINES = [
    line.strip().removeprefix("$ ")
    for page in PAGES.values()
    for block in re.findall(r"```(?:console|sh)\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines()
    if re.match(r"\s*(?:\$ )?(?:troupe|grpcurl|timeout) ", line)
]
COMMANDS = [
    part.strip()
    for line in LINES
    for part in re.split(r"\||;|\$\(|\)|&$", line.split(" #")[0])
    if part.strip().startswith("troupe ") and not re.match(r"troupe \d", part.strip())
]
METHODS = sorted(set(re.findall(r"troupe\.admin\.v1\.(\w+[/.]\w+)", "".join(PAGES.values()))))


def test_the_cookbook_has_twenty_lines_of_both_kinds() -> None:
    lines = re.findall(r"^\$ (troupe|grpcurl) ", PAGES["admin/COOKBOOK.md"], re.MULTILINE)
    assert min(lines.count("troupe"), lines.count("grpcurl")) >= 10
    assert len(lines) >= 20


@pytest.mark.parametrize("line", COMMANDS)
def test_a_line_of_the_command_can_be_typed(line: str) -> None:
    command: click.Command = cli
    flags = set(_flags(cli))
    for word in shlex.split(line.replace("...", ""))[1:]:
        if word.startswith("-"):
            assert word.split("=")[0] in flags, f"{word} of {command.name}"
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                continue  # the value of an option
            command = found
            flags |= set(_flags(command))
    assert command is not cli or "--help" in line, "it names no command"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_is_named_is_served(name: str) -> None:
    service, method = re.split(r"[/.]", name)
    known = {each.rsplit("/", 1)[0] for each in PERMISSIONS}
    full = f"/troupe.admin.v1.{service}"
    assert f"{full}/{method}" in PERMISSIONS or (method == "" and full in known)


def _flags(command: click.Command) -> list[str]:
    return [
        "--help",
        *(flag for each in command.params for flag in (*each.opts, *each.secondary_opts)),
    ]
