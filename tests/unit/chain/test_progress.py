"""How far the room is in getting the chains of others."""

import logging

import pytest

from actors.chain.messages import SyncProgress, SyncState
from actors.chain.progress import LOG_EVERY_S, WINDOW_S, Progress
from actors.runtime.clock import FakeClock


class Sync:
    """A download of so many blocks in steps of time."""

    def __init__(self, left: int = 1_000) -> None:
        self.clock, self.left = FakeClock(), left
        self.progress = Progress(self.clock)
        self.look()

    def look(self) -> None:
        self.progress.look(SyncState.DOWNLOADING, "downloading", self.left)

    def get(self, blocks: int, seconds: float) -> None:
        self.clock.advance(seconds)
        self.progress.note(blocks)
        self.left -= blocks
        self.look()

    def end(self) -> None:
        self.progress.look(SyncState.IDLE, "", 0)


def test_idle_there_is_none() -> None:
    sync = Sync()
    sync.end()
    assert sync.progress.report() is None
    assert sync.progress.state is SyncState.IDLE


def test_it_tells_what_is_done_the_total_the_rate_and_the_time_left() -> None:
    sync = Sync()
    for _ in range(4):
        sync.get(100, 0.5)
    assert sync.progress.report() == SyncProgress(400, 1_000, 200.0, 3.0)


def test_before_anything_has_come_no_time_left_is_known() -> None:
    assert Sync().progress.report() == SyncProgress(0, 1_000, 0.0, None)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    sync = Sync(100_000)
    for _ in range(30):
        sync.get(1_000, 1.0)
    for _ in range(int(WINDOW_S)):
        sync.get(10, 1.0)
    report = sync.progress.report()
    assert report is not None
    assert report.blocks_per_s == 10.0


def test_while_nothing_comes_the_rate_goes_down() -> None:
    sync = Sync()
    sync.get(100, 1.0)
    sync.clock.advance(9.0)
    report = sync.progress.report()
    assert report is not None
    assert report.blocks_per_s == 10.0
    assert report.left_s == 90.0


def test_another_activity_begins_anew() -> None:
    sync = Sync()
    sync.get(100, 1.0)
    sync.progress.look(SyncState.WALKING_BACK, "walking back", 7)
    assert sync.progress.report() == SyncProgress(0, 7, 0.0, None)


def test_the_log_says_so_at_the_start_every_few_seconds_and_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sync = Sync()
    for _ in range(10):
        sync.get(100, LOG_EVERY_S / 4)
    sync.end()
    assert [record.message for record in caplog.records] == [
        "downloading: 1000 blocks to go",
        "downloading: 400 of 1000 blocks, 80/s, 8 s left",
        "downloading: 800 of 1000 blocks, 80/s, 2 s left",
        "downloading ended: 1000 blocks in 12.5 s, 80/s",
    ]


def test_a_single_block_is_not_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sync = Sync(1)
    sync.get(1, 1.0)
    sync.end()
    assert caplog.records == []
