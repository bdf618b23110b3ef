"""The node's log for outsiders: what is kept, who wants what, and that whoever logs never waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
from troupe.admin.v1 import diagnostics_service_pb2, errors_pb2

from admin.errors import Refusal
from admin.logs import (
    KEPT_RECORDS,
    MAX_CHARS,
    MAX_INBOX,
    LogHub,
    LogLevel,
    LogReader,
    describe,
    level_of,
    logger_names,
    set_level,
)
from admin.tap import MAX_QUEUED

DEBUG, INFO = diagnostics_service_pb2.LOG_LEVEL_DEBUG, diagnostics_service_pb2.LOG_LEVEL_INFO
WARNING, ERROR = diagnostics_service_pb2.LOG_LEVEL_WARNING, diagnostics_service_pb2.LOG_LEVEL_ERROR
ALL = diagnostics_service_pb2.LOG_LEVEL_UNSPECIFIED
INHERITED = diagnostics_service_pb2.LOG_LEVEL_INHERITED
SCENE = logging.getLogger("actors.a_scene.sync")
OTHER = logging.getLogger("admin.a_scene")
TOP = "actors.a_scene"


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    for logger in (SCENE, OTHER):
        logger.setLevel(logging.DEBUG)
    yield
    for name in (SCENE.name, OTHER.name, TOP):
        logging.getLogger(name).setLevel(logging.NOTSET)


def play(scene: Callable[[LogHub], Awaitable[None]]) -> None:
    """A scene on a loop, with a hub that listens."""

    async def on_loop() -> None:
        hub = LogHub(asyncio.get_running_loop())
        with hub.listening():
            await scene(hub)

    asyncio.run(on_loop())


def kept(hub: LogHub, level: LogLevel = ALL, prefix: str = "", recent: int = 10) -> list[str]:
    reader, records = hub.open(level, prefix, recent)
    hub.close(reader)
    return [record.message for record in records]


async def take(reader: LogReader, count: int) -> list[diagnostics_service_pb2.LogRecord]:
    return [await anext(reader.tap) for _ in range(count)]


def test_a_reader_begins_with_the_newest_kept_records_and_goes_on_without_a_gap() -> None:
    async def scene(hub: LogHub) -> None:
        for number in range(5):
            SCENE.info("old %d", number)
        reader, recent = hub.open(ALL, "", 2)
        SCENE.info("new")
        (new,) = await take(reader, 1)
        assert [record.message for record in recent] == ["old 3", "old 4"]
        assert (new.message, new.sequence) == ("new", 6)

    play(scene)


def test_a_record_tells_who_logged_what_and_where() -> None:
    async def scene(hub: LogHub) -> None:
        thread = threading.Thread(target=SCENE.warning, args=("of %s", "a peer"), name="thread-x")
        thread.start()
        thread.join()
        _, (record,) = hub.open(ALL, "", 1)
        assert (record.logger, record.thread, record.level) == (SCENE.name, "thread-x", WARNING)
        assert (record.message, record.exception) == ("of a peer", "")
        assert record.time.seconds > 1_500_000_000

    play(scene)


def test_an_exception_comes_with_its_traceback() -> None:
    async def scene(hub: LogHub) -> None:
        SCENE.error("it failed", exc_info=OSError(28))
        _, (record,) = hub.open(ALL, "", 1)
        assert record.level == ERROR
        assert record.exception == "OSError: 28\n"

    play(scene)


def test_readers_get_only_the_levels_and_loggers_that_they_want() -> None:
    async def scene(hub: LogHub) -> None:
        SCENE.debug("a detail")
        SCENE.error("a fault")
        OTHER.warning("elsewhere")
        assert kept(hub) == ["a detail", "a fault", "elsewhere"]
        assert kept(hub, WARNING) == ["a fault", "elsewhere"]
        assert kept(hub, prefix=TOP) == ["a detail", "a fault"]
        assert kept(hub, prefix="actors.a_sce") == []
        assert kept(hub, INFO, TOP, recent=1) == ["a fault"]

    play(scene)


def test_the_kept_records_are_bounded_and_so_is_each() -> None:
    async def scene(hub: LogHub) -> None:
        for number in range(KEPT_RECORDS + 5):
            SCENE.info("%d", number)
        SCENE.info("x" * (2 * MAX_CHARS))
        messages = kept(hub, recent=2 * KEPT_RECORDS)
        assert len(messages) == KEPT_RECORDS
        assert messages[0] == "6"
        assert messages[-1] == "x" * MAX_CHARS

    play(scene)


def test_a_reader_that_falls_behind_gets_what_waited_and_then_slow_consumer() -> None:
    async def scene(hub: LogHub) -> None:
        slow, _ = hub.open(ALL, "", 0)
        brisk, _ = hub.open(ALL, "", 0)
        for number in range(MAX_QUEUED + 50):
            SCENE.info("%d", number)
            if number % 100 == 0:
                await take(brisk, 1 if number == 0 else 100)
        assert len(await take(slow, MAX_QUEUED)) == MAX_QUEUED
        with pytest.raises(Refusal) as caught:
            await take(slow, 1)
        assert caught.value.reason == errors_pb2.ERROR_REASON_SLOW_CONSUMER
        assert len(await take(brisk, 49)) == 49

    play(scene)


def test_a_loop_that_stands_still_costs_bounded_memory_and_its_readers_are_told() -> None:
    async def scene(hub: LogHub) -> None:
        reader, _ = hub.open(ALL, "", 0)
        for number in range(MAX_INBOX + 10):
            SCENE.info("%d", number)
        with pytest.raises(Refusal) as caught:
            await take(reader, MAX_INBOX)
        assert caught.value.reason == errors_pb2.ERROR_REASON_SLOW_CONSUMER
        assert caught.value.metadata == {"dropped": "10"}

    play(scene)


def test_whoever_logs_goes_on_when_the_loop_is_closed() -> None:
    loop = asyncio.new_event_loop()
    hub = LogHub(loop)
    loop.close()
    with hub.listening():
        SCENE.info("to nobody")


def test_a_record_that_cannot_be_formatted_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging, "lastResort", None)

    async def scene(hub: LogHub) -> None:
        with _alone(SCENE):
            SCENE.info("%d of", "no number")
        SCENE.info("fine")
        assert kept(hub) == ["fine"]

    play(scene)
    assert "Logging error" in capsys.readouterr().err


@contextlib.contextmanager
def _alone(logger: logging.Logger) -> Iterator[None]:
    """Nothing above our packages hears it: the test's own capture would fail the test."""
    root = logging.getLogger(logger.name.split(".", 1)[0])
    root.propagate = False
    try:
        yield
    finally:
        root.propagate = True


def test_text_that_is_no_unicode_is_shown_escaped() -> None:
    async def scene(hub: LogHub) -> None:
        SCENE.info("%s", b"a\xff".decode("utf-8", "surrogateescape"))
        assert kept(hub) == ["a\\udcff"]

    play(scene)


def test_after_the_server_stopped_nothing_listens() -> None:
    before = [list(logging.getLogger(root).handlers) for root in ("actors", "admin")]

    async def scene(_hub: LogHub) -> None:
        assert [len(logging.getLogger(root).handlers) for root in ("actors", "admin")] == [
            len(handlers) + 1 for handlers in before
        ]

    play(scene)
    assert [logging.getLogger(root).handlers for root in ("actors", "admin")] == before


def test_only_our_loggers_are_there_and_those_above_them() -> None:
    logging.getLogger("grpc.a_scene")
    names = logger_names()
    assert {"actors", "admin", TOP, SCENE.name, OTHER.name} <= set(names)
    assert not [name for name in names if not name.startswith(("actors", "admin"))]
    assert names == sorted(names)


def test_a_level_holds_for_the_loggers_below_that_have_none_of_their_own() -> None:
    SCENE.setLevel(logging.NOTSET)
    set_level(TOP, ERROR)
    assert (describe(TOP).level, describe(TOP).effective_level) == (ERROR, ERROR)
    assert (describe(SCENE.name).level, describe(SCENE.name).effective_level) == (INHERITED, ERROR)
    set_level(SCENE.name, DEBUG)
    assert describe(SCENE.name).effective_level == DEBUG
    set_level(SCENE.name, INHERITED)
    assert describe(SCENE.name).effective_level == ERROR


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, DEBUG), (10, DEBUG), (15, DEBUG), (20, INFO), (35, WARNING), (40, ERROR)],
)
def test_a_number_belongs_to_the_level_at_or_below_it(number: int, level: int) -> None:
    assert level_of(number) == level
