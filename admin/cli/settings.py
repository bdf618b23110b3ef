"""A node's settings as its user gives them: flag > environment > TOML file > default.

One table, :data:`SETTINGS`, makes the options, the variables, the keys of the file and the help. Must not
live here: what a setting does to the node (``actors.config``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from actors.config import KERNEL_CHOICES, MAX_THREADS, MinerSettings, PeersSettings, Settings
from actors.ledger.network import MAIN, NETWORKS, Network, NetworkError, parse_network
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import Target, default_data_dir
from admin.cli.params import AdminAddress, Hex, HostPort, Kind, split_host_port

DEFAULT_LISTEN: Final = "127.0.0.1:18750"
"""Loopback, so that a first `troupe run` opens nothing to the world; the port is nobody's by custom."""
DEFAULT_ADMIN: Final = "127.0.0.1:18751"
MAX_PEERS: Final = 10_000
"""Twice as many sockets still fit into what an operating system grants a process."""
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

Command = TypeVar("Command", bound=Callable[..., Any])


class Source(Enum):
    """Where a value came from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


_SOURCES: Final = {
    ParameterSource.COMMANDLINE: Source.FLAG,
    ParameterSource.ENVIRONMENT: Source.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP: Source.FILE,
}
_WEAKEST_FIRST: Final = (Source.DEFAULT, Source.FILE, Source.ENVIRONMENT, Source.FLAG)


@dataclass(frozen=True, slots=True)
class Definition:
    """One setting.

    Attributes:
        name: Key in the TOML file; its flag and its variable are made of it.
        kind: What a value must be.
        help: One clause, without its default.
        default: Its default; None: made of other settings, or nothing.
        default_text: What the help says of a default that is None.
        repeated: Whether it is a list.
        metavar: What the help calls a value; empty: as the kind does.
    """

    name: str
    kind: Kind
    help: str
    default: object = None
    default_text: str = ""
    repeated: bool = False
    metavar: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "TROUPE_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        return self.kind is click.BOOL

    def option(self) -> Callable[[Command], Command]:
        """The command-line option of this setting."""
        default = self.default_text or (str(self.default) if self.default is not None else "")
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
        "How many peers to have at most.",
        PeersSettings().max_peers,
        metavar="N",
    ),
    Definition(
        "admin",
        AdminAddress(),
        "Where to serve the admin API, on this machine only; port 0: any free one.",
        DEFAULT_ADMIN,
        metavar="HOST:PORT",
    ),
    Definition("mine", click.BOOL, "Mine from the start.", False, "no-mine"),
    Definition(
        "threads",
        click.IntRange(1, MAX_THREADS),
        "How many threads to mine with.",
        MinerSettings().threads,
        metavar="N",
    ),
    Definition(
        "coinbase",
        Hex(),
        "The address that mined blocks are credited to.",
        default_text="the node's own",
    ),
    Definition(
        "kernel",
        click.Choice(KERNEL_CHOICES),
        "What to scan nonces with.",
        MinerSettings().kernel,
    ),
    Definition("log_level", click.Choice(LOG_LEVELS), "The least of what to log.", "info"),
)
_BY_NAME: Final = {definition.name: definition for definition in SETTINGS}


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it came from."""

    name: str
    value: object
    source: Source


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a node is started with, and the source of each value by its name."""

    settings: Settings
    log_level: str
    values: Mapping[str, Value]


def setting_options(*names: str, config: bool = True) -> Callable[[Command], Command]:
    """The options of these settings, or of all; with ``--config`` for their file."""

    def decorate(command: Command) -> Command:
        if config:
            command = _config_option(command)
        for definition in reversed(SETTINGS):
            if not names or definition.name in names:
                command = definition.option()(command)
        return command

    return decorate


def _read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Hand the file's values to the options that are read after this one."""
    if path is None:
        return
    names = {each.name for each in ctx.command.params}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"cannot read {path}: {error}"
        raise click.BadParameter(message, ctx, param) from error
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in _BY_NAME:
            message = f"{path}: there is no setting {name!r}"
            raise click.BadParameter(message, ctx, param)
        try:
            known = _BY_NAME[name].from_file(value, path.parent)
        except click.BadParameter as error:
            message = f"{path}: {name} {error.message}"
            raise click.BadParameter(message, ctx, param) from error
        if name in names:
            values[name] = known
    ctx.default_map = values


_config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    envvar="TROUPE_CONFIG",
    show_envvar=True,
    help="A TOML file of settings, each named as its flag, with _ for -.",
)


def values_of(ctx: click.Context, target: Target) -> dict[str, Value]:
    """The settings among a command's parameters; the options before the subcommand are flags too."""
    early = {"data_dir": target.data_dir, "admin": target.admin}
    values = {}
    for definition in SETTINGS:
        name = definition.name
        if name not in ctx.params:
            continue
        source = _source(ctx.get_parameter_source(name))
        value = ctx.params[name]
        if source is not Source.FLAG and early.get(name) is not None:
            value, source = definition.kind.convert(early[name], None, ctx), Source.FLAG
        if source is Source.DEFAULT and not definition.repeated:
            value = definition.default
        values[name] = Value(name, value, source)
    return values


def _source(source: ParameterSource | None) -> Source:
    return Source.DEFAULT if source is None else _SOURCES.get(source, Source.DEFAULT)


def chosen(ctx: click.Context, target: Target) -> Chosen:
    """The settings of the node that a command is to start.

    Raises:
        click.UsageError: two of them exclude each other, or one does not fit the network.
        CliError: the network file defines none.
    """
    values = values_of(ctx, target)
    get = {name: value.value for name, value in values.items()}
    network = network_of(values)
    threads, max_peers, peers = get["threads"], get["max_peers"], get["peer"]
    assert isinstance(threads, int)
    assert isinstance(max_peers, int)
    assert isinstance(peers, tuple)
    settings = Settings(
        data_dir=data_dir_of(values),
        network=network,
        listen=str(get["listen"]),
        admin=str(get["admin"]),
        peers=PeersSettings(
            advertise=str(get["advertise"] or _reachable(str(get["listen"]))),
            bootstrap=peers,
            max_peers=max_peers,
        ),
        miner=MinerSettings(
            mine=bool(get["mine"]),
            threads=threads,
            coinbase=_coinbase(str(get["coinbase"] or ""), network),
            kernel=str(get["kernel"]),
        ),
    )
    return Chosen(settings, str(get["log_level"]), values)


def data_dir_of(values: Mapping[str, Value]) -> Path:
    """The data directory that was asked for, or the platform's."""
    value = values["data_dir"].value
    return Path(str(value)) if value is not None else default_data_dir()


def network_of(values: Mapping[str, Value]) -> Network:
    """The network that was asked for by name or file, whichever has the stronger source.

    Raises:
        click.UsageError: both have the same.
        CliError: the file defines none.
    """
    path = network_file_of(values)
    if path is None:
        return NETWORKS[str(values["network"].value)]
    try:
        return parse_network(tomllib.loads(path.read_text(encoding="utf-8")))
    except NetworkError as error:
        message = f"the network file {path} defines no network: {error}"
        raise CliError(message, ExitCode.USAGE) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"cannot read the network file {path}: {error}"
        raise CliError(message, ExitCode.USAGE) from error


def network_file_of(values: Mapping[str, Value]) -> Path | None:
    """The file that defines the network; None: its name stands.

    Raises:
        click.UsageError: a file and a name come from the same source.
    """
    name, file = values["network"], values["network_file"]
    by_file = _WEAKEST_FIRST.index(file.source)
    by_name = _WEAKEST_FIRST.index(name.source)
    if file.value is None or by_file < by_name:
        return None
    if by_file == by_name:
        message = f"--network and --network-file exclude each other (both by {file.source.value})."
        raise click.UsageError(message)
    return Path(str(file.value))


def _reachable(listen: str) -> str:
    """What to advertise by default: 0.0.0.0 is no address that anybody could dial."""
    host, port = split_host_port(listen)
    return f"127.0.0.1:{port}" if host == "0.0.0.0" else listen  # noqa: S104 - compared, not bound


def _coinbase(digits: str, network: Network) -> bytes:
    coinbase = bytes.fromhex(digits)
    if digits and not network.scheme.is_standard_address(coinbase):
        message = f"Invalid value for '--coinbase': no {network.key_scheme} public key."
        raise click.UsageError(message)
    return coinbase
