"""The mailbox of an actor: a queue that outlives the incarnation reading it, and its statistics.

Pykka ties an inbox to one actor object and drops what is queued when that object dies. Here the
mailbox belongs to the *name*: a restarted actor goes on with the letter behind the one that felled it.
Who only looks does not queue: his question is answered next, whatever peers have sent before.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import frexp, ldexp
from typing import Any, NamedTuple

SHORTEST_S = 2.0**-20
"""About a microsecond: what is shorter is counted with it."""
HISTOGRAM_BUCKETS = 64
"""Powers of two of seconds, the negative ones from the end: 2^31 s is longer than any handler lives."""


class ActorDownError(Exception):
    """The asked actor is stopped for good, or fell while it handled the question."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the {name} actor is down")
        self.name = name


class Letter(NamedTuple):
    """One message on its way, when it was posted, and where its asker waits (None for a tell). A tuple
    for speed.
    """

    message: Any
    posted_s: float
    reply_to: Future[Any] | None


@dataclass(frozen=True, slots=True)
class MailboxReport:
    """A snapshot of one actor's work. Times in seconds; quantiles are upper bounds of a power of two."""

    depth: int
    age_s: float
    handled: int
    failed: int
    lost: int
    """Messages that were never dealt with, since they felled the actor: a batch of so many counts as many."""
    dropped: int
    handling_p50_s: float
    handling_p99_s: float


class Mailbox:
    """FIFO of letters for one actor name, safe to post to from any thread, read by one thread; and a second one
    of letters that are read ahead of it, by turns, so that neither has the other wait for more than a letter.

    Unbounded by itself: the bound is kept at the edges (read credits per connection, a limited number
    of admin calls), because a bounded mailbox would make a teller wait for another actor.

    Attributes:
        wake: Called after a post, on the teller's thread, unless ``is_ready``.
        is_ready: Its reader knows of letters and will come. A reader that uses it sets it in ``wake``, and
            takes it back *before* it looks: a teller posts first and looks at it second, so one of the two
            sees the other.
    """

    __slots__ = (
        "_ahead",
        "_closed",
        "_current",
        "_dropped",
        "_failed",
        "_handled",
        "_histogram",
        "_is_turn_ahead",
        "_letters",
        "_lost",
        "_now_s",
        "is_ready",
        "name",
        "wake",
    )

    def __init__(self, name: str, now_s: Callable[[], float]) -> None:
        self.name = name
        self.wake: Callable[[], None] = _wake_nobody
        self.is_ready = False
        self._now_s = now_s
        self._letters: deque[Letter] = deque()
        self._ahead: deque[Letter] = deque()
        self._is_turn_ahead = True
        self._closed = False
        self._current: Letter | None = None
        self._handled = self._failed = self._lost = self._dropped = 0
        self._histogram = [0] * HISTOGRAM_BUCKETS

    def post(self, message: Any, reply_to: Future[Any] | None = None) -> None:
        """Queue a message. On a closed mailbox a tell is counted as dropped and an ask fails at once."""
        # As Letter(...), without the detour over its generated __new__: every message passes here.
        self._letters.append(tuple.__new__(Letter, (message, self._now_s(), reply_to)))
        if self._closed:  # looked at last: who closes meanwhile refuses it, or we do
            self._refuse_all()
        elif not self.is_ready:
            self.wake()

    def post_ahead(self, message: Any, reply_to: Future[Any] | None = None) -> None:
        """Like :meth:`post`, to be read ahead of what was posted before."""
        self._ahead.append(Letter(message, self._now_s(), reply_to))
        if self._closed:
            self._refuse_all()
        elif not self.is_ready:
            self.wake()

    def put(self, envelope: Any) -> None:
        """Pykka's way in, used by its own stop message."""
        self.post(envelope.message, envelope.reply_to)

    def get(self) -> Letter:
        """The next letter, of at least one, to be handled now. Only the thread that reads the mailbox
        calls this.
        """
        if self._ahead and (self._is_turn_ahead or not self._letters):
            self._is_turn_ahead = False
            letter = self._current = self._ahead.popleft()
        else:
            self._is_turn_ahead = True
            letter = self._current = self._letters.popleft()
        return letter

    @property
    def in_hand(self) -> Letter | None:
        """The letter that is being handled. Any thread; only its own knows for how much longer."""
        return self._current

    @property
    def handled(self) -> int:
        """How many letters were handled. Any thread."""
        return self._handled

    def put_back(self, messages: Sequence[Any]) -> None:
        """Let these be handled next, in this order, in the place of the letter that was handled last: nobody
        reads the mailbox at the time.
        """
        now_s = self._now_s()
        came_ahead = not self._is_turn_ahead
        place = self._ahead if came_ahead else self._letters
        place.extendleft(Letter(message, now_s, None) for message in reversed(messages))
        self._is_turn_ahead = came_ahead
        if self._closed:
            self._refuse_all()

    def take_out(self, is_unwanted: Callable[[Any, float], bool]) -> list[Any]:
        """Take out what nobody waits for and nobody wants, by message and age in seconds, and with it the
        questions whose askers have left: nobody reads the mailbox at the time.
        """
        now_s = self._now_s()
        taken: list[Any] = []
        for letters in (self._ahead, self._letters):
            kept: list[Letter] = []
            for each in [letters.popleft() for _ in range(len(letters))]:
                if each.reply_to is None and is_unwanted(each.message, now_s - each.posted_s):
                    taken.append(each.message)
                elif each.reply_to is None or not each.reply_to.cancelled():
                    kept.append(each)
            letters.extendleft(reversed(kept))
        return taken

    def count_lost(self, messages: int) -> None:
        """So many messages are given up, as they felled the actor. One thread calls this."""
        self._lost += messages

    def empty(self) -> bool:
        return not (self._letters or self._ahead)

    def qsize(self) -> int:
        return len(self._letters) + len(self._ahead)

    def close(self) -> None:
        """Refuse what comes from now on and what is still queued; the name is not coming back."""
        self._closed = True
        self._refuse_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def finish(self, begun_s: float, *, failed: bool = False) -> float:
        """Note that the letter in hand is handled; the time now."""
        now_s = self._now_s()
        self._current = None
        self._handled += 1
        self._failed += failed
        _, power = frexp(now_s - begun_s + SHORTEST_S)
        self._histogram[power] += 1
        return now_s

    def report(self) -> MailboxReport:
        """Any thread. The age is that of the oldest letter that is being handled or waits."""
        in_hand = self._current
        oldest = [] if in_hand is None else [in_hand]
        for letters in (self._letters, self._ahead):
            with contextlib.suppress(IndexError):  # none waits
                oldest.append(letters[0])
        now_s = self._now_s()
        since_s = min((letter.posted_s for letter in oldest), default=now_s)
        return MailboxReport(
            depth=self.qsize(),
            age_s=max(0.0, now_s - since_s),
            handled=self._handled,
            failed=self._failed,
            lost=self._lost,
            dropped=self._dropped,
            handling_p50_s=self._quantile_s(0.50),
            handling_p99_s=self._quantile_s(0.99),
        )

    def _quantile_s(self, share: float) -> float:
        wanted = share * sum(self._histogram)
        seen = 0
        for power in range(-HISTOGRAM_BUCKETS // 2, HISTOGRAM_BUCKETS // 2):
            seen += self._histogram[power]
            if self._histogram[power] and seen >= wanted:
                return ldexp(1.0, power)
        return 0.0

    def _refuse_all(self) -> None:
        for letters in (self._letters, self._ahead):
            with contextlib.suppress(IndexError):  # none is left
                while True:
                    self._refuse(letters.popleft().reply_to)

    def _refuse(self, reply_to: Future[Any] | None) -> None:
        self._dropped += 1
        if reply_to is not None and reply_to.set_running_or_notify_cancel():
            reply_to.set_exception(ActorDownError(self.name))


def _wake_nobody() -> None:
    """Before somebody reads it, or where he comes by himself."""
