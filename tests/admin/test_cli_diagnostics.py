"""``actors``, ``events --list``, ``logs``, ``loggers`` and ``metrics`` against a scripted node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import (
    actor_service_pb2,
    diagnostics_service_pb2,
    errors_pb2,
    event_pb2,
    event_service_pb2,
)

from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.unit.cli.shell import Shell, shell_of_a_node

CHAIN = actor_service_pb2.Actor(
    name="chain",
    state=actor_service_pb2.ACTOR_STATE_RUNNING,
    mailbox_depth=2,
    mailbox_age_s=0.0015,
    handled_count=7_000,
    restart_count=1,
    requested_restart_count=2,
    restart_group=["chain", "mempool", "miner"],
)
DOWN = actor_service_pb2.Actor(
    name="mempool",
    state=actor_service_pb2.ACTOR_STATE_RESTARTING,
    last_error="OSError in on_start: disk full",
)
RECORD = diagnostics_service_pb2.WatchLogsResponse(
    record=diagnostics_service_pb2.LogRecord(
        sequence=4,
        level=diagnostics_service_pb2.LOG_LEVEL_WARNING,
        logger="actors.chain.sync",
        message="a peer lags",
    )
)
STARTED = diagnostics_service_pb2.WatchLogsResponse(
    started=diagnostics_service_pb2.WatchLogsStarted()
)
STOPPING = Refusal(errors_pb2.ERROR_REASON_STOPPING, "the node is stopping")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def test_actors_are_listed_with_and_without_the_word(shell: Shell) -> None:
    shell.answers(ListActors=actor_service_pb2.ListActorsResponse(actors=[CHAIN, DOWN]))
    text = shell("actors").stdout
    assert text == shell("actors list").stdout
    row = " ".join(text.splitlines()[1].split())
    assert row == "chain running 2 1.50 ms 7,000 0 0 3 0.00 ms 0.00 ms"
    assert "disk full" in text
    assert shell.data("actors")[0]["requested_restart_count"] == 2
    assert len(shell("actors list -o jsonl").stdout.splitlines()) == 2


def test_an_actor_is_shown(shell: Shell) -> None:
    shell.answers(GetActor=actor_service_pb2.GetActorResponse(actor=CHAIN))
    text = shell("actors show chain").stdout
    assert "1 by failure, 2 by request" in text
    assert "chain, mempool, miner" in text
    assert shell.data("actors show chain")["name"] == "chain"
    assert {request.name for request in shell.node.asked("GetActor")} == {"chain"}


def test_an_actor_that_is_none_is_not_found(shell: Shell) -> None:
    missing = Refusal(errors_pb2.ERROR_REASON_ACTOR_NOT_FOUND, "there is no actor 'x'")
    shell.answers(GetActor=missing, RestartActor=missing)
    for line in ("actors show x", "actors restart x"):
        result = shell(line)
        assert result.exit_code == ExitCode.NOT_FOUND
        assert "there is no actor 'x' [ACTOR_NOT_FOUND]" in result.stderr


def test_an_actor_is_restarted_with_its_group(shell: Shell) -> None:
    answer = actor_service_pb2.RestartActorResponse(actors=[CHAIN])
    shell.answers(RestartActor=answer)
    assert "chain  running" in shell("actors restart chain").stdout
    assert [each["name"] for each in shell.data("actors restart chain")] == ["chain"]


def test_an_actor_that_does_not_come_up_is_an_error(shell: Shell) -> None:
    shell.answers(RestartActor=actor_service_pb2.RestartActorResponse(actors=[CHAIN, DOWN]))
    result = shell("actors restart chain")
    assert result.exit_code == ExitCode.FAILED
    assert "mempool is not up: OSError in on_start: disk full" in result.stderr


def test_kept_events_are_listed_over_all_pages(shell: Shell) -> None:
    def page(
        request: event_service_pb2.ListEventsRequest,
    ) -> event_service_pb2.ListEventsResponse:
        number = int(request.page_token or 1)
        event = event_pb2.Event(sequence=number, type=event_pb2.EVENT_TYPE_MINING_STARTED)
        token = "" if number == 3 else str(number + 1)
        return event_service_pb2.ListEventsResponse(events=[event], next_page_token=token)

    shell.answers(ListEvents=page)
    assert [event["sequence"] for event in shell.data("events --list")] == [1, 2, 3]
    assert len(shell("events --list --after 5 --type mining-started -n 2").stdout.splitlines()) == 2
    asked = shell.node.asked("ListEvents")[-1]
    assert (asked.after.sequence, list(asked.types)) == (5, [event_pb2.EVENT_TYPE_MINING_STARTED])
    assert not shell.node.asked("ListEvents")[0].HasField("after")


def test_no_kept_events_are_said_and_a_limit_needs_a_list(shell: Shell) -> None:
    shell.answers(ListEvents=event_service_pb2.ListEventsResponse())
    assert shell("events --list").stdout == "No events are kept.\n"
    assert shell("events -n 5").exit_code == ExitCode.USAGE


def test_logs_shows_what_is_kept_and_ends(shell: Shell) -> None:
    shell.answers(WatchLogs=[RECORD, STARTED, RECORD])
    (line,) = shell("logs").stdout.splitlines()
    assert line.split()[1:] == ["WARNING", "actors.chain.sync", "a", "peer", "lags"]
    (asked,) = shell.node.asked("WatchLogs")
    assert asked.level == diagnostics_service_pb2.LOG_LEVEL_DEBUG
    assert (asked.logger, asked.recent_count) == ("", 100)


def test_logs_are_followed_until_the_node_stops(shell: Shell) -> None:
    shell.answers(WatchLogs=[RECORD, STARTED, RECORD, STOPPING])
    result = shell("logs --follow --level warning --logger actors.chain -n 3 -o jsonl")
    assert result.exit_code == 0, result.stderr
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [4, 4]
    (asked,) = shell.node.asked("WatchLogs")
    assert asked.level == diagnostics_service_pb2.LOG_LEVEL_WARNING
    assert (asked.logger, asked.recent_count) == ("actors.chain", 3)


def test_logs_that_fell_behind_are_an_error(shell: Shell) -> None:
    slow = Refusal(errors_pb2.ERROR_REASON_SLOW_CONSUMER, "too slow", dropped="7")
    shell.answers(WatchLogs=[STARTED, RECORD, slow])
    result = shell("logs -f")
    assert result.exit_code == ExitCode.TRY_AGAIN
    assert "too slow [SLOW_CONSUMER]" in result.stderr


def test_the_loggers_are_listed(shell: Shell) -> None:
    loggers = [
        diagnostics_service_pb2.Logger(
            name="actors",
            level=diagnostics_service_pb2.LOG_LEVEL_INFO,
            effective_level=diagnostics_service_pb2.LOG_LEVEL_INFO,
        ),
        diagnostics_service_pb2.Logger(
            name="actors.chain",
            level=diagnostics_service_pb2.LOG_LEVEL_INHERITED,
            effective_level=diagnostics_service_pb2.LOG_LEVEL_INFO,
        ),
    ]
    shell.answers(ListLoggers=diagnostics_service_pb2.ListLoggersResponse(loggers=loggers))
    lines = shell("loggers").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["LOGGER", "LEVEL", "OWN"],
        ["actors", "info", "info"],
        ["actors.chain", "info"],
    ]
    assert shell.data("loggers")[1]["level"] == "inherited"


def test_the_level_of_a_logger_is_set(shell: Shell) -> None:
    logger = diagnostics_service_pb2.Logger(
        name="actors.chain",
        level=diagnostics_service_pb2.LOG_LEVEL_DEBUG,
        effective_level=diagnostics_service_pb2.LOG_LEVEL_DEBUG,
    )
    shell.answers(UpdateLogger=diagnostics_service_pb2.UpdateLoggerResponse(logger=logger))
    result = shell("loggers set actors.chain debug")
    assert result.stdout == "actors.chain logs from debug on.\n"
    assert shell.data("loggers set actors.chain debug")["level"] == "debug"
    asked = shell.node.asked("UpdateLogger")[0]
    assert (asked.name, asked.level) == ("actors.chain", diagnostics_service_pb2.LOG_LEVEL_DEBUG)
    assert shell("loggers set actors.chain loud").exit_code == ExitCode.USAGE


def test_the_metrics_are_written_as_they_are(shell: Shell) -> None:
    text = "# TYPE a gauge\na 1.0\n# EOF\n"
    shell.answers(GetMetrics=diagnostics_service_pb2.GetMetricsResponse(text=text))
    assert shell("metrics").stdout == text
    assert shell.data("metrics") == {"text": text}
