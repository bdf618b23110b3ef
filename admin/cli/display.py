"""How a network of our nodes is shown: a live table on a terminal, blocks of lines anywhere else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from admin.cli.children import Child, Glimpse
from admin.cli.client import TOKEN_FILE
from admin.cli.output import Columns
from admin.cli.text import count, hash_rate, short, yes_no

LIVE_REFRESH_S: Final = 0.5
PLAIN_REFRESH_S: Final = 1.0
"""A log that is read later is no place for more than a block of lines a second."""

_HEADS: Final = (
    *("NODE", ">HEIGHT", "TIP", ">PEERS", ">MEMPOOL", ">HASH RATE", ">BALANCE", "STATE"),
)


class Display(Protocol):
    """Shows the nodes, again and again, and what happens to them."""

    @property
    def refresh_s(self) -> float:
        """How often to show them."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave what was shown last on the screen."""

    def show(self, children: Sequence[Child]) -> None:
        """Show how they do."""

    def tell(self, text: str) -> None:
        """Say something that stays."""


def table(children: Sequence[Child]) -> str:
    """How the nodes do, a line each."""
    return Columns(_HEADS, tuple(_row(child.name, child.glimpse) for child in children), "").text()


def _row(name: str, node: Glimpse) -> tuple[str, ...]:
    return (
        name,
        count(node.height),
        short(node.tip),
        count(node.peers),
        count(node.mempool),
        hash_rate(node.hashes_per_s),
        count(node.balance),
        node.state,
    )


def directions(children: Sequence[Child]) -> str:
    """Where the nodes are, and what to paste into another terminal."""
    width = max(len(child.name) for child in children)
    lines = ["The admin addresses:"]
    lines += [
        f"  {child.name.ljust(width)}  {child.admin_address or '-':<21}  {child.data_dir}"
        for child in children
    ]
    first = next((child for child in children if child.admin_address), None)
    if first is not None:
        token = shlex.quote(str(first.data_dir / TOKEN_FILE))
        bearer = f'"authorization: Bearer $(cat {token})"'
        lines += [
            "Ask one from another terminal:",
            f"  troupe status --data-dir {shlex.quote(str(first.data_dir))}",
            f"  grpcurl -plaintext -H {bearer} {first.admin_address} troupe.admin.v1.NodeService/GetNode",
        ]
    return "\n".join(lines)


class LiveDisplay:
    """One table that changes in place."""

    refresh_s = LIVE_REFRESH_S

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, children: Sequence[Child]) -> None:
        text = Text.from_ansi(table(children), no_wrap=True, overflow="crop")
        self._live.update(text, refresh=True)

    def tell(self, text: str) -> None:
        # Not wrapped: what is to be pasted must stay one line.
        self._live.console.print(
            Text.from_ansi(text), soft_wrap=True, highlight=False, markup=False
        )


class PlainDisplay:
    """A block of lines whenever something changed; that a hash rate wavers is no change, that there is one is."""

    refresh_s = PLAIN_REFRESH_S

    def __init__(self) -> None:
        self._shown: list[tuple[str, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, children: Sequence[Child]) -> None:
        rate = _HEADS.index(">HASH RATE")
        rows = [_row(child.name, child.glimpse) for child in children]
        steady = [
            (*row[:rate], *row[rate + 1 :], yes_no(bool(child.glimpse.hashes_per_s)))
            for row, child in zip(rows, children, strict=True)
        ]
        if steady != self._shown:
            self._shown = steady
            click.echo(table(children) + "\n")

    def tell(self, text: str) -> None:
        click.echo(text)


def display(*, plain: bool) -> LiveDisplay | PlainDisplay:
    """The one that suits stdout."""
    console = Console()
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    return LiveDisplay(console) if live else PlainDisplay()
