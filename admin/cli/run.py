"""``run``: one node in this process."""

from __future__ import annotations

import os
import sys

import click

from actors.assembly import VERSION
from actors.chain.messages import GetChain
from actors.node import Node, StartError
from actors.runtime.address import ActorDownError
from admin.bind import AdminBindError
from admin.cli.dumps import dumping
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.logs import log_to_stderr, set_log_level
from admin.cli.options import target_of
from admin.cli.serving import Started, serve
from admin.cli.settings import chosen, setting_options
from admin.cli.signals import Stops, watch_parent
from admin.launch import launch
from admin.tls import TlsError

ASK_TIMEOUT_S = 10.0
"""The chain answers at once; a slow disk at the first start is given its time."""
SWITCH_S = 0.0005
"""For how long a thread that computes keeps all others from it. A block and an admin call pass a dozen hands, and
each may have to wait so long for each busy thread: of Python's own 5 ms that made half a second under attack."""


@click.command(
    epilog=examples(
        "troupe run --network dev --mine",
        "troupe run --data-dir ~/two --listen 127.0.0.1:0 --admin 127.0.0.1:0 --peer 127.0.0.1:18750",
        "TROUPE_THREADS=2 troupe run --config troupe.toml",
        "troupe run --keep-history 10000",
    )
)
@setting_options()
@click.option("--die-with-parent", is_flag=True, hidden=True, help="Stop when stdin ends.")
@click.pass_context
def run(ctx: click.Context, /, *, die_with_parent: bool, **_: object) -> None:
    """Run a node until Ctrl-C.

    A setting is taken from its flag, else from its environment variable, else from the file that
    --config names or settings.toml of the data directory, else it has its default. `troupe settings
    sample` prints such a file, `troupe settings` shows what a running node has and why.

    On SIGUSR1 the node writes to stderr where each thread is and what each actor does, and goes on; on
    SIGUSR2 the bare stacks, even if nothing else moves any more.
    """
    choice = chosen(ctx, target_of(ctx))
    log_to_stderr(choice.log_level)
    sys.setswitchinterval(SWITCH_S)
    stops = Stops()
    node = Node(choice.settings)
    with dumping(node.dump), stops.listening(on_second=_leave):
        if die_with_parent:
            watch_parent(
                stops, sys.stdin.fileno(), on_overdue=lambda: os._exit(int(ExitCode.FAILED))
            )
        try:
            serve(
                node,
                lambda: launch(
                    node,
                    shutdown=lambda: stops.request("ShutdownNode"),
                    tuning=choice.tuning(set_log_level),
                ),
                lambda admin_address: _introduce(node, admin_address),
                stops,
            )
        except (StartError, AdminBindError, TlsError) as error:
            raise CliError(str(error)) from error
        except (ActorDownError, OSError) as error:
            message = f"the node did not come up: {error}"
            raise CliError(message) from error


def _introduce(node: Node, admin_address: str) -> Started:
    """Say what scans, in the log, and all else, for the banner: nothing can fail any more."""
    node.announce_engine()
    settings = node.settings
    return Started(
        version=VERSION,
        network=settings.network,
        height=node.addresses.chain.ask(GetChain(), timeout_s=ASK_TIMEOUT_S).tip.number,
        listen_address=node.listen_address,
        advertise_address=settings.peers.advertise,
        admin_address=f"{admin_address} (TLS)" if settings.tls.is_on else admin_address,
        data_dir=settings.data_dir,
        key_address=node.wallet.public,
        miner=settings.miner,
    )


def _leave() -> None:
    """The second Ctrl-C: its user does not want to wait any longer."""
    os._exit(int(ExitCode.INTERRUPTED))
