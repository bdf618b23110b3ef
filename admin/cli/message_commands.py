"""``messages``: what passes on the connections to peers, and sending any of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Final

import click
from troupe.admin.v1.messaging_service_pb2 import (
    BroadcastMessageRequest,
    GetMessagingRequest,
    SendMessageRequest,
    SendRequestRequest,
    WatchMessagesRequest,
)

from admin.cli import link_views
from admin.cli.client import DEADLINE_S, StreamError
from admin.cli.content import bytes_of
from admin.cli.help import examples
from admin.cli.output import Data, as_data
from admin.cli.params import Hex, HostPort, Kind, NumberRange
from admin.cli.session import Session, with_session
from admin.cli.text import plural

MAX_TIMEOUT_S: Final = 60.0
"""ADMIN_API: the longest wait for a response."""
MAX_SHOWN_BYTES: Final = 4_096
"""ADMIN_API: the longest beginning of a payload in a trace."""
OVERTIME_S: Final = 2 * DEADLINE_S
"""The node decides within half of it, and says that there was no response."""


class Target(Kind):
    """A peer as ``host:port``, or a connection by its id: the keyword of a request."""

    name = "peer"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        text = str(value)
        if text.isdecimal() and 0 < int(text) < 2**63:
            return {"connection_id": int(text)}
        return {"peer_address": HostPort(any_port=False).convert(text, param, ctx)}


_TARGET = click.argument("target", type=Target(), metavar="HOST:PORT|CONNECTION")
_KIND = click.argument("kind")


def _with_payload(function: Callable[..., None]) -> Callable[..., None]:
    """Give a function its ``payload`` in bytes, by any of the three ways that there are to state it."""

    def body(*args: Any, payload: str, digits: str | None, file: Any, **kwargs: Any) -> None:
        if sum((bool(payload), digits is not None, file is not None)) > 1:
            message = "give the payload once: as an argument, with --hex or with --file"
            raise click.UsageError(message)
        content = bytes_of(payload) if digits is None else bytes.fromhex(digits)
        function(*args, payload=content if file is None else file.read(), **kwargs)

    command = update_wrapper(body, function)
    for decorate in (
        click.option(
            "--file",
            type=click.File("rb"),
            metavar="FILE",
            help="Take the payload from a file; - for standard input.",
        ),
        click.option("--hex", "digits", type=Hex(), help="The payload in hex."),
        click.argument("payload", default=""),
    ):
        command = decorate(command)
    return command


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe messages",
        "troupe messages watch --kind gossip:",
        "troupe messages request 192.0.2.7:18750 p2p:get_peers",
        "troupe messages broadcast my:kind hello",
    ),
)
@with_session
def messages(session: Session) -> None:
    """Watch and count the messages to and from peers, or send one."""
    if click.get_current_context().invoked_subcommand is None:
        _counts(session)


@messages.command(
    epilog=examples("troupe messages counts", "troupe messages counts -o json | jq .kinds")
)
@with_session
def counts(session: Session) -> None:
    """Show how many messages of each kind have passed."""
    _counts(session)


@messages.command(
    epilog=examples(
        "troupe messages watch",
        "troupe messages watch --kind chain: --kind gossip:bc:new_block --payload 80",
        "troupe messages watch --peer 192.0.2.7:18750 -o jsonl",
    )
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only this kind, or all that begin with it if it ends in a colon; may be given again.",
)
@click.option("--peer", type=HostPort(any_port=False), help="Only messages of this peer.")
@click.option(
    "--payload",
    "shown_bytes",
    type=click.IntRange(0, MAX_SHOWN_BYTES),
    default=0,
    metavar="N",
    help=f"Show the first N bytes of each payload, at most {MAX_SHOWN_BYTES}.",
)
@with_session
def watch(session: Session, kinds: tuple[str, ...], peer: str | None, shown_bytes: int) -> None:
    """Follow the messages as they pass.

    Until the node stops or Ctrl-C; it ends by itself where more passes than can be shown.
    """
    client = session.client
    request = WatchMessagesRequest(
        kinds=kinds, peer_address=peer or "", payload_limit_bytes=shown_bytes
    )
    try:
        for response in client.stream(client.messages.WatchMessages, request):
            if response.HasField("message"):
                data = _with_hex(as_data(response.message), response.message.payload)
                session.output.next(data, link_views.traced(data))
    except StreamError as error:
        if error.failure.reason != "STOPPING":
            raise


@messages.command(
    epilog=examples(
        "troupe messages send 192.0.2.7:18750 my:kind hello",
        "troupe messages send 3 my:kind --hex 00ff",
    )
)
@_TARGET
@_KIND
@with_session
@_with_payload
def send(session: Session, target: Data, kind: str, payload: bytes) -> None:
    """Send a regular message to a peer."""
    request = SendMessageRequest(kind=kind, payload=payload, **target)
    client = session.client
    data = as_data(client.call(client.messages.SendMessage, request))
    size = plural(len(payload), "byte")
    session.output.one(data, f"{size} of {kind} queued on connection {data['connection_id']}.")


@messages.command(
    epilog=examples(
        "troupe messages request 192.0.2.7:18750 p2p:get_peers",
        "troupe messages request 3 my:question --file question.bin --timeout 30",
    )
)
@_TARGET
@_KIND
@click.option(
    "--timeout",
    "timeout_s",
    type=NumberRange(0, MAX_TIMEOUT_S, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help=f"How long to wait for the response, at most {MAX_TIMEOUT_S:g}.",
)
@with_session
@_with_payload
def request(session: Session, target: Data, kind: str, payload: bytes, timeout_s: float) -> None:
    """Send a request to a peer, and show its response."""
    client = session.client
    response = client.call(
        client.messages.SendRequest,
        SendRequestRequest(kind=kind, payload=payload, timeout_s=timeout_s, **target),
        deadline_s=timeout_s + OVERTIME_S,
    )
    data = _with_hex(as_data(response), response.payload)
    session.output.one(data, link_views.response(data))


@messages.command(
    epilog=examples(
        "troupe messages broadcast my:kind hello",
        "echo -n hello | troupe messages broadcast my:kind --file -",
    )
)
@_KIND
@with_session
@_with_payload
def broadcast(session: Session, kind: str, payload: bytes) -> None:
    """Send a regular message to every peer."""
    client = session.client
    answer = client.call(
        client.messages.BroadcastMessage,
        BroadcastMessageRequest(kind=kind, payload=payload),
    )
    data = as_data(answer)
    session.output.one(data, f"{kind} queued for {plural(data['peer_count'], 'peer')}.")


def _counts(session: Session) -> None:
    client = session.client
    data = as_data(client.call(client.messages.GetMessaging, GetMessagingRequest()).messaging)
    session.output.one(data, link_views.messaging(data), link_views.kinds(data["kinds"]))


def _with_hex(data: Data, payload: bytes) -> Data:
    """With the payload in hex, too: its text is for people, and not every payload is text."""
    return {**data, "payload_hex": payload.hex()}
