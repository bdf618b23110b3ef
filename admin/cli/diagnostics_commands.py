"""``logs``, ``loggers`` and ``metrics``: what the node's process says of itself."""

from __future__ import annotations

import click
from troupe.admin.v1.diagnostics_service_pb2 import (
    GetMetricsRequest,
    ListLoggersRequest,
    LogLevel,
    UpdateLoggerRequest,
    WatchLogsRequest,
)

from admin.cli import diagnostics_views as views
from admin.cli.client import StreamError
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session

_LEVELS = {
    name.removeprefix("LOG_LEVEL_").lower(): number for name, number in LogLevel.items() if number
}
"""The levels by the words that people type."""
_RECENT = 100
_MAX_RECENT = 1_000


@click.command(
    epilog=examples(
        "troupe logs",
        "troupe logs --follow --level warning",
        "troupe logs -n 1000 --logger actors.chain",
        "troupe logs -f -o jsonl | jq -r .message",
    )
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option(
    "-n",
    "recent",
    type=click.IntRange(0, _MAX_RECENT),
    default=_RECENT,
    metavar="N",
    show_default=True,
    help="How many of the newest kept records to begin with.",
)
@click.option(
    "--level",
    type=click.Choice([word for word in _LEVELS if word != "inherited"]),
    default="debug",
    help="Only records of this level or above. [default: all that are made]",
)
@click.option(
    "--logger", metavar="NAME", default="", help="Only of this logger and those below it."
)
@with_session
def logs(session: Session, *, follow: bool, recent: int, level: str, logger: str) -> None:
    """Show what the node logged last, or follow its log.

    `troupe loggers set` says how much it logs.
    """
    client = session.client
    request = WatchLogsRequest(level=_LEVELS[level], logger=logger, recent_count=recent)
    try:
        for response in client.stream(client.diagnostics.WatchLogs, request):
            if response.HasField("record"):
                data = as_data(response.record)
                session.output.next(data, views.record(data))
            elif not follow:
                return
    except StreamError as error:
        if error.reason != "STOPPING":
            raise


@click.group(
    invoke_without_command=True,
    epilog=examples("troupe loggers", "troupe loggers set actors.chain debug"),
)
@with_session
def loggers(session: Session) -> None:
    """List the node's loggers and their levels, or set one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    client = session.client
    listed = client.listing(client.diagnostics.ListLoggers, ListLoggersRequest())
    data = list(map(as_data, listed))
    session.output.many(data, views.loggers(data))


@loggers.command(
    "set",
    epilog=examples(
        "troupe loggers set actors.chain debug",
        "troupe loggers set actors.chain inherited     # as the one above it again",
    ),
)
@click.argument("name")
@click.argument("level", type=click.Choice(list(_LEVELS)))
@with_session
def set_(session: Session, name: str, level: str) -> None:
    """Set the level of a logger and of those below it, until the node stops."""
    client = session.client
    request = UpdateLoggerRequest(name=name, level=_LEVELS[level])
    data = as_data(client.call(client.diagnostics.UpdateLogger, request).logger)
    session.output.one(data, f"{name} logs from {data['effective_level']} on.")


@click.command(
    epilog=examples(
        "troupe metrics",
        "troupe metrics > /var/lib/node_exporter/troupe.prom",
        "troupe metrics | grep ^troupe_chain_height",
    )
)
@with_session
def metrics(session: Session) -> None:
    """Show the node's metrics in the OpenMetrics text format."""
    client = session.client
    answer = client.call(client.diagnostics.GetMetrics, GetMetricsRequest())
    session.output.one(as_data(answer), answer.text.removesuffix("\n"))
