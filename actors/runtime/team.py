"""Threads for work that lets go of the interpreter: the same function over many items, on all cores.

Python runs on one core at a time; what a library computes without the interpreter (a signature, a hash of
much) runs on as many as there are threads. Must not live here: what the work is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

SHARE = 16
"""Most items handed to a thread at once: some milliseconds of work, beside which the handing over is nothing."""
MIN_SHARE = 4
"""The same of few items: half a millisecond, several times what the handing over takes."""
FEW_SHARES = 4
"""Into so many few items are divided, that all threads have some."""


class Team(Protocol):
    """Who does the work. How much is under way is its askers' to bound."""

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The results in order of the items. The caller's thread works along until all is done; what
        ``work`` raises comes through.
        """

    def begin(
        self,
        work: Callable[[T], R],
        items: Sequence[T],
        done: Callable[[list[R] | Exception], None],
    ) -> None:
        """The same in the background. ``done`` gets the results, or what ``work`` raised, on any thread:
        all that it may do there is tell.
        """


class Alone:
    """No threads: everything at once, where it is asked for. For simulation and tools."""

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        return list(map(work, items))

    def begin(
        self,
        work: Callable[[T], R],
        items: Sequence[T],
        done: Callable[[list[R] | Exception], None],
    ) -> None:
        try:
            results = self.map(work, items)
        except Exception as error:  # noqa: BLE001 - it is the asker's
            done(error)
        else:
            done(results)


class ThreadTeam:
    """A fixed number of threads, shared by all who ask."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "troupe-team")

    def close(self) -> None:
        """What is under way is finished, what waits is not begun and its ``done`` never called."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        first, *others = _shares(items)
        waiting = [(self._pool.submit(_run, work, share), share) for share in others]
        results = [_run(work, first)]
        mine: list[list[R]] = []
        while waiting and waiting[-1][0].cancel():  # nobody came to it: it is ours
            mine.append(_run(work, waiting.pop()[1]))
        results += [future.result() for future, _ in waiting]
        results += reversed(mine)
        return [each for share in results for each in share]

    def begin(
        self,
        work: Callable[[T], R],
        items: Sequence[T],
        done: Callable[[list[R] | Exception], None],
    ) -> None:
        futures = [self._pool.submit(_run, work, share) for share in _shares(items)]
        lock, missing = Lock(), len(futures)

        def one_done(_future: Future[list[R]]) -> None:
            nonlocal missing
            with lock:
                missing -= 1
                if missing:
                    return
            if not any(future.cancelled() for future in futures):
                done(_gathered(futures))

        for future in futures:
            future.add_done_callback(one_done)


def _shares(items: Sequence[T]) -> list[Sequence[T]]:
    """At least one, which may be empty."""
    share = min(SHARE, max(MIN_SHARE, -(-len(items) // FEW_SHARES)))
    return [items[at : at + share] for at in range(0, max(1, len(items)), share)]


def _run(work: Callable[[T], R], share: Sequence[T]) -> list[R]:
    return list(map(work, share))


def _gathered(futures: Sequence[Future[list[R]]]) -> list[R] | Exception:
    try:
        return [each for future in futures for each in future.result()]
    except Exception as error:  # noqa: BLE001 - it is the asker's
        return error
