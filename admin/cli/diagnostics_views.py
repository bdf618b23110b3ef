"""What is shown of actors, loggers and log records; pure, from the dictionaries of ``output`` to its views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from admin.cli.link_views import printable
from admin.cli.output import Columns, Facts
from admin.cli.text import clock_time, count, local_time

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
        ">LOST",
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
                count(each["lost_count"]),
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
            ("lost", count(data["lost_count"])),
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


def exhibits(data: Sequence[Data]) -> Columns:
    """What is in quarantine, a line each."""
    return Columns(
        (">ID", "TIME", "ACTOR", "LETTER", "PEER", ">BYTES", "ERROR"),
        tuple(
            (
                str(each["id"]),
                local_time(each["time"]),
                each["actor"],
                each["letter"],
                each["peer"] or "unknown",
                count(each["size_bytes"]),
                printable((each["error"].splitlines() or [""])[-1]),
            )
            for each in data
        ),
        "The quarantine is empty.",
    )


def exhibit(data: Data) -> Facts:
    """An exhibit, without its frames."""
    return Facts(
        (
            ("exhibit", str(data["id"])),
            ("time", local_time(data["time"])),
            ("actor", data["actor"]),
            ("letter", data["letter"]),
            ("peer", data["peer"] or "unknown"),
            ("version", data["version"]),
            ("refused", data["fingerprint"] or "no: it could not be tried again"),
        )
    )


def frames(data: Data) -> Sequence[str]:
    """The error, and what was sent, in full; an error may quote what a stranger sent."""
    error = "\n".join(map(printable, data["error"].rstrip().splitlines()))
    sent = (f"{printable(each['kind']) or 'frame'} {each['payload']}" for each in data["frames"])
    return (error, "\n".join(sent))
