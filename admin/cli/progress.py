"""A progress bar on stderr, where a person sees it; nothing anywhere else.

Where the output is JSON lines, the progress of a node's job goes there as well, a line each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from admin.cli.options import Format
from admin.cli.output import Data, Output

BYTES = "bytes"
"""The noun that is counted in kB, MB and so on."""


class _Rate(ProgressColumn):
    """1,234 blocks/s."""

    def __init__(self, noun: str) -> None:
        super().__init__()
        self._noun = noun

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self._noun}/s")


@contextmanager
def progress(label: str, total: int | None, noun: str) -> Iterator[Callable[..., None]]:
    """Show a bar while the block runs; it yields ``advance(done, total=None)``, for any thread."""
    with _bars() as bars:
        yield _line(bars, label, total, noun)


@contextmanager
def job(output: Output, label: str) -> Iterator[Callable[[Data], None]]:
    """Show how far a node's job is; it yields what takes each ``JobProgress`` of it, as data.

    A job that goes on to count something else gets another bar in the place of the one before.
    """
    with _bars() as bars:
        shown: dict[str, Callable[..., None]] = {}

        def show(data: Data) -> None:
            noun = data["unit"]
            if noun not in shown:
                shown.clear()
                for task in bars.task_ids:
                    bars.remove_task(task)
                shown[noun] = _line(bars, label, None, noun)
            shown[noun](data["done_count"], data["total_count"] or None)
            if output.form is Format.JSONL:
                output.next({"progress": data}, "")

        yield show


@contextmanager
def _bars() -> Iterator[Progress]:
    # Not what rich takes for a terminal: the environment can make it call a pipe one.
    hidden = not sys.stderr.isatty()
    with Progress(console=Console(file=sys.stderr), transient=True, disable=hidden) as bars:
        yield bars


def _line(bars: Progress, label: str, total: int | None, noun: str) -> Callable[..., None]:
    bars.columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *_count(noun),
        TimeRemainingColumn(),
    )
    task = bars.add_task(label, total=total)

    def advance(done: int, total: int | None = None) -> None:
        known: dict[str, Any] = {} if total is None else {"total": total}
        bars.update(task, completed=done, **known)

    return advance


def _count(noun: str) -> tuple[ProgressColumn, ...]:
    if noun == BYTES:
        return DownloadColumn(), TransferSpeedColumn()
    return MofNCompleteColumn(), TextColumn(noun), _Rate(noun)
