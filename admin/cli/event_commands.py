"""``events``: what happens in the node, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from troupe.admin.v1.event_pb2 import Event, EventPosition, EventType
from troupe.admin.v1.event_service_pb2 import ListEventsRequest, WatchEventsRequest

from admin.cli import views
from admin.cli.client import Client, StreamError
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
        "troupe events",
        "troupe events --type tip-changed",
        "troupe events --list --after 120 -n 50",
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
    help="Begin with the event after this one of this run; 0: with the very first, if it is kept.",
)
@click.option("--list", "only_kept", is_flag=True, help="List the events that are kept, and end.")
@click.option(
    "-n",
    "limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --list: only the newest N, or with --after the first N. [default: all]",
)
@with_session
def events(
    session: Session,
    *,
    types: tuple[str, ...],
    after: int | None,
    only_kept: bool,
    limit: int | None,
) -> None:
    """Follow what happens in the node, or list what happened.

    Follows until the node stops or Ctrl-C.
    """
    if limit is not None and not only_kept:
        message = "-n goes with --list."
        raise click.UsageError(message)
    numbers = [EVENT_TYPES[word] for word in types]
    if only_kept:
        _list(session, numbers, after, limit)
        return
    request = WatchEventsRequest(types=numbers)
    if after is not None:
        request.resume_after.sequence = after
    for event in _follow(session.client, request):
        data = as_data(event)
        session.output.next(data, views.event(data))


def _list(
    session: Session, types: Sequence[EventType.ValueType], after: int | None, limit: int | None
) -> None:
    client = session.client
    request = ListEventsRequest(types=types)
    if after is not None:
        request.after.sequence = after
    if limit is not None and after is None:
        kept = client.listing(client.events.ListEvents, request)[-limit:]
    else:
        kept = client.listing(client.events.ListEvents, request, limit)
    data = [as_data(each) for each in kept]
    session.output.many(data, "\n".join(map(views.event, data)) or "No events are kept.")


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
