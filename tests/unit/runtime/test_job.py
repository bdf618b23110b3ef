from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from actors.runtime.job import Job, JobEndedError, JobStalledError

WAIT_S = 30.0


def started(work: Callable[[Job[int]], None], *, stall_s: float = WAIT_S) -> Job[int]:
    return Job("test", work, lambda: None, stall_s=stall_s)


def read(job: Job[int]) -> int | None:
    return job.next_soon().result(WAIT_S)


def test_the_reader_gets_every_item_and_then_nothing() -> None:
    def work(job: Job[int]) -> None:
        for n in range(3):
            job.emit(n)

    job = started(work)
    assert [read(job) for _ in range(5)] == [0, 1, 2, None, None]
    assert job.join(WAIT_S)


def test_the_work_is_never_more_than_one_item_ahead() -> None:
    made: list[int] = []
    enough = threading.Event()

    def work(job: Job[int]) -> None:
        for n in range(100):
            made.append(n)
            if n == 2:
                enough.set()
            job.emit(n)

    job = started(work)
    assert [read(job), read(job)] == [0, 1]
    assert enough.wait(WAIT_S)
    assert made == [0, 1, 2]
    job.end()
    assert job.join(WAIT_S)
    assert made == [0, 1, 2]


@pytest.mark.parametrize("fails", [False, True])
def test_who_waits_for_its_end_learns_of_it_after_its_starter(fails: bool) -> None:
    told: list[str] = []

    def work(job: Job[int]) -> None:
        job.emit(1)
        if fails:
            raise OSError

    job = Job("test", work, lambda: told.append("the starter"), stall_s=WAIT_S)
    job.gone.add_done_callback(lambda _gone: told.append("who waits"))
    assert not job.gone.done()
    job.end()
    job.gone.result(WAIT_S)
    assert job.join(WAIT_S)
    assert told == ["the starter", "who waits"]


def test_what_the_work_raises_is_raised_at_its_reader() -> None:
    def work(job: Job[int]) -> None:
        job.emit(1)
        message = "a damaged disk"
        raise OSError(message)

    job = started(work)
    assert read(job) == 1
    with pytest.raises(OSError, match="damaged"):
        read(job)
    with pytest.raises(OSError, match="damaged"):
        read(job)


@pytest.mark.parametrize("reading", [False, True])
def test_work_whose_reader_left_ends(reading: bool) -> None:
    raised: list[type[BaseException]] = []

    def work(job: Job[int]) -> None:
        try:
            while True:
                job.emit(1)
        except JobEndedError as error:
            raised.append(type(error))
            raise

    job = started(work)
    if reading:
        assert read(job) == 1
    job.end()
    assert job.join(WAIT_S)
    assert raised == [JobEndedError]


def test_work_that_is_asked_for_nothing_gives_up() -> None:
    job = started(lambda job: job.emit(1), stall_s=0.001)
    assert job.join(WAIT_S)
    with pytest.raises(JobStalledError):
        read(job)


def test_an_item_goes_to_a_reader_who_still_waits() -> None:
    begin = threading.Event()

    def work(job: Job[int]) -> None:
        begin.wait(WAIT_S)
        job.emit(1)

    job = started(work)
    left, stays = job.next_soon(), job.next_soon()
    assert left.cancel()
    begin.set()
    assert stays.result(WAIT_S) == 1


def test_who_is_told_of_the_end_finds_the_job_gone() -> None:
    gone: list[str] = []
    job: Job[int] = Job("test", lambda _job: None, lambda: gone.append("gone"))
    assert read(job) is None
    assert gone == ["gone"]
