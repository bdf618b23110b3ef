"""``profile``: names for the nodes that are called often."""

from __future__ import annotations

import click

from admin.cli import profiles
from admin.cli.help import examples
from admin.cli.options import target_of, target_options
from admin.cli.output import Columns, Output
from admin.cli.text import ABSENT
from admin.tuning import as_text


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe profile save two --data-dir ~/nodes/two",
        "troupe profile save lab --admin 192.0.2.7:18751 --token-file lab.token --tls-ca lab.pem",
        "troupe --profile two status",
    ),
)
@target_options
@click.pass_context
def profile(ctx: click.Context) -> None:
    """List the profiles, save one or remove one."""
    if ctx.invoked_subcommand is not None:
        return
    data = [
        {
            "name": name,
            **{key: as_text(each[key]) if key in each else None for key in profiles.KEYS},
        }
        for name, each in profiles.load().items()
    ]
    rows = tuple(
        (
            each["name"] or "",
            _place(each),
            each["token_file"] or ABSENT,
            each["expect_network"] or ABSENT,
        )
        for each in data
    )
    empty = "No profiles. Save one with `troupe --data-dir DIR profile save NAME`."
    heads = ("NAME", "NODE", "TOKEN", "NETWORK")
    Output(target_of(ctx).output).many(data, Columns(heads, rows, empty))


@profile.command(epilog=examples("troupe profile save two --data-dir ~/nodes/two"))
@click.argument("name")
@target_options
@click.pass_context
def save(ctx: click.Context, name: str) -> None:
    """Keep the options of this command line under a name."""
    if not name or len(name) > profiles.MAX_NAME_CHARS:
        message = f"a name has 1 to {profiles.MAX_NAME_CHARS} characters"
        raise click.UsageError(message)
    kept = profiles.save(name, target_of(ctx))
    data = {"name": name, **kept}
    Output(target_of(ctx).output).one(data, f"Saved: `troupe --profile {name} status` calls it.")


@profile.command(epilog=examples("troupe profile remove two"))
@click.argument("name")
@target_options
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Forget a profile; its node stays as it is."""
    profiles.remove(name)
    Output(target_of(ctx).output).one({"name": name, "removed": True}, f"Removed {name}.")


def _place(profile: dict[str, str | None]) -> str:
    return profile["admin"] or profile["data_dir"] or ABSENT
