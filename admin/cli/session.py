"""What a client command works with: the node, called when it is first needed, and the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Concatenate, ParamSpec

import click

from admin.cli.client import Client, open_client
from admin.cli.options import target_of, target_options
from admin.cli.output import Output

Parameters = ParamSpec("Parameters")


class Session:
    """One command's dealings with its node."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx

    @cached_property
    def client(self) -> Client:
        """The node; its channel is closed when the command ends.

        Raises:
            CliError: there is none.
        """
        return self._ctx.with_resource(open_client(target_of(self._ctx)))

    @property
    def output(self) -> Output:
        return Output(target_of(self._ctx).output)


def with_session(
    function: Callable[Concatenate[Session, Parameters], None],
) -> Callable[Parameters, None]:
    """Make a function of a session and parameters the body of a command that calls a node."""

    @click.pass_context
    def body(ctx: click.Context, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        function(Session(ctx), *args, **kwargs)

    return target_options(update_wrapper(body, function))
