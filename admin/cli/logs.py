"""The log of a node on stderr: one line format, short names."""

from __future__ import annotations

import logging
import sys
from typing import Any

from actors.runtime.tracebacks import traceback_of

_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(place)-9s %(message)s"
_TIME = "%H:%M:%S"


class _Formatter(logging.Formatter):
    """One line a record, tracebacks excepted."""

    def format(self, record: logging.LogRecord) -> str:
        record.place = place_of(record.name)
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Without what a peer could fill the log with: each fall that it causes is a traceback."""
        error: BaseException | None = ei[1]
        return super().formatException(ei) if error is None else traceback_of(error).rstrip("\n")


def place_of(logger: str) -> str:
    """Who speaks: the room of ``actors.chain.sync`` is the chain."""
    package, _, rest = logger.partition(".")
    if package == "actors" and rest:
        return rest.split(".", 1)[0]
    return "troupe" if rest.startswith("cli") else package


def log_to_stderr(level: str) -> None:
    """Write what our own packages log from this level on; of libraries, warnings only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_FORMAT, _TIME))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    set_log_level(level)


def set_log_level(level: str) -> None:
    """The least of what our own packages log, from now on. From any thread."""
    for package in ("actors", "admin"):
        logging.getLogger(package).setLevel(level.upper())
