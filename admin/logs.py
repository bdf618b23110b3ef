"""The node's own log for outsiders: its loggers and their levels, and its records as they are made.

Whoever logs, on any thread, appends and goes on; all else happens on the server's event loop. Only our own
loggers are here, by whose rule nothing secret is ever logged (STYLE 12); what libraries log is not ours to
show. Must not live here: the log of a node on stderr (``admin.cli.logs``).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from troupe.admin.v1 import diagnostics_service_pb2, errors_pb2

from actors.runtime.tracebacks import traceback_of
from admin import convert
from admin.errors import Refusal
from admin.tap import Tap

ROOTS = ("actors", "admin")
"""Our two packages: every logger of ours is one of them or below."""
KEPT_RECORDS = 1_000
"""What a person scrolls back through; ``MAX_CHARS`` bounds each."""
MAX_INBOX = 2_000
"""Records on their way to the loop: only a loop that stands still for seconds lets so many gather."""
MAX_CHARS = 4_096
"""Of a message, and of a traceback: more is for the node's own log."""

LogLevel: TypeAlias = "diagnostics_service_pb2.LogLevel.ValueType"
_LEVELS: dict[LogLevel, int] = {
    diagnostics_service_pb2.LOG_LEVEL_CRITICAL: logging.CRITICAL,
    diagnostics_service_pb2.LOG_LEVEL_ERROR: logging.ERROR,
    diagnostics_service_pb2.LOG_LEVEL_WARNING: logging.WARNING,
    diagnostics_service_pb2.LOG_LEVEL_INFO: logging.INFO,
    diagnostics_service_pb2.LOG_LEVEL_DEBUG: logging.DEBUG,
}
"""From the most serious down."""


# -- loggers ----------------------------------------------------------------------------------------


def logger_names() -> Sequence[str]:
    """Every logger of ours, and every name above one, in order."""
    made = tuple(logging.root.manager.loggerDict)
    return sorted(
        {*ROOTS, *(name for name in made if any(is_within(name, root) for root in ROOTS))}
    )


def is_within(name: str, prefix: str) -> bool:
    """Whether a logger is that one or below it."""
    return name == prefix or name.startswith(prefix + ".")


def describe(name: str) -> diagnostics_service_pb2.Logger:
    """A logger as it is now."""
    logger = logging.getLogger(name)
    own = (
        level_of(logger.level)
        if logger.level != logging.NOTSET
        else diagnostics_service_pb2.LOG_LEVEL_INHERITED
    )
    return diagnostics_service_pb2.Logger(
        name=name, level=own, effective_level=level_of(logger.getEffectiveLevel())
    )


def set_level(name: str, level: LogLevel) -> None:
    """Give a logger a level of its own, or none. Any thread."""
    logging.getLogger(name).setLevel(_LEVELS.get(level, logging.NOTSET))


def level_of(number: int) -> LogLevel:
    """The level that a number of ``logging`` belongs to."""
    for level, least in _LEVELS.items():
        if number >= least:
            return level
    return diagnostics_service_pb2.LOG_LEVEL_DEBUG


# -- records ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record, and its number."""

    sequence: int
    record: logging.LogRecord
    message: str
    exception: str


class _Handler(logging.Handler):
    """What our loggers hand their records to: numbers them and passes them to the loop."""

    def __init__(self, hub: LogHub) -> None:
        super().__init__()
        self._hub = hub
        self._numbers = itertools.count(1)

    def emit(self, record: logging.LogRecord) -> None:
        """On the thread that logs, under this handler's lock, so that numbers arrive in order."""
        try:
            message = record.getMessage()[:MAX_CHARS]
            exception = _traceback_of(record)
        except Exception:  # noqa: BLE001 - a record that cannot be formatted harms nobody else
            self.handleError(record)
            return
        self._hub.receive(_Entry(next(self._numbers), record, message, exception))


class LogReader:
    """One reader: which records it wants, and the queue they wait in."""

    def __init__(self, level: LogLevel, prefix: str) -> None:
        self._level, self._prefix = level, prefix
        self.tap: Tap[diagnostics_service_pb2.LogRecord] = Tap("log")

    def wants(self, record: diagnostics_service_pb2.LogRecord) -> bool:
        above = record.level >= self._level  # the contract's levels ascend as the others do
        return above and (not self._prefix or is_within(record.logger, self._prefix))


class LogHub:
    """The kept records, and the readers. Only ``receive`` is called on other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._inbox: deque[_Entry] = deque(maxlen=MAX_INBOX)
        self._kept: deque[diagnostics_service_pb2.LogRecord] = deque(maxlen=KEPT_RECORDS)
        self._readers: set[LogReader] = set()
        self._waking = False
        self._newest = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Our loggers' records come here while the block runs."""
        handler = _Handler(self)
        for root in ROOTS:
            logging.getLogger(root).addHandler(handler)
        try:
            yield
        finally:
            for root in ROOTS:
                logging.getLogger(root).removeHandler(handler)

    def open(
        self, level: LogLevel, prefix: str, recent: int
    ) -> tuple[LogReader, Sequence[diagnostics_service_pb2.LogRecord]]:
        """A reader of what comes, and the newest kept records that it wants; :meth:`close` it."""
        self._distribute()
        reader = LogReader(level, prefix)
        wanted = (record for record in reversed(self._kept) if reader.wants(record))
        newest = list(itertools.islice(wanted, recent))
        self._readers.add(reader)
        return reader, newest[::-1]

    def close(self, reader: LogReader) -> None:
        self._readers.discard(reader)

    def receive(self, entry: _Entry) -> None:
        """The loggers' way in: on any thread, one at a time, and back at once."""
        self._inbox.append(entry)
        if not self._waking:
            self._waking = True
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody reads any more
                self._loop.call_soon_threadsafe(self._distribute)

    def _distribute(self) -> None:
        self._waking = False  # before the first look: what comes later wakes us again
        while self._inbox:
            entry = self._inbox.popleft()
            self._check_gap(entry.sequence)
            record = _converted(entry)
            self._kept.append(record)
            for reader in self._readers:
                if reader.wants(record):
                    reader.tap.offer(record)

    def _check_gap(self, sequence: int) -> None:
        """Numbers were skipped: the inbox overflowed, and every reader may have missed something."""
        missed = sequence - self._newest - 1
        self._newest = sequence
        if missed:
            for reader in self._readers:
                reader.tap.end(_overrun(missed))


def _converted(entry: _Entry) -> diagnostics_service_pb2.LogRecord:
    record = entry.record
    return diagnostics_service_pb2.LogRecord(
        sequence=entry.sequence,
        time=convert.timestamp(record.created),
        level=level_of(record.levelno),
        logger=record.name,
        thread=record.threadName or "",
        message=convert.legible(entry.message),
        exception=convert.legible(entry.exception),
    )


def _traceback_of(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else traceback_of(error)[-MAX_CHARS:]


def _overrun(missed: int) -> Refusal:
    message = f"the log came faster than it could be passed on: {missed} records are missing"
    return Refusal(errors_pb2.ERROR_REASON_SLOW_CONSUMER, message, dropped=str(missed))
