"""Command lines, run in this process against a scripted node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from admin.cli.main import cli
from tests.unit.cli.fake_node import Answer, FakeNode


class Shell:
    """Runs command lines against the fake node."""

    def __init__(self, node: FakeNode, directory: Path) -> None:
        self.node, self.directory = node, directory

    def __call__(self, line: str, **env: str) -> Result:
        environment = {"TROUPE_DATA_DIR": str(self.directory), **env}
        return CliRunner().invoke(cli, line.split(), env=environment)

    def data(self, line: str) -> Any:
        result = self(f"{line} -o json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def answers(self, **answers: Answer) -> None:
        self.node.answers.update(answers)


@contextmanager
def shell_of_a_node(directory: Path) -> Iterator[Shell]:
    node = FakeNode()
    node.serve(directory)
    try:
        yield Shell(node, directory)
    finally:
        node.stop()
