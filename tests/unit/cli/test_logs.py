"""The node's log on stderr."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from admin.cli.logs import log_to_stderr


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written there; the loggers are as before in the end."""
    loggers = [logging.getLogger(name) for name in ("", "actors", "admin")]
    levels = [logger.level for logger in loggers]
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log_to_stderr("info")
    yield written
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_a_line_says_who_speaks(stderr: io.StringIO) -> None:
    logging.getLogger("actors.chain.sync").info("a tip %d", 7)
    assert stderr.getvalue().endswith(" INFO    chain     a tip 7\n")


def test_of_an_exception_no_peer_can_fill_the_log_with_what_it_says(
    stderr: io.StringIO,
) -> None:
    error = KeyError(bytes(2**20))
    logging.getLogger("actors.runtime.supervisor").error("it fell", exc_info=error)
    text = stderr.getvalue()
    assert "it fell\nKeyError: b'\\x00" in text
    assert len(text) < 4_096
