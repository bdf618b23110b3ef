"""The node that hostile peers try themselves at: one each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile import Arena


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """At its end it must be sound (see `Arena`)."""
    with Arena(tmp_path / "node") as arena:
        yield arena
