"""A node from start to stop: the banner, the wait for a reason to stop, and the way down.

The node and its admin server come as capabilities. Must not live here: which they are (``run``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import click

from actors.config import MinerSettings
from actors.ledger.network import Network
from admin.cli.output import Facts
from admin.cli.signals import Stops
from admin.cli.text import count, plural

WEAK_SCHEME: Final = "p192-sha1"
WEAKNESS: Final = (
    "the keys (NIST P-192) and signatures (SHA-1) of this network are too weak for anything but"
    " teaching"
)
UNREACHABLE: Final = "only this machine can dial it; name a better one with --advertise"
_LOOPBACK: Final = "127."

log = logging.getLogger(__name__)


class Node(Protocol):
    """What is asked of a node."""

    def start(self) -> None:
        """Start, or raise with one sentence for the user."""

    def stop(self) -> None:
        """Stop in order; returns when nothing of it runs."""


class Admin(Protocol):
    """What is asked of an admin server."""

    def start(self) -> str:
        """Serve, and return ``host:port``; or raise."""
        ...

    def stop(self) -> None:
        """Say farewell to open streams, and end."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a node that has started says of itself; ``key_address`` is its public key."""

    version: str
    network: Network
    height: int
    listen_address: str
    advertise_address: str
    admin_address: str
    data_dir: Path
    key_address: bytes
    miner: MinerSettings


def banner(started: Started) -> str:
    """The start of a node, for people."""
    network = started.network
    peers = started.listen_address
    if started.advertise_address != started.listen_address:
        peers += f", advertised as {started.advertise_address}"
    facts = Facts(
        (
            ("network", f"{network.name} ({network.key_scheme}, difficulty {network.difficulty})"),
            ("height", count(started.height)),
            ("peer address", peers),
            ("admin address", started.admin_address),
            ("data directory", str(started.data_dir)),
            ("key address", started.key_address.hex()),
            ("mining", _mining(started)),
        )
    )
    lines = [click.style(f"troupe {started.version}", bold=True), facts.text()]
    if network.key_scheme == WEAK_SCHEME:
        lines.append(click.style(f"WARNING: {WEAKNESS}", fg="yellow"))
    if _is_loopback(started.advertise_address) and not _is_loopback(started.listen_address):
        note = f"NOTE: peers are told {started.advertise_address}: {UNREACHABLE}"
        lines.append(click.style(note, fg="yellow"))
    lines.append("Ctrl-C stops it.")
    return "\n".join(lines)


def _mining(started: Started) -> str:
    miner = started.miner
    if not miner.mine:
        return "no"
    mining = f"with {plural(miner.threads, 'thread')}"
    if miner.coinbase in (b"", started.key_address):
        return mining
    return f"{mining}, for {miner.coinbase.hex()}"


def _is_loopback(address: str) -> bool:
    return address.startswith(_LOOPBACK)


def serve(
    node: Node, launch: Callable[[], Admin], describe: Callable[[str], Started], stops: Stops
) -> None:
    """Run a node until it is asked to stop; whatever happens, it is down on return.

    ``launch`` makes the admin server of the started node; ``describe`` makes what the banner says, from
    the address of that server.

    Raises:
        Exception: what ``node.start``, ``launch`` or the start of the admin server raise.
    """
    node.start()
    try:
        admin = launch()
        try:
            click.echo(banner(describe(admin.start())))
            log.info("stopping: %s", stops.wait())
        finally:
            admin.stop()
    finally:
        node.stop()
    log.info("stopped")
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            log.warning("thread %s still runs, and holds the process up", thread.name)
