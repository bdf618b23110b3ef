"""A stage for each test, and patience."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from admin.cli.client import Client
from tests.support.admin_stage import WAIT_S, AdminStage, staged


@pytest.fixture(autouse=True)
def _in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may take long to start, and a node to answer a command: how long is the machine's affair."""
    monkeypatch.setattr("admin.server.START_TIMEOUT_S", WAIT_S)
    defaults: Any = Client.call.__kwdefaults__
    monkeypatch.setitem(defaults, "deadline_s", WAIT_S)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[AdminStage]:
    """A running server in front of rooms that answer what a test says."""
    with staged(tmp_path) as running:
        yield running
