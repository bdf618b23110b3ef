"""The entry of ``troupe``: its groups of commands, each imported when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NoReturn

import click

from admin.cli.completion import VARIABLE
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import target_options

DISTRIBUTION: Final = "troupe-node"

SECTIONS: Final = {
    "Nodes": {
        "run": "run:run",
        "devnet": "devnet:devnet",
        "verify": "verify:command",
        "repair": "repair:command",
        "restore": "restore:restore",
        "bench": "bench:bench",
        "simulate": "simulate:simulate",
    },
    "The node that runs": {
        "status": "node_commands:status",
        "top": "top:top",
        "events": "event_commands:events",
        "peers": "peer_commands:peers",
        "transport": "transport_commands:transport",
        "messages": "message_commands:messages",
        "gossip": "gossip_commands:gossip",
        "chat": "chat_commands:chat",
        "search": "search_commands:search",
        "actors": "actor_commands:actors",
        "quarantine": "quarantine_commands:quarantine",
        "logs": "diagnostics_commands:logs",
        "loggers": "diagnostics_commands:loggers",
        "metrics": "diagnostics_commands:metrics",
        "settings": "settings_commands:settings",
        "token": "token_commands:token",
        "stop": "node_commands:stop",
    },
    "Ledger": {
        "chain": "chain_commands:chain",
        "block": "chain_commands:block",
        "tx": "chain_commands:tx",
        "account": "chain_commands:account",
        "mempool": "mempool_commands:mempool",
        "wallet": "wallet_commands:wallet",
        "send": "wallet_commands:send",
        "submit": "wallet_commands:submit",
        "backup": "archive_commands:backup",
    },
    "Mining": {
        "miner": "miner_commands:miner",
        "mine": "miner_commands:mine",
    },
    "Shell": {
        "profile": "profile_commands:profile",
        "completion": "completion:completion",
    },
}
"""Where each command is: module and name in it."""
_PLACES: Final = {name: place for section in SECTIONS.values() for name, place in section.items()}

_EXIT_CODES: Final = "\n".join(f"  {code:>3}  {code.meaning}" for code in ExitCode)


class TroupeGroup(click.Group):
    """Imports a command when it is needed: ``troupe status`` loads no node."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_PLACES)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _PLACES:
            return None
        module, attribute = _PLACES[name].split(":")
        command = getattr(import_module(f"admin.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by what they are about, not by the alphabet."""
        width = max(map(len, _PLACES))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                rows = []
                for name in names:
                    command = self.get_command(ctx, name)
                    assert command is not None
                    limit = formatter.width - width - 6
                    rows.append((name.ljust(width), command.get_short_help_str(limit)))
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            message = "interrupted"
            raise CliError(message, ExitCode.INTERRUPTED) from error
        except UnicodeEncodeError as error:
            if error.encoding != "utf-8":
                raise
            # Only what stands for bytes that are no text: the shell gave us an argument with such.
            message = f"an argument is not UTF-8 text: {error.object!a}"
            raise CliError(message, ExitCode.USAGE) from error


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # from a source tree that is not installed
        return "of a source tree"


@click.group(
    cls=TroupeGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "troupe devnet                # a network of three nodes on this machine",
        "troupe run --network dev     # one node; then, from another terminal:",
        "troupe mine 3",
        "troupe status",
    )
    + f"\n\n\b\nExit codes:\n{_EXIT_CODES}",
)
@click.version_option(_version(), message="troupe %(version)s")
@target_options
def cli() -> None:
    """A proof-of-work blockchain node, and the command that directs it.

    The options may stand before or after the subcommand. COMMAND --help shows examples of each.
    """


def main() -> NoReturn:
    """Run the command line of this process.

    gRPC's own log goes to stderr beside the one sentence that we say of an error; it is silent unless
    asked for. It reads the variable when it is imported, which no module before this point does.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    cli.main(prog_name="troupe", complete_var=VARIABLE)
    sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
