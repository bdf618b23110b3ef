"""``quarantine``: what made an actor fail, kept for inspection and refused."""

from __future__ import annotations

import click
from troupe.admin.v1.actor_service_pb2 import (
    DeleteExhibitsRequest,
    GetExhibitRequest,
    ListExhibitsRequest,
)

from admin.cli import diagnostics_views as views
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe quarantine",
        "troupe quarantine show 1 -o json > bug-report.json",
        "troupe quarantine clear",
    ),
)
@with_session
def quarantine(session: Session) -> None:
    """List what made an actor fail and is refused since."""
    if click.get_current_context().invoked_subcommand is None:
        _list(session)


@quarantine.command("list", epilog=examples("troupe quarantine list -o jsonl"))
@with_session
def list_(session: Session) -> None:
    """List the exhibits, as `troupe quarantine` alone does."""
    _list(session)


def _list(session: Session) -> None:
    client = session.client
    data = list(map(as_data, client.listing(client.actors.ListExhibits, ListExhibitsRequest())))
    session.output.many(data, views.exhibits(data))


@quarantine.command(epilog=examples("troupe quarantine show 1"))
@click.argument("number", type=click.IntRange(min=1))
@with_session
def show(session: Session, number: int) -> None:
    """Show one exhibit with its frames in hexadecimal."""
    client = session.client
    data = as_data(client.call(client.actors.GetExhibit, GetExhibitRequest(id=number)).exhibit)
    session.output.one(data, views.exhibit(data), *views.frames(data))


@quarantine.command(epilog=examples("troupe quarantine clear", "troupe quarantine clear 1"))
@click.argument("number", type=click.IntRange(min=1), required=False)
@with_session
def clear(session: Session, number: int | None) -> None:
    """Delete one exhibit, or all, and take such a message again when it comes."""
    client = session.client
    request = DeleteExhibitsRequest(id=number or 0)
    deleted = client.call(client.actors.DeleteExhibits, request).deleted_count
    session.output.one({"deleted_count": deleted}, f"deleted {deleted}")
