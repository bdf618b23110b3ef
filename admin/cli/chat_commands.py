"""``chat``: lines of standard input are said, and lines of others shown.

Two threads listen, one to the node and one to standard input; what they hear comes to the command's own
thread in one queue, so that only it speaks and writes.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from time import sleep
from typing import Final

import click
from troupe.admin.v1.gossip_service_pb2 import (
    GossipMessage,
    PublishRequest,
    SubscribeRequest,
    SubscribeStarted,
)

from admin.cli import spread_views
from admin.cli.client import Client, StreamError
from admin.cli.content import standard_input
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.session import Session, with_session

KIND: Final = "chat"
MAX_PAYLOAD_BYTES: Final = 4_096
"""ADMIN_API: the longest payload of the kind."""
MAX_NAME_CHARS: Final = 32
LINES_AT_ONCE: Final = 4
LINES_PER_S: Final = 4
"""Other nodes pass on five of one, so that a pipe that is faster waits, with room for lines that bunch up."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line to be said; None: there are no more."""

    text: str | None


_Happening = SubscribeStarted | GossipMessage | _Line | StreamError


def _check_name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        message = f"must be 1 to {MAX_NAME_CHARS} visible characters"
        raise click.BadParameter(message)
    return name


@click.command(
    epilog=examples(
        "troupe chat --as ada",
        "echo 'block 1000 is here' | troupe chat --as announcer",
        "troupe chat --stay -o jsonl </dev/null | jq -r .text",
    )
)
@click.option(
    "--as",
    "name",
    default="anonymous",
    show_default=True,
    callback=_check_name,
    help="The name to say lines under; nobody checks it.",
)
@click.option("--stay", is_flag=True, help="Go on showing lines when there are no more to say.")
@with_session
def chat(session: Session, name: str, stay: bool) -> None:
    """Say lines from standard input, and show what others say.

    Until the input ends, the node stops, or Ctrl-C. Other nodes pass lines on while somebody chats on
    them.
    """
    Chat(session, name).run(stay=stay)


class Chat:
    """One conversation."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name
        self._happenings: SimpleQueue[_Happening] = SimpleQueue()
        self._said: set[str] = set()
        self._is_alone = False

    def run(self, *, stay: bool) -> None:
        """Until the input ends, unless it is to ``stay``, or the node stops.

        Raises:
            CliError: the node could not be listened or spoken to.
        """
        client = self._session.client
        _spawn(lambda: _listen(client, self._happenings))
        reading = False
        while True:
            match self._happenings.get():
                case SubscribeStarted():
                    if not reading:  # only now: an answer must find us listening
                        reading = True
                        _spawn(lambda: _read(self._happenings))
                case GossipMessage() as message:
                    self._show(message)
                case _Line(None):
                    if not stay:
                        return
                case _Line(str(text)):
                    self._say(text)
                case StreamError(reason="STOPPING"):
                    return
                case StreamError() as error:
                    raise error

    def _say(self, text: str) -> None:
        payload = f"{self._name}\0{text}".encode()
        if len(payload) > MAX_PAYLOAD_BYTES:
            click.echo(f"not said, it is too long: {text[:40]}...", err=True)
            return
        client = self._session.client
        answer = client.call(client.gossip.Publish, PublishRequest(kind=KIND, payload=payload))
        self._said.add(answer.message_id)
        if not answer.peer_count and not self._is_alone:
            click.echo("the node has no peers: only those who chat on it hear this", err=True)
        self._is_alone = not answer.peer_count

    def _show(self, message: GossipMessage) -> None:
        """Show a line, unless it was said here."""
        if message.message_id in self._said:
            self._said.discard(message.message_id)
            return
        sender, _, text = message.payload.decode(errors="replace").partition("\0")
        data = as_data(message)
        shown = {
            "time": data["receive_time"],
            "sender": sender,
            "text": text,
            "peer": message.peer,
            "message_id": message.message_id,
        }
        self._session.output.next(shown, spread_views.line(shown))


def _spawn(play: Callable[[], None]) -> None:
    threading.Thread(target=play, daemon=True).start()


def _listen(client: Client, happenings: SimpleQueue[_Happening]) -> None:
    """Hand on what the node hears; begin anew when it was too much."""
    while True:
        try:
            for response in client.stream(client.gossip.Subscribe, SubscribeRequest(kinds=[KIND])):
                has_message = response.HasField("message")
                happenings.put(response.message if has_message else response.started)
        except StreamError as error:
            if error.reason != "SLOW_CONSUMER":
                happenings.put(error)
                return


def _read(happenings: SimpleQueue[_Happening]) -> None:
    """Hand on the lines of standard input that say something, as fast as others pass them on."""
    said = 0
    for line in io.TextIOWrapper(standard_input(), encoding="utf-8", errors="replace"):
        if text := line.rstrip("\r\n"):
            if said >= LINES_AT_ONCE:
                sleep(1 / LINES_PER_S)
            happenings.put(_Line(text))
            said += 1
    happenings.put(_Line(None))
