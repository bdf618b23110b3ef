"""Waiting for a node that starts, until it can do what is asked of it."""

from __future__ import annotations

import time
from typing import Final

from troupe.admin.v1.node_service_pb2 import NODE_STATE_READY, GetNodeRequest, NodeState

from admin.cli.client import Client, open_client
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import Target
from admin.cli.output import enum_word

LOOK_EVERY_S: Final = 0.1
_HOPELESS: Final = (ExitCode.USAGE, ExitCode.UNAUTHORISED)
"""What waiting does not mend, once a node answers."""


def open_ready(target: Target) -> Client:
    """The client of a node that is in the state ready: as of now, or within the time that was asked for.

    Raises:
        CliError: it is not ready in time; says what it was last.
    """
    wait_s = target.wait_ready_s
    if wait_s is None:
        return open_client(target)
    deadline_s = time.monotonic() + wait_s
    while True:
        client, obstacle = _attempt(target)
        if client is not None:
            return client
        if time.monotonic() >= deadline_s:
            message = f"the node is not ready after {wait_s:g} s: {obstacle}"
            raise CliError(message, ExitCode.TIMED_OUT)
        time.sleep(LOOK_EVERY_S)


def _attempt(target: Target) -> tuple[Client | None, str]:
    try:
        client = open_client(target)
    except CliError as error:
        return None, error.message
    try:
        node = client.call(client.node.GetNode, GetNodeRequest()).node
    except CliError as error:
        client.close()
        if error.exit_code in _HOPELESS:
            raise
        return None, error.message
    if node.state == NODE_STATE_READY:
        return client, ""
    client.close()
    word = enum_word(NodeState.DESCRIPTOR, node.state)
    return None, "; ".join((f"it is {word}", *node.state_reasons))
