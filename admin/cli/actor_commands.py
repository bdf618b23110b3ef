"""``actors``: what the node is made of, and the restart of one."""

from __future__ import annotations

import click
from troupe.admin.v1.actor_service_pb2 import (
    ACTOR_STATE_RUNNING,
    GetActorRequest,
    ListActorsRequest,
    RestartActorRequest,
)

from admin.cli import diagnostics_views as views
from admin.cli.exits import CliError
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe actors",
        "troupe actors show chain",
        "troupe actors restart gossip",
        "troupe actors -o json | jq '.[] | select(.failed_count > 0)'",
    ),
)
@with_session
def actors(session: Session) -> None:
    """List the node's actors, show one, or restart one."""
    if click.get_current_context().invoked_subcommand is None:
        _list(session)


@actors.command("list", epilog=examples("troupe actors list -o jsonl"))
@with_session
def list_(session: Session) -> None:
    """List the actors, as `troupe actors` alone does."""
    _list(session)


def _list(session: Session) -> None:
    client = session.client
    listed = client.listing(client.actors.ListActors, ListActorsRequest())
    data = list(map(as_data, listed))
    session.output.many(data, views.actors(data))


@actors.command(epilog=examples("troupe actors show chain"))
@click.argument("name")
@with_session
def show(session: Session, name: str) -> None:
    """Show one actor."""
    client = session.client
    data = as_data(client.call(client.actors.GetActor, GetActorRequest(name=name)).actor)
    session.output.one(data, views.actor(data))


@actors.command(
    epilog=examples(
        "troupe actors restart gossip",
        "troupe actors restart chain     # and with it mempool and miner",
    )
)
@click.argument("name")
@with_session
def restart(session: Session, name: str) -> None:
    """Restart an actor, with those that restart with it; bring back one that failed too often."""
    client = session.client
    answer = client.call(client.actors.RestartActor, RestartActorRequest(name=name))
    data = [as_data(each) for each in answer.actors]
    session.output.many(data, views.actors(data))
    for each in answer.actors:
        if each.state != ACTOR_STATE_RUNNING:
            message = f"{each.name} is not up: {each.last_error or 'its group failed'}"
            raise CliError(message)
