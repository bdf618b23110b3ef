"""Where every thread is, and what every actor does: for people who ask why a node stands still.

Looks, and waits for nobody: no actor, no lock of theirs, no disk. Must not live here: when it is asked for (the command
line's signals).
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from types import FrameType

from actors.runtime.mailbox import Mailbox
from actors.runtime.runner import ThreadRunner

MAX_FRAMES = 64
"""Of a stack, the innermost ones: deeper is recursion."""


def where_is(runner: ThreadRunner, mailbox: Mailbox) -> str:
    """The stack of the thread that reads a mailbox."""
    ident = dict(runner.mailboxes()).get(mailbox)
    frame = sys._current_frames().get(ident) if ident is not None else None  # noqa: SLF001 - public by its docs
    return "it has no thread" if frame is None else _stack(frame)


def dump(runner: ThreadRunner | None) -> str:
    """Every thread with its actors, the letter that each has in hand, and its stack; None: nobody plays yet."""
    actors: defaultdict[int | None, list[str]] = defaultdict(list)
    for mailbox, ident in runner.mailboxes() if runner is not None else ():
        actors[ident].append(_line(mailbox))
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(_threads(names, actors))


def _threads(names: dict[int | None, str], actors: dict[int | None, list[str]]) -> Iterator[str]:
    frames = sys._current_frames()  # noqa: SLF001 - public by its docs
    yield f"--- {len(frames)} threads"
    for ident, frame in frames.items():
        yield f"thread {names.get(ident, 'of a library')} ({ident:#x})"
        yield from actors.pop(ident, ())
        yield _stack(frame)
    for lines in actors.values():
        yield from (f"{line}; it has no thread" for line in lines)
    yield "--- end of threads"


def _line(mailbox: Mailbox) -> str:
    """What an actor does now, as far as one can see from outside."""
    letter, report = mailbox.in_hand, mailbox.report()
    doing = "rests" if letter is None else f"handles {type(letter.message).__name__}"
    return (
        f"  actor {mailbox.name}: {doing}, {report.depth} letters wait, the oldest is"
        f" {report.age_s:.3f} s old, {report.handled} handled, {report.failed} failed"
    )


def _stack(frame: FrameType) -> str:
    """As in a traceback, but for the lines of the sources, which are on the disk."""
    calls = islice(traceback.walk_stack(frame), MAX_FRAMES)
    lines = [
        f'  File "{each.f_code.co_filename}", line {line}, in {each.f_code.co_name}'
        for each, line in calls
    ]
    return "\n".join(reversed(lines))
