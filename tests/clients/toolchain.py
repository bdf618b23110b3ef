"""Which tools of other languages this machine has, and the builds that they make.

A test whose tools are missing is skipped with a sentence that says so, unless ``TROUPE_REQUIRE_CLIENTS`` is
set: then it fails. What is built stays where it is, and is built anew only when what it is made from has
changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.process import ROOT

REQUIRED: Final = bool(os.environ.get("TROUPE_REQUIRE_CLIENTS"))
BUILD_TIMEOUT_S: Final = 900.0
"""Everything fetched and compiled for the first time, on two slow cores that do something else besides."""
TOOLS: Final = ROOT / "build" / "tools"
STAMPS: Final = ROOT / "build" / "clients"
MADE: Final = {"dist", "gen", "node_modules", "target", "troupe-client"}
"""What the builds make: no source of theirs."""
_ENVIRONMENT: Final = {
    **{name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}},
    "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}",
}


@dataclass(frozen=True)
class Tool:
    """A command that must be there, at a version that can build our clients."""

    command: str
    version: tuple[str, ...]
    least: tuple[int, int]

    def lacking(self) -> str | None:
        """What is wrong with it, or None."""
        wanted = f"{self.command} {self.least[0]}.{self.least[1]} or newer"
        if shutil.which(self.command) is None:
            return f"this machine has no {self.command} (it takes {wanted})"
        said = self.say_version()
        found = re.search(r"(\d+)\.(\d+)", said)
        if found is None or (int(found[1]), int(found[2])) < self.least:
            return f"it takes {wanted}, and this machine's says {said.splitlines()[:1]}"
        return None

    def say_version(self) -> str:
        done = subprocess.run(
            (self.command, *self.version), capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr


GO: Final = Tool("go", ("version",), (1, 24))
NODE: Final = Tool("node", ("--version",), (20, 0))
NPM: Final = Tool("npm", ("--version",), (9, 0))
JAVAC: Final = Tool("javac", ("-version",), (17, 0))
MAVEN: Final = Tool("mvn", ("--version",), (3, 8))
CARGO: Final = Tool("cargo", ("--version",), (1, 88))


@dataclass(frozen=True)
class Client:
    """A client in another language: what builds it, and how it is run, in its own directory."""

    language: str
    tools: tuple[Tool, ...]
    builds: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return ROOT / "tests" / "clients" / self.language


CLIENTS: Final = (
    Client(
        "go",
        (GO,),
        (("go", "generate", "./..."), ("go", "build", "-o", "troupe-client", ".")),
        ("./troupe-client",),
    ),
    Client(
        "typescript",
        (NODE, NPM),
        (("npm", "ci", "--no-audit", "--no-fund"), ("npm", "run", "build")),
        ("node", "dist/src/main.js"),
    ),
    Client(
        "java",
        (JAVAC, MAVEN),
        (("mvn", "--batch-mode", "--no-transfer-progress", "--quiet", "package"),),
        ("java", "-jar", "target/troupe-client.jar"),
    ),
    Client(
        "rust",
        (CARGO,),
        (("cargo", "build", "--locked", "--quiet"),),
        ("target/debug/troupe-client",),
    ),
)


def need(what: str, *tools: Tool) -> None:
    """Skip the test, or fail it if nothing may be left out, unless all tools are there."""
    for tool in tools:
        if (lacking := tool.lacking()) is not None:
            sentence = f"{what} is left out: {lacking}"
            if REQUIRED:
                pytest.fail(sentence)
            pytest.skip(sentence)


def go_tool(name: str) -> Path:
    """The path of a tool that the Makefile pins, installed if need be."""
    need(name, GO)
    path = TOOLS / name
    run_to_end(("make", "--silent", str(path.relative_to(ROOT))), cwd=ROOT)
    return path


def build(client: Client) -> None:
    """See to it that the client is there and made from what is there now."""
    need(f"the {client.language} client", *client.tools)
    stamp, digest = STAMPS / client.language, _digest(client)
    if stamp.is_file() and stamp.read_text() == digest and _built(client).is_file():
        return
    if GO in client.tools:
        go_tool("buf")  # `go generate` calls it
    for command in client.builds:
        run_to_end(command, cwd=client.folder)
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest)


def run_to_end(command: tuple[str, ...], *, cwd: Path) -> None:
    """Run a step of a build, which must succeed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def _built(client: Client) -> Path:
    return client.folder / client.run[-1]


def _digest(client: Client) -> str:
    """Of all that the client is made from: the protos, its own sources, and the tools."""
    digest = hashlib.sha256()
    for tool in client.tools:
        digest.update(tool.say_version().encode())
    for path in (*sorted((ROOT / "protos").rglob("*.proto")), *sorted(_sources(client.folder))):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in MADE:
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path
