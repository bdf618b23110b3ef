"""``top``: the node in one view, again and again, until Ctrl-C."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text
from troupe.admin.v1.actor_service_pb2 import ListActorsRequest
from troupe.admin.v1.chain_service_pb2 import GetChainRequest
from troupe.admin.v1.event_pb2 import EventPosition
from troupe.admin.v1.event_service_pb2 import ListEventsRequest
from troupe.admin.v1.mempool_service_pb2 import GetMempoolRequest
from troupe.admin.v1.miner_service_pb2 import GetMinerRequest
from troupe.admin.v1.node_service_pb2 import GetNodeRequest
from troupe.admin.v1.peer_service_pb2 import GetPeerSlotsRequest, ListPeersRequest

from admin.cli import top_view
from admin.cli.client import Client
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.output import Data, as_data
from admin.cli.params import NumberRange
from admin.cli.session import Session, with_session

MIN_INTERVAL_S: Final = 0.2
MAX_INTERVAL_S: Final = 3_600.0
KEPT_EVENTS: Final = 100
"""More than any terminal has lines to spare."""
EVENTS_A_LOOK: Final = 1_000
"""A page: what happened beyond it between two looks nobody could have read."""


@dataclass
class Looker:
    """Asks a node for all that the view shows; what an actor that is down would say is None."""

    client: Client
    handled: dict[str, int] = field(default_factory=dict)
    looked_s: float | None = None
    events: deque[Data] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    position: EventPosition | None = None

    def look(self, now_s: float) -> Data:
        """One sample; rates are those since the sample before."""
        client = self.client
        node = as_data(client.call(client.node.GetNode, GetNodeRequest()).node)
        sample: Data = {
            "node": node,
            "chain": self._part(client.chain.GetChain, GetChainRequest(), "chain"),
            "mempool": self._part(client.mempool.GetMempool, GetMempoolRequest(), "mempool"),
            "miner": self._part(client.miner.GetMiner, GetMinerRequest(), "miner"),
            "slots": self._part(client.peers.GetPeerSlots, GetPeerSlotsRequest(), "slots"),
            "peers": self._list(client.peers.ListPeers, ListPeersRequest()),
            "actors": self._list(client.actors.ListActors, ListActorsRequest()),
        }
        self._add_rates(sample["actors"] or [], now_s)
        self._follow_events()
        sample["events"] = list(self.events)
        return sample

    def _part(self, method: Any, request: Any, name: str) -> Data | None:
        try:
            answer = self.client.call(method, request)
        except CliError as error:
            _pass_over(error)
            return None
        return as_data(getattr(answer, name))

    def _list(self, method: Any, request: Any) -> list[Data] | None:
        try:
            return [as_data(each) for each in self.client.listing(method, request)]
        except CliError as error:
            _pass_over(error)
            return None

    def _add_rates(self, actors: list[Data], now_s: float) -> None:
        """How many letters a second each handled since the last look; 0 at the first."""
        elapsed_s = now_s - self.looked_s if self.looked_s is not None else 0.0
        for actor in actors:
            now, before = actor["handled_count"], self.handled.get(actor["name"])
            grown = max(0, now - before) if before is not None else 0
            actor["handled_per_s"] = grown / elapsed_s if elapsed_s > 0 else 0.0
            self.handled[actor["name"]] = now
        self.looked_s = now_s

    def _follow_events(self) -> None:
        client = self.client
        request = ListEventsRequest(page_size=EVENTS_A_LOOK, after=self.position)
        try:
            answer = client.call(client.events.ListEvents, request)
        except CliError as error:
            # Forgotten events, or those of another run: begin with what is kept.
            self.position = None
            if error.reason != "CURSOR_EXPIRED":
                _pass_over(error)
            return
        self.events.extend(as_data(each) for each in answer.events)
        self.position = EventPosition()
        self.position.CopyFrom(answer.position)


def _pass_over(error: CliError) -> None:
    """What is missing because an actor is down or busy is left out; any other failure ends the command."""
    if not error.reason or error.reason.partition(":")[0] not in top_view.MISSING:
        raise error


@click.command(
    epilog=examples(
        "troupe top",
        "troupe top --interval 5",
        "troupe top --frames 1 -o json | jq '.actors[] | select(.mailbox_depth > 0)'",
    )
)
@click.option(
    "--interval",
    "interval_s",
    type=NumberRange(MIN_INTERVAL_S, MAX_INTERVAL_S),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    metavar="N",
    help="End after so many looks. [default: 1 where stdout is no terminal, else never]",
)
@with_session
def top(session: Session, interval_s: float, frames: int | None) -> None:
    """Watch the node live, on one page.

    It shows the chain, the miner, the mempool, the peers, the actors with their mailboxes, and events.
    """
    console = Console()
    live = session.output.for_people and console.is_terminal and not console.is_dumb_terminal
    if frames is None and not live:
        frames = 1
    looker = Looker(session.client)
    with _screen(console) if live else _lines(session) as show:
        while True:
            sample = looker.look(time.monotonic())
            show(sample)
            if frames is not None:
                frames -= 1
                if frames == 0:
                    return
            if sample["node"]["state"] == "stopping":
                message = "the node is stopping"
                raise CliError(message, ExitCode.TRY_AGAIN)
            time.sleep(interval_s)


@contextmanager
def _screen(console: Console) -> Iterator[Any]:
    """The whole terminal, as `less` takes it; what was there before comes back."""
    with Live(console=console, auto_refresh=False, screen=True) as live:

        def show(sample: Data) -> None:
            text = top_view.frame(sample, lines=console.height)
            live.update(Text.from_ansi(text, no_wrap=True, overflow="crop"), refresh=True)

        yield show


@contextmanager
def _lines(session: Session) -> Iterator[Any]:
    """Frames below each other, or a JSON document each."""

    def show(sample: Data) -> None:
        session.output.next(sample, top_view.frame(sample) + "\n")

    yield show
