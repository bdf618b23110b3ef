"""``status``, ``actors``, ``stop`` and ``events``: the node as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import click
from troupe.admin.v1.actor_service_pb2 import ListActorsRequest
from troupe.admin.v1.event_pb2 import Event, EventPosition, EventType
from troupe.admin.v1.event_service_pb2 import WatchEventsRequest
from troupe.admin.v1.node_service_pb2 import GetNodeRequest, ShutdownNodeRequest

from admin.cli import views
from admin.cli.client import Client, StreamError, pages
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session

_PREFIX = "EVENT_TYPE_"
_FRAME = ("watch-started", "node-stopping")
EVENT_TYPES = {
    name.removeprefix(_PREFIX).lower().replace("_", "-"): number
    for name, number in EventType.items()
    if number
}
"""The types by the words that people type; the two that frame a stream come without being asked for."""


@click.command(
    epilog=examples(
        "troupe status",
        "troupe status --data-dir ~/nodes/two",
        "troupe status -o json | jq .tip.number",
    )
)
@with_session
def status(session: Session) -> None:
    """Show the node at a glance."""
    client = session.client
    data = as_data(client.call(client.node.GetNode, GetNodeRequest()).node)
    session.output.one(data, views.node(data))


@click.command(
    epilog=examples("troupe actors", "troupe actors -o json | jq '.[] | select(.failed_count > 0)'")
)
@with_session
def actors(session: Session) -> None:
    """List the node's actors: mailboxes, failures, restarts."""
    client = session.client

    def fetch(size: int, token: str) -> tuple[list[object], str]:
        request = ListActorsRequest(page_size=size, page_token=token)
        answer = client.call(client.actors.ListActors, request)
        return list(answer.actors), answer.next_page_token

    data = [as_data(each) for each in pages(fetch, None)]
    session.output.many(data, views.actors(data))


@click.command(epilog=examples("troupe stop --data-dir ~/nodes/two"))
@with_session
def stop(session: Session) -> None:
    """Stop the node in order, as Ctrl-C does."""
    client = session.client
    client.call(client.node.ShutdownNode, ShutdownNodeRequest())
    session.output.one(
        {"address": client.address, "stopping": True}, f"The node at {client.address} is stopping."
    )


@click.command(
    epilog=examples(
        "troupe events",
        "troupe events --type tip-changed",
        "troupe events -o jsonl | jq -r 'select(.type == \"peer-connected\").peer_connected.address'",
    )
)
@click.option(
    "--type",
    "types",
    type=click.Choice([word for word in EVENT_TYPES if word not in _FRAME]),
    multiple=True,
    help="Only events of this type; may be given again.",
)
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="SEQUENCE",
    help="Begin with the event after this one of this run; 0: with the oldest that is kept.",
)
@with_session
def events(session: Session, types: tuple[str, ...], after: int | None) -> None:
    """Follow what happens in the node, until it stops or Ctrl-C."""
    request = WatchEventsRequest(types=[EVENT_TYPES[word] for word in types])
    if after is not None:
        request.resume_after.sequence = after
    for event in _follow(session.client, request):
        data = as_data(event)
        session.output.next(data, views.event(data))


def _follow(client: Client, request: WatchEventsRequest) -> Iterator[Event]:
    """The events until the node stops; a stream that fell behind is resumed without loss."""
    while True:
        stopping = False
        try:
            for response in client.stream(client.events.WatchEvents, request):
                yield response.event
                stopping = response.event.HasField("node_stopping")
        except StreamError as error:
            if stopping:
                return
            resume = error.failure.metadata
            if error.reason != "SLOW_CONSUMER" or "sequence" not in resume:
                raise
            request.resume_after.CopyFrom(
                EventPosition(epoch=resume.get("epoch", ""), sequence=int(resume["sequence"]))
            )
        else:
            return
