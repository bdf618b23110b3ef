"""``token``: who may call the node."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import click
from troupe.admin.v1.auth_service_pb2 import (
    CreateTokenRequest,
    DeleteTokenRequest,
    GetCallerRequest,
    ListTokensRequest,
)

from actors.runtime.files import write_whole
from admin.cli import token_views
from admin.cli.client import Client
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.output import as_data
from admin.cli.params import Seconds
from admin.cli.session import Session, with_session


@click.group(
    epilog=examples(
        "troupe token list",
        "troupe token create grafana --permission node:read --permission chain:read --ttl 30d",
        "troupe token delete grafana",
        "troupe token show",
    )
)
def token() -> None:
    """List, create and delete tokens, or show the own one."""


@token.command(
    "list", epilog=examples("troupe token list", "troupe token list -o json | jq .[].id")
)
@with_session
def list_tokens(session: Session) -> None:
    """List the tokens; no secret is shown."""
    data = _tokens(session.client)
    session.output.many(data, token_views.tokens(data))


@token.command(
    epilog=examples(
        "troupe token show",
        "troupe token show --token-file grafana.token",
    )
)
@with_session
def show(session: Session) -> None:
    """Show the token that this command calls with, and what it permits."""
    client = session.client
    data = as_data(client.call(client.auth.GetCaller, GetCallerRequest()).caller)
    session.output.one(data, token_views.token(data))


@token.command(
    epilog=examples(
        "troupe token create grafana --permission node:read --permission chain:read --ttl 30d",
        "troupe token create reader --read-only --file reader.token",
        "troupe token create deputy --all --ttl 12h -o json | jq -r .secret",
    )
)
@click.argument("name")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    metavar="ENTITY:read|write",
    help="What it shall permit; may be given again. `troupe token show` lists what you can give.",
)
@click.option("--read-only", is_flag=True, help="Whatever you may read.")
@click.option("--all", "everything", is_flag=True, help="Whatever you may do.")
@click.option(
    "--ttl", type=Seconds(), metavar="N[s|m|h|d]", help="How long it is good. [default: ever]"
)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the secret there, readable by you alone, and not to the terminal.",
)
@with_session
def create(
    session: Session,
    *,
    name: str,
    permissions: tuple[str, ...],
    read_only: bool,
    everything: bool,
    ttl: int | None,
    file: Path | None,
) -> None:
    """Create a token. Its secret is shown once, and never again."""
    if bool(permissions) + read_only + everything != 1:
        message = "give --permission, or --read-only, or --all"
        raise CliError(message, ExitCode.USAGE)
    if file is not None and file.exists():
        message = f"{file} exists already"
        raise CliError(message, ExitCode.USAGE)
    client = session.client
    if not permissions:
        mine = client.call(client.auth.GetCaller, GetCallerRequest()).caller.permissions
        permissions = tuple(each for each in mine if everything or each.endswith(":read"))
    request = CreateTokenRequest(name=name, permissions=permissions, request_id=str(uuid.uuid4()))
    if ttl is not None:
        request.ttl.FromSeconds(ttl)
    answer = client.call(client.auth.CreateToken, request)
    data = as_data(answer)
    if file is not None:
        _write(file, data.pop("secret"))
    session.output.one(data, token_views.token(data["token"]), _secret_line(data, file))


@token.command(
    epilog=examples("troupe token delete grafana", "troupe token delete 1f0c5a9be3d27784")
)
@click.argument("name", metavar="NAME|ID")
@with_session
def delete(session: Session, name: str) -> None:
    """Delete a token: it is refused from now on, and its streams end."""
    client = session.client
    found = [each for each in _tokens(client) if name in {each["name"], each["id"]}]
    if len(found) > 1:
        message = (
            f"{name} is the name of one token and the id of another: give the other's id or name"
        )
        raise CliError(message, ExitCode.USAGE)
    data = found[0] if found else {"id": name, "name": name}
    client.call(client.auth.DeleteToken, DeleteTokenRequest(id=data["id"]))
    session.output.one({**data, "deleted": True}, f"The token {data['name']} is deleted.")


def _tokens(client: Client) -> list[dict[str, Any]]:
    listed = client.listing(client.auth.ListTokens, ListTokensRequest())
    return list(map(as_data, listed))


def _write(file: Path, secret: str) -> None:
    try:
        write_whole(file, f"{secret}\n".encode("ascii"))
    except OSError as error:
        message = (
            f"the token was made, but cannot be written to {file}: {error.strerror}; delete it"
        )
        raise CliError(message) from error


def _secret_line(data: dict[str, Any], file: Path | None) -> str:
    if file is not None:
        return f"Its secret is in {file}."
    return f"{data['secret']}\n\nThis is its secret. It is not shown again."
