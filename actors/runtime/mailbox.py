"""The mailbox of an actor: a queue that outlives the incarnation reading it, and its statistics.

Pykka ties an inbox to one actor object and drops what is queued when that object dies. Here the
mailbox belongs to the *name*: a restarted actor goes on with the letter behind the one that felled it.
"""

from __future__ import annotations

import contextlib
import queue
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

HISTOGRAM_BUCKETS = 32
"""Powers of two of microseconds: 2^31 us is over half an hour, longer than any handler may live."""


class ActorDownError(Exception):
    """The asked actor is stopped for good, or fell while it handled the question."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the {name} actor is down")
        self.name = name


class Letter:
    """One message on its way, when it was posted, and where its asker waits (None for a tell).

    Has the two attributes of a Pykka envelope, so that Pykka's own stop message fits in beside it.
    """

    __slots__ = ("message", "posted_s", "reply_to")

    def __init__(self, message: Any, posted_s: float, reply_to: Future[Any] | None = None) -> None:
        self.message = message
        self.posted_s = posted_s
        self.reply_to = reply_to


@dataclass(frozen=True, slots=True)
class MailboxReport:
    """A snapshot of one actor's work. Times in seconds; quantiles are upper bounds of a power of two."""

    depth: int
    age_s: float
    handled: int
    failed: int
    dropped: int
    handling_p50_s: float
    handling_p99_s: float


class Mailbox:
    """FIFO of letters for one actor name, safe to post to from any thread, read by one thread.

    Unbounded by itself: the bound is kept at the edges (read credits per connection, a limited number
    of admin calls), because a bounded mailbox would make a teller wait for another actor.
    """

    def __init__(self, name: str, now_s: Callable[[], float]) -> None:
        self.name = name
        self.wake: Callable[[], None] | None = None
        self._now_s = now_s
        self._letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._closed = False
        self._current_posted_s: float | None = None
        self._waiting_since_s: deque[float] = deque()
        self._handled = self._failed = self._dropped = 0
        self._histogram = [0] * HISTOGRAM_BUCKETS

    def post(self, message: Any, reply_to: Future[Any] | None = None) -> None:
        """Queue a message. On a closed mailbox a tell is counted as dropped and an ask fails at once."""
        if self._closed:
            self._refuse(reply_to)
            return
        now_s = self._now_s()
        self._waiting_since_s.append(now_s)  # before the letter, whose reader takes it away
        self._letters.put(Letter(message, now_s, reply_to))
        if self.wake is not None:
            self.wake()

    def put(self, envelope: Any) -> None:
        """Pykka's way in, used by its own stop message."""
        self.post(envelope.message, envelope.reply_to)

    def get(self) -> Letter:
        """The oldest letter; waits for one. Only the actor that owns the mailbox calls this."""
        letter = self._letters.get()
        self._waiting_since_s.popleft()
        return letter

    def empty(self) -> bool:
        return self._letters.empty()

    def qsize(self) -> int:
        return self._letters.qsize()

    def close(self) -> None:
        """Refuse what comes from now on and what is still queued; the name is not coming back."""
        self._closed = True
        while not self._letters.empty():
            self._refuse(self.get().reply_to)

    @property
    def closed(self) -> bool:
        return self._closed

    def begin(self, letter: Letter) -> float:
        """Note that handling starts; returns the time that :meth:`finish` wants back."""
        self._current_posted_s = letter.posted_s
        return self._now_s()

    def finish(self, begun_s: float, *, failed: bool) -> None:
        self._current_posted_s = None
        self._handled += 1
        self._failed += failed
        microseconds = int((self._now_s() - begun_s) * 1e6)
        self._histogram[min(microseconds.bit_length(), HISTOGRAM_BUCKETS - 1)] += 1

    def report(self) -> MailboxReport:
        """Any thread. The age is that of the letter being handled, which is the oldest, or else of the
        first that waits.
        """
        since_s = self._current_posted_s
        if since_s is None:
            with contextlib.suppress(IndexError):  # none waits
                since_s = self._waiting_since_s[0]
        return MailboxReport(
            depth=self._letters.qsize(),
            age_s=0.0 if since_s is None else max(0.0, self._now_s() - since_s),
            handled=self._handled,
            failed=self._failed,
            dropped=self._dropped,
            handling_p50_s=self._quantile_s(0.50),
            handling_p99_s=self._quantile_s(0.99),
        )

    def _quantile_s(self, share: float) -> float:
        wanted = share * sum(self._histogram)
        seen = 0
        for bits, count in enumerate(self._histogram):
            seen += count
            if count and seen >= wanted:
                return float(1 << bits) / 1e6
        return 0.0

    def _refuse(self, reply_to: Future[Any] | None) -> None:
        self._dropped += 1
        if reply_to is not None and reply_to.set_running_or_notify_cancel():
            reply_to.set_exception(ActorDownError(self.name))
