"""What a client command works with: the node, called when it is first needed, and the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Concatenate, ParamSpec

import click
from troupe.admin.v1.chain_service_pb2 import GetChainRequest

from admin.cli.client import Client
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import target_of, target_options
from admin.cli.output import Output
from admin.cli.profiles import resolved
from admin.cli.readiness import open_ready

Parameters = ParamSpec("Parameters")


class Session:
    """One command's dealings with its node."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx

    @cached_property
    def client(self) -> Client:
        """The node; its channel is closed when the command ends.

        Raises:
            CliError: there is none, it is not ready in time, or it is on another network than expected.
        """
        target = resolved(target_of(self._ctx))
        client = self._ctx.with_resource(open_ready(target))
        if target.expect_network is not None:
            _check_network(client, target.expect_network)
        return client

    @property
    def output(self) -> Output:
        return Output(target_of(self._ctx).output)


def _check_network(client: Client, expected: str) -> None:
    name = client.call(client.chain.GetChain, GetChainRequest()).chain.network.name
    if name != expected:
        message = f"the node at {client.address} is on the network {name}, not {expected}"
        raise CliError(message, ExitCode.REJECTED)


def with_session(
    function: Callable[Concatenate[Session, Parameters], None],
) -> Callable[Parameters, None]:
    """Make a function of a session and parameters the body of a command that calls a node."""

    @click.pass_context
    def body(ctx: click.Context, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        function(Session(ctx), *args, **kwargs)

    return target_options(update_wrapper(body, function))
