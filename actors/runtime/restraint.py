"""Log lines about what others do, few enough that nobody can fill a disk with them.

Pure; time comes by parameter. Must not live here: what is worth a line.
"""

from __future__ import annotations

import logging

from actors.runtime.pace import Bucket

LINES_AT_ONCE = 20
LINES_PER_S = 0.2
"""A day's lines of one sort are then 17,000, some 2 MiB, whoever does what how often."""


class Restraint:
    """Lines of one sort, over all peers. What is left out is counted, and the next line says how much."""

    def __init__(
        self, log: logging.Logger, *, rate: float = LINES_PER_S, burst: int = LINES_AT_ONCE
    ) -> None:
        self._log, self._rate, self._burst = log, rate, burst
        self._bucket: Bucket | None = None
        self.left_out = 0
        """Lines since the last that was written."""

    def warning(self, now_s: float, text: str, *arguments: object) -> None:
        """Write the line as a warning, or count it."""
        self._write(logging.WARNING, now_s, text, arguments)

    def info(self, now_s: float, text: str, *arguments: object) -> None:
        """The same of a line that is none."""
        self._write(logging.INFO, now_s, text, arguments)

    def _write(self, level: int, now_s: float, text: str, arguments: tuple[object, ...]) -> None:
        if self._bucket is None:
            self._bucket = Bucket(self._rate, self._burst, now_s)
        if not self._bucket.take(now_s):
            self.left_out += 1
            return
        if self.left_out:
            text, arguments = text + " (and %d such lines left out)", (*arguments, self.left_out)
            self.left_out = 0
        self._log.log(level, text, *arguments)
