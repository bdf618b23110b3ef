"""``settings``: what a node is set to, why, and how to change it."""

from __future__ import annotations

from typing import Final

import click
from troupe.admin.v1.node_service_pb2 import ListSettingsRequest, UpdateSettingRequest

from admin.cli.definitions import SETTINGS, Definition
from admin.cli.help import examples
from admin.cli.output import Columns, as_data
from admin.cli.session import Session, with_session
from admin.cli.text import ABSENT, short
from admin.tuning import as_text

WIDE: Final = 40
"""Longer values are keys, and cut in a table."""


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe settings",
        "troupe settings set threads 2 --persist",
        "troupe settings sample > ~/nodes/one/settings.toml",
    ),
)
@with_session
def settings(session: Session) -> None:
    """Show the node's settings and their sources, or change one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    client = session.client
    listed = client.listing(client.node.ListSettings, ListSettingsRequest())
    data = list(map(as_data, listed))
    rows = tuple(
        (
            each["name"],
            _shown(each["value"]),
            each["source"],
            "yes" if each["mutable"] else "no",
            _shown(each["default_value"]),
        )
        for each in data
    )
    heads = ("NAME", "VALUE", "SOURCE", "CHANGES", "DEFAULT")
    session.output.many(data, Columns(heads, rows, "The node tells no settings."))


@settings.command(
    "set", epilog=examples("troupe settings set log_level debug", "troupe settings set mine true")
)
@click.argument("name")
@click.argument("value")
@click.option("--persist", is_flag=True, help="Write it to the node's settings file too.")
@with_session
def set_one(session: Session, name: str, value: str, *, persist: bool) -> None:
    """Change a setting of the running node."""
    client = session.client
    request = UpdateSettingRequest(name=name.replace("-", "_"), value=value, persist=persist)
    data = as_data(client.call(client.node.UpdateSetting, request).setting)
    kept = ", and in the settings file" if persist else ""
    session.output.one(data, f"{data['name']} is {data['value'] or ABSENT} now{kept}.")


@settings.command(epilog=examples("troupe settings sample > ~/nodes/one/settings.toml"))
def sample() -> None:
    """Print a settings file with every setting, explained and commented out."""
    click.echo(sample_file(), nl=False)


def sample_file() -> str:
    """A TOML file that changes nothing until a line of it is uncommented."""
    head = (
        "# Settings of a Troupe node. Put it into the data directory as settings.toml, or name it with\n"
        "# `troupe run --config FILE`. A flag and an environment variable come before the line here.\n"
        "# Paths are relative to this file.\n"
    )
    return head + "".join(f"\n{_sample(each)}" for each in SETTINGS)


def _sample(definition: Definition) -> str:
    change = " It can be changed while the node runs." if definition.mutable else ""
    kind = definition.metavar.lower() or definition.kind.name
    default = f" Default: {definition.default_words}." if definition.default_words else ""
    choices = getattr(definition.kind, "choices", None)
    if choices:
        kind = ", ".join(choices)
    comment = f"# {definition.help}{default}{change}\n# ({kind}; {definition.flag}, {definition.variable})\n"
    return f"{comment}# {definition.name} = {_example(definition)}\n"


def _example(definition: Definition) -> str:
    """A value of the right type, the default where there is one."""
    if isinstance(definition.default, bool | int):
        return as_text(definition.default)
    text = f'"{definition.default or definition.metavar or definition.kind.name.upper()}"'
    return f"[{text}]" if definition.repeated else text


def _shown(text: str) -> str:
    return (short(text) if len(text) > WIDE else text) or ABSENT
