"""A node's settings as its user gives them: flag > environment > TOML file > default.

Must not live here: which settings there are (``definitions``), what one does to the node (``actors.config``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from actors.config import ChainSettings, MinerSettings, PeersSettings, Settings
from actors.ledger.network import NETWORKS, Network, NetworkError, parse_network
from admin.cli.definitions import BY_NAME, SETTINGS, Command
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import Target, default_data_dir
from admin.cli.params import split_host_port
from admin.cli.tls_settings import admin_of, tls_of
from admin.tomlfiles import read_toml
from admin.tuning import Setting, Source, Tuning, as_text

DIRECTORY_FILE: Final = "settings.toml"
"""The settings file of a data directory, read when no other is named."""
_CONFIG: Final = "troupe.config"
_SOURCES: Final = {
    ParameterSource.COMMANDLINE: Source.FLAG,
    ParameterSource.ENVIRONMENT: Source.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP: Source.FILE,
}
_WEAKEST_FIRST: Final = (Source.DEFAULT, Source.FILE, Source.ENVIRONMENT, Source.FLAG)


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it came from."""

    name: str
    value: object
    source: Source


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a node is started with, the source of each value by its name, and the file that keeps changes."""

    settings: Settings
    log_level: str
    values: Mapping[str, Value]
    file: Path

    def tuning(self, set_log_level: Callable[[str], None]) -> Tuning:
        """All of it for the admin plane, where the mutable ones can be changed."""
        settings = []
        for name, value in self.values.items():
            definition = BY_NAME[name]
            settings.append(
                Setting(
                    name,
                    as_text(value.value),
                    value.source,
                    default=definition.default_words,
                    help=definition.help,
                    flag=definition.flag,
                    variable=definition.variable,
                    parse=definition.parse if definition.mutable else None,
                )
            )
        return Tuning(settings, file=self.file, set_log_level=set_log_level)


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
    try:
        values = _file_values(path)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    names = {each.name for each in ctx.command.params}
    ctx.default_map = {name: value for name, value in values.items() if name in names}
    ctx.meta[_CONFIG] = path


def _file_values(path: Path) -> dict[str, object]:
    """The settings of a TOML file, checked.

    Raises:
        ValueError: it cannot be read, or is no file of settings; a sentence that names it.
    """
    try:
        table = read_toml(path)
    except ValueError as error:
        message = f"cannot read {path}: {error}"
        raise ValueError(message) from error
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in BY_NAME:
            message = f"{path}: there is no setting {name!r}"
            raise ValueError(message)
        try:
            values[name] = BY_NAME[name].from_file(value, path.parent)
        except click.BadParameter as error:
            message = f"{path}: {name} {error.message}"
            raise ValueError(message) from error
    return values


_config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    envvar="TROUPE_CONFIG",
    show_envvar=True,
    help="A TOML file of settings, each named as its flag, with _ for -."
    f" [default: {DIRECTORY_FILE} of the data directory, if there]",
)


def values_of(ctx: click.Context, target: Target) -> dict[str, Value]:
    """The settings among a command's parameters; the options before the subcommand are flags too."""
    early = {"data_dir": target.data_dir, "admin": target.admin, "tls": target.tls}
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
    file: Path | None = ctx.meta.get(_CONFIG)
    if file is None:
        file = data_dir_of(values) / DIRECTORY_FILE
        values = _with_directory_file(values, file)
    get = {name: value.value for name, value in values.items()}
    network = network_of(values)
    tls = tls_of(get)
    threads, max_peers, peers = get["threads"], get["max_peers"], get["peer"]
    keep_history = get["keep_history"]
    assert isinstance(threads, int)
    assert isinstance(max_peers, int)
    assert isinstance(peers, tuple)
    assert isinstance(keep_history, int)
    settings = Settings(
        data_dir=data_dir_of(values),
        network=network,
        listen=str(get["listen"]),
        admin=admin_of(ctx, str(get["admin"]), tls),
        tls=tls,
        channelz=bool(get["channelz"]),
        peers=PeersSettings(
            advertise=str(get["advertise"] or _reachable(str(get["listen"]))),
            bootstrap=peers,
            max_peers=max_peers,
        ),
        chain=ChainSettings(keep_history=keep_history),
        miner=MinerSettings(
            mine=bool(get["mine"]),
            threads=threads,
            coinbase=_coinbase(str(get["coinbase"] or ""), network),
            kernel=str(get["kernel"]),
        ),
    )
    return Chosen(settings, str(get["log_level"]), values, file)


def _with_directory_file(values: Mapping[str, Value], file: Path) -> dict[str, Value]:
    """What nobody set, as the data directory's own file has it, if there is one.

    Raises:
        CliError: it is no file of settings.
    """
    if not file.exists():
        return dict(values)
    try:
        kept = _file_values(file)
    except ValueError as error:
        raise CliError(str(error), ExitCode.USAGE) from error
    if "data_dir" in kept:
        message = f"{file}: data_dir cannot be set by the directory itself"
        raise CliError(message, ExitCode.USAGE)
    return {
        name: replace(value, value=kept[name], source=Source.FILE)
        if value.source is Source.DEFAULT and name in kept
        else value
        for name, value in values.items()
    }


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
        return parse_network(read_toml(path))
    except NetworkError as error:
        message = f"the network file {path} defines no network: {error}"
        raise CliError(message, ExitCode.USAGE) from error
    except ValueError as error:
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
