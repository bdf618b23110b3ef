"""What is shown of actors, loggers and log records; pure, from the dictionaries of ``output`` to its views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from admin.cli.output import Columns, Facts
from admin.cli.text import clock_time, count

Data = Mapping[str, Any]

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}


def actors(data: Sequence[Data]) -> Columns:
    """The actors and how they do."""
    heads = (
        "ACTOR",
        "STATE",
        ">WAITING",
        ">AGE",
        ">HANDLED",
        ">FAILED",
        ">RESTARTS",
        ">P50",
        ">P99",
    )
    return Columns(
        (*heads, "LAST ERROR"),
        tuple(
            (
                each["name"],
                each["state"],
                count(each["mailbox_depth"]),
                _milliseconds(each["mailbox_age_s"]),
                count(each["handled_count"]),
                count(each["failed_count"]),
                count(each["restart_count"] + each["requested_restart_count"]),
                _milliseconds(each["handling_p50_s"]),
                _milliseconds(each["handling_p99_s"]),
                each["last_error"],
            )
            for each in data
        ),
        "The node has no actors.",
    )


def actor(data: Data) -> Facts:
    """An actor and its work."""
    group = ", ".join(data["restart_group"])
    failed, requested = data["restart_count"], data["requested_restart_count"]
    return Facts(
        (
            ("actor", data["name"]),
            ("state", data["state"]),
            (
                "waiting",
                f"{count(data['mailbox_depth'])}, the oldest for {_milliseconds(data['mailbox_age_s'])}",
            ),
            ("handled", f"{count(data['handled_count'])}, {count(data['failed_count'])} failed"),
            ("refused", count(data["dropped_count"])),
            ("half within", _milliseconds(data["handling_p50_s"])),
            ("99% within", _milliseconds(data["handling_p99_s"])),
            ("restarts", f"{count(failed)} by failure, {count(requested)} by request"),
            ("restarts with", group or "nobody restarts it"),
            *((("last error", data["last_error"]),) if data["last_error"] else ()),
        )
    )


def loggers(data: Sequence[Data]) -> Columns:
    """The loggers and their levels."""
    return Columns(
        ("LOGGER", "LEVEL", "OWN"),
        tuple(
            (
                each["name"],
                each["effective_level"],
                "" if each["level"] == "inherited" else each["level"],
            )
            for each in data
        ),
        "The node has no loggers.",
    )


def record(data: Data) -> str:
    """A log record in a line, and its traceback below."""
    level = click.style(f"{data['level'].upper():<8}", fg=_COLOURS.get(data["level"]))
    line = f"{clock_time(data['time'])}  {level}  {data['logger']:<26}  {data['message']}"
    return f"{line}\n{data['exception']}".rstrip()


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms"
