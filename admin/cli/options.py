"""What every command that calls a node takes, before or after its name; and where a node is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import platformdirs

from admin.cli.params import AdminAddress, NumberRange

Command = TypeVar("Command", bound=Callable[..., Any])

DATA_DIR_VARIABLE: Final = "TROUPE_DATA_DIR"
PROFILE_VARIABLE: Final = "TROUPE_PROFILE"
MAX_WAIT_S: Final = 86_400.0
"""A day: a node that has a long chain to fetch before it is ready."""


class Format(Enum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(slots=True)
class Target:
    """Which node to call, and how to write what it says; filled by the options as they are read.

    An option after the subcommand is read later, and so wins over the same one before it.
    """

    data_dir: Path | None = None
    admin: str | None = None
    token_file: Path | None = None
    tls: bool | None = None
    tls_ca: Path | None = None
    tls_client_cert: Path | None = None
    tls_client_key: Path | None = None
    profile: str | None = None
    wait_ready_s: float | None = None
    expect_network: str | None = None
    output: Format = Format.TABLE

    def directory(self) -> Path:
        """The data directory: option, then environment, then the platform's."""
        if self.data_dir is not None:
            return self.data_dir
        from_environment = os.environ.get(DATA_DIR_VARIABLE)
        return Path(from_environment) if from_environment else default_data_dir()


def default_data_dir() -> Path:
    """The platform's place for a user's data."""
    return platformdirs.user_data_path("troupe", appauthor=False)


def target_of(ctx: click.Context) -> Target:
    """The one target of a command line."""
    root = ctx.find_root()
    if not isinstance(root.obj, Target):
        root.obj = Target()
    return root.obj


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None:
        assert param.name is not None
        setattr(target_of(ctx), param.name, Format(value) if param.name == "output" else value)


def output_option(command: Command) -> Command:
    """Add ``--output`` alone: for a command that has to do with no node."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice([each.value for each in Format]),
        help="How to write results. [default: table]",
        expose_value=False,
        callback=_keep,
    )(command)


_TLS_FILES: Final = (
    (
        "--tls-ca",
        "Call over TLS, trusting these authorities. [default: admin.pem of the directory]",
    ),
    ("--tls-client-cert", "The certificate to show to a node that asks for one."),
    ("--tls-client-key", "The key of that certificate."),
)


def _file_option(flag: str, text: str, **kept: Any) -> Callable[[Command], Command]:
    kind: Any = click.Path(dir_okay=False, path_type=Path)
    return click.option(flag, type=kind, metavar="FILE", help=text, **kept)


def _calling_options(**kept: Any) -> tuple[Callable[[Command], Command], ...]:
    """What is asked of the node before the call itself."""
    return (
        click.option(
            "--expect-network",
            metavar="NAME",
            help="Call nothing unless the node is on this network.",
            **kept,
        ),
        click.option(
            "--wait-ready",
            "wait_ready_s",
            type=NumberRange(0, MAX_WAIT_S),
            metavar="SECONDS",
            help="Wait so long for the node to be up and in the state ready.",
            **kept,
        ),
        click.option(
            "--profile",
            metavar="NAME",
            envvar=PROFILE_VARIABLE,
            help=f"The node of that name: see `troupe profile`. [env var: {PROFILE_VARIABLE}]",
            **kept,
        ),
    )


def _place_options(**kept: Any) -> tuple[Callable[[Command], Command], ...]:
    """Where the node is, and how to call it."""
    return (
        click.option(
            "--tls",
            is_flag=True,
            default=None,
            help="Call over TLS, trusting the authorities that this system trusts.",
            **kept,
        ),
        click.option(
            "--token-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The token to call with. [default: admin.token of the data directory]",
            **kept,
        ),
        click.option(
            "--admin",
            type=AdminAddress(),
            metavar="HOST:PORT",
            help="The node to call. [default: admin.address of the data directory]",
            **kept,
        ),
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="The data directory of the node to call."
            f" [env var: {DATA_DIR_VARIABLE}; default: your user data directory]",
            **kept,
        ),
    )


def target_options(command: Command) -> Command:
    """Add ``--data-dir``, ``--admin``, ``--token-file``, ``--profile`` and what else tells which node to call
    and how, and ``--output``.
    """
    kept: dict[str, Any] = {"expose_value": False, "callback": _keep}
    for decorate in (
        output_option,
        *_calling_options(**kept),
        *(_file_option(*names, **kept) for names in reversed(_TLS_FILES)),
        *_place_options(**kept),
    ):
        command = decorate(command)
    return command
