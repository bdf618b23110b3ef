"""``devnet``: a network of several nodes on this machine, and how it does."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from actors.ledger.network import Network
from admin.cli.children import Child, stop_all
from admin.cli.display import Display, directions, display
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import target_of
from admin.cli.settings import Value, network_file_of, network_of, setting_options, values_of
from admin.cli.signals import Stops
from admin.cli.text import plural

MAX_NODES: Final = 32
"""Each is a process of its own with some 50 MB of memory."""
STARTING_POLL_S: Final = 0.1
START_LIMIT_S: Final = 60.0
"""A node is up within 2 s; a machine that is so slow is no place for several."""


@click.command(
    epilog=examples(
        "troupe devnet",
        "troupe devnet --network dev --nodes 5",
        "troupe devnet --network-file easy.toml --blocks 10 --plain",
        "troupe devnet --data-dir ./net --no-mine",
    )
)
@click.option(
    "--nodes",
    type=click.IntRange(1, MAX_NODES),
    default=3,
    metavar="N",
    show_default=True,
    help="How many nodes.",
)
@setting_options("network", "network_file", "threads", config=False)
@click.option("--mine/--no-mine", default=True, show_default=True, help="Let every node mine.")
@click.option(
    "--data-dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the nodes' directories here. [default: a temporary one, removed at the end]",
)
@click.option(
    "--blocks",
    type=click.IntRange(min=1),
    metavar="B",
    help="End with success once all nodes show the same block B.",
)
@click.option("--plain", is_flag=True, help="Write lines instead of a live table.")
@click.pass_context
def devnet(
    ctx: click.Context,
    /,
    *,
    nodes: int,
    mine: bool,
    directory: Path | None,
    blocks: int | None,
    plain: bool,
    **_: object,
) -> None:
    """Run a network of several nodes on this machine until Ctrl-C.

    Every node is a `troupe run` of its own, on free ports. Nothing is left running at the end.
    """
    target = target_of(ctx)
    values = values_of(ctx, target)
    network, threads = network_of(values), str(values["threads"].value)
    arguments = (
        *_network_arguments(values),
        "--threads",
        threads,
        "--mine" if mine else "--no-mine",
    )
    stops = Stops()
    with _directory(directory or target.data_dir) as place:
        children = [
            Child(f"node-{number}", place / f"node-{number}", arguments)
            for number in range(1, nodes + 1)
        ]

        def kill() -> None:
            for child in children:
                child.kill()

        with stops.listening(on_second=kill), display(plain=plain) as shown:
            shown.tell(_described(network, nodes, threads if mine else ""))
            code = run_network(children, stops, shown, blocks=blocks)
        click.echo("All nodes are stopped.")
    ctx.exit(int(code))


def _network_arguments(values: dict[str, Value]) -> tuple[str, ...]:
    file = network_file_of(values)
    fixed = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    if file is not None:
        return (*fixed, "--network-file", str(file.resolve()))
    return (*fixed, "--network", str(values["network"].value))


def _described(network: Network, nodes: int, threads: str) -> str:
    text = f"{plural(nodes, 'node')} on {network.name} (difficulty {network.difficulty})"
    if threads:
        text += f", {'each ' if nodes > 1 else ''}mining with {plural(int(threads), 'thread')}"
    return f"{text}. Ctrl-C ends them."


@contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    """Where the nodes live: as asked, or for this run only."""
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="troupe-devnet-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def run_network(
    children: Sequence[Child], stops: Stops, shown: Display, *, blocks: int | None
) -> ExitCode:
    """Start the nodes, show them until there is a reason to end, and end them, whatever happens.

    With ``blocks`` the reason may be that all show the same block of that number.

    Returns:
        OK when asked to end, or when that block is reached by all; FAILED when a node had died by then.

    Raises:
        CliError: the nodes do not start, or all have died.
    """
    network = _Network(children, stops, shown)
    try:
        if not network.start():
            return ExitCode.OK
        shown.tell(directions(children))
        return network.watch(blocks)
    finally:
        stop_all(children)


class _Network:
    """The nodes of one run."""

    def __init__(self, children: Sequence[Child], stops: Stops, shown: Display) -> None:
        self._children, self._stops, self._shown = children, stops, shown
        self._mourned: set[str] = set()

    def start(self) -> bool:
        """Start the first node, then the others with it as their peer; False: asked to stop meanwhile."""
        first, *others = self._children
        first.start(())
        if not self._await_up([first]):
            return False
        for child in others:
            child.start((first.glimpse.listen_address,))
        return self._await_up(others)

    def _await_up(self, children: Sequence[Child]) -> bool:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            for child in children:
                child.look()
                if child.has_ended:
                    message = f"{child.name} did not start: {' | '.join(child.last_lines())}"
                    raise CliError(message)
            if all(child.is_up for child in children):
                return True
            if time.monotonic() > deadline:
                late = ", ".join(child.name for child in children if not child.is_up)
                message = f"not up after {START_LIMIT_S:g} s: {late}"
                raise CliError(message)
            if self._stops.wait(STARTING_POLL_S) is not None:
                return False

    def watch(self, blocks: int | None) -> ExitCode:
        """Show the nodes until asked to stop, or until all that live agree on a block."""
        while True:
            for child in self._children:
                child.look()
            self._shown.show(self._children)
            self._mourn()
            alive = [child for child in self._children if not child.has_ended]
            if not alive:
                message = "all nodes have ended"
                raise CliError(message)
            if blocks is not None and _agree(alive, blocks):
                return self._reached(blocks)
            if self._stops.wait(self._shown.refresh_s) is not None:
                return ExitCode.OK

    def _mourn(self) -> None:
        for child in self._children:
            if child.has_ended and child.name not in self._mourned:
                self._mourned.add(child.name)
                lines = "".join(f"\n  {line}" for line in child.last_lines())
                self._shown.tell(f"{child.name} has {child.glimpse.state}; its log ends:{lines}")

    def _reached(self, blocks: int) -> ExitCode:
        if not self._mourned:
            self._shown.tell(f"All nodes show the same block {blocks}.")
            return ExitCode.OK
        self._shown.tell(f"The nodes that live show the same block {blocks}.")
        return ExitCode.FAILED


def _agree(children: Sequence[Child], number: int) -> bool:
    if any((child.glimpse.height or 0) < number for child in children):
        return False
    hashes = {child.block_hash(number) for child in children}
    return len(hashes) == 1 and None not in hashes
