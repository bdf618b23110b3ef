"""A stage for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.admin_stage import AdminStage, staged


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[AdminStage]:
    """A running server in front of rooms that answer what a test says."""
    with staged(tmp_path) as running:
        yield running
