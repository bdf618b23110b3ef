"""``completion``: the script that makes a shell complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from admin.cli.help import examples

VARIABLE = "_TROUPE_COMPLETE"


@click.command(
    epilog=examples(
        "troupe completion bash >> ~/.bashrc",
        "troupe completion zsh >> ~/.zshrc",
        "troupe completion fish > ~/.config/fish/completions/troupe.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the three of them"
    click.echo(kind(ctx.find_root().command, {}, "troupe", VARIABLE).source())
