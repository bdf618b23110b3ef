"""The settings of a node: one table, which makes the options, the variables, the keys of the file, the help,
the sample file and what ``ListSettings`` shows.

Must not live here: how values are read and which one wins (``settings``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from actors.config import (
    KERNEL_CHOICES,
    MAX_THREADS,
    MIN_KEEP_HISTORY,
    ChainSettings,
    MinerSettings,
    PeersSettings,
)
from actors.ledger.network import MAIN, NETWORKS
from admin.cli.params import AdminAddress, Hex, HostName, HostPort, Kind, NoneOrAtLeast
from admin.tuning import Value, as_text

DEFAULT_LISTEN: Final = "127.0.0.1:18750"
"""Loopback, so that a first `troupe run` opens nothing to the world; the port is nobody's by custom."""
DEFAULT_ADMIN: Final = "127.0.0.1:18751"
MAX_PEERS: Final = 10_000
"""Twice as many sockets still fit into what an operating system grants a process."""
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Definition:
    """One setting.

    Attributes:
        name: Key in the TOML file; its flag and its variable are made of it.
        kind: What a value must be.
        help: One clause, without its default.
        default: Its default; None: made of other settings, or nothing.
        default_text: What the help says of the default, above all of one that is None.
        repeated: Whether it is a list.
        metavar: What the help calls a value; empty: as the kind does.
        mutable: Whether it can change while the node runs; ``services.settings`` applies it then.
    """

    name: str
    kind: Kind
    help: str
    default: object = None
    default_text: str = ""
    repeated: bool = False
    metavar: str = ""
    mutable: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "TROUPE_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        return self.kind is click.BOOL

    @property
    def default_words(self) -> str:
        """Its default as a value, or in words where it depends on others; empty: there is none."""
        return self.default_text if self.default is None else as_text(self.default)

    def parse(self, text: str) -> Value:
        """A value from text, as the settings file and the actors take it.

        Raises:
            ValueError: it is none; the words go on after the name of the field.
        """
        try:
            value: Value = self.kind.convert(text, None, None)
        except click.BadParameter as error:
            message = f"is no value of {self.name}: {error.message}"
            raise ValueError(message) from error
        return value

    def option(self) -> Callable[[Command], Command]:
        """The command-line option of this setting."""
        default = self.default_text or as_text(self.default)
        return click.option(
            f"{self.flag}/--no-{self.flag[2:]}" if self.is_switch else self.flag,
            self.name,
            type=self.kind,
            multiple=self.repeated,
            default=None,
            envvar=self.variable,
            show_envvar=True,
            metavar=self.metavar or None,
            help=f"{self.help} [default: {default}]" if default else self.help,
        )

    def from_file(self, value: object, folder: Path) -> object:
        """A value of the TOML file, checked; paths are relative to the file.

        Raises:
            click.BadParameter: it is none.
        """
        if self.repeated:
            if not isinstance(value, list):
                message = f"must be a list, not {value!r}"
                raise click.BadParameter(message)
            return tuple(self._single(each, folder) for each in value)
        return self._single(value, folder)

    def _single(self, value: object, folder: Path) -> object:
        wanted = (
            bool
            if self.is_switch
            else int
            if isinstance(self.kind, click.types.IntParamType)
            else str
        )
        if type(value) is not wanted:
            word = {bool: "true or false", int: "an integer", str: "a string"}[wanted]
            message = f"must be {word}, not {value!r}"
            raise click.BadParameter(message)
        if isinstance(self.kind, click.Path):
            value = folder / str(value)
        return self.kind.convert(value, None, None)


SETTINGS: Final = (
    Definition(
        "data_dir",
        click.Path(file_okay=False, path_type=Path),
        "Where the node keeps its chain, key and tokens.",
        default_text="your user data directory",
        metavar="DIR",
    ),
    Definition("network", click.Choice(tuple(NETWORKS)), "Which network to be on.", MAIN.name),
    Definition(
        "network_file",
        click.Path(exists=True, dir_okay=False, path_type=Path),
        "A TOML file that defines the network, instead.",
        metavar="FILE",
    ),
    Definition(
        "listen",
        HostPort(any_port=True),
        "Where to accept peers; port 0: any free one.",
        DEFAULT_LISTEN,
        metavar="HOST:PORT",
    ),
    Definition(
        "advertise",
        HostPort(any_port=True),
        "The address to tell peers.",
        default_text="where it listens",
        metavar="HOST:PORT",
    ),
    Definition(
        "peer",
        HostPort(any_port=False),
        "A node to connect to; may be given again.",
        repeated=True,
        metavar="HOST:PORT",
    ),
    Definition(
        "max_peers",
        click.IntRange(1, MAX_PEERS),
        "How many peers to have: below half of it more are sought, above twice as many nobody is accepted.",
        PeersSettings().max_peers,
        metavar="N",
    ),
    Definition(
        "keep_history",
        NoneOrAtLeast(MIN_KEEP_HISTORY),
        "As of how many of the newest blocks accounts can be asked for; what only older ones need is"
        f" deleted. At least {MIN_KEEP_HISTORY}; 0: as of all.",
        ChainSettings().keep_history,
        metavar="N",
    ),
    Definition(
        "admin",
        AdminAddress(),
        "Where to serve the admin API, without TLS on this machine only; port 0: any free one.",
        DEFAULT_ADMIN,
        metavar="HOST:PORT",
    ),
    Definition(
        "tls",
        click.BOOL,
        "Serve the admin API over TLS, with a certificate and an authority of the node's own.",
        default_text="no-tls",
    ),
    Definition(
        "tls_name",
        HostName(),
        "A host name or IP address that this certificate is for, beside those of this machine; may be"
        " given again.",
        repeated=True,
        metavar="NAME",
    ),
    Definition(
        "tls_cert",
        click.Path(exists=True, dir_okay=False, path_type=Path),
        "A certificate in PEM to serve instead; a new one is taken while the node runs.",
        metavar="FILE",
    ),
    Definition(
        "tls_key",
        click.Path(exists=True, dir_okay=False, path_type=Path),
        "The key of that certificate.",
        metavar="FILE",
    ),
    Definition(
        "tls_client_ca",
        click.Path(exists=True, dir_okay=False, path_type=Path),
        "Ask clients for a certificate that one of these authorities signed.",
        metavar="FILE",
    ),
    Definition(
        "channelz",
        click.BOOL,
        "Serve grpc.channelz.v1 too, which shows the sockets and calls of the admin API.",
        False,
        "no-channelz",
    ),
    Definition("mine", click.BOOL, "Mine from the start.", False, "no-mine", mutable=True),
    Definition(
        "threads",
        click.IntRange(1, MAX_THREADS),
        "How many threads to mine with.",
        MinerSettings().threads,
        metavar="N",
        mutable=True,
    ),
    Definition(
        "coinbase",
        Hex(),
        "The address that mined blocks are credited to.",
        default_text="the node's own",
        mutable=True,
    ),
    Definition(
        "kernel",
        click.Choice(KERNEL_CHOICES),
        "What to scan nonces with.",
        MinerSettings().kernel,
    ),
    Definition(
        "log_level", click.Choice(LOG_LEVELS), "The least of what to log.", "info", mutable=True
    ),
)
BY_NAME: Final = {definition.name: definition for definition in SETTINGS}
