"""``wallet``, ``send`` and ``submit``: the node's own key, and what was made elsewhere."""

from __future__ import annotations

import uuid
from typing import BinaryIO

import click
from troupe.admin.v1.chain_service_pb2 import SubmitBlockRequest
from troupe.admin.v1.mempool_service_pb2 import SubmitTransactionRequest
from troupe.admin.v1.wallet_service_pb2 import (
    GetAddressRequest,
    SignTransactionRequest,
    TransferRequest,
)

from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.output import Facts, as_data
from admin.cli.params import MAX_AMOUNT, Hex
from admin.cli.session import Session, with_session
from admin.cli.text import count, short

MAX_REQUEST_ID = 64
"""ADMIN_API: the longest id of a request."""


@click.command(
    epilog=examples(
        "troupe send $(troupe account -o json --data-dir ~/nodes/two | jq -r .address) 25",
        "troupe send d75a9801...511a 2500 --request-id rent-july",
    )
)
@click.argument("recipient", type=Hex())
@click.argument("amount", type=click.IntRange(0, MAX_AMOUNT))
@click.option(
    "--request-id",
    help="Name this payment: the same name again never pays a second time. [default: a new one]",
)
@with_session
def send(session: Session, recipient: str, amount: int, request_id: str | None) -> None:
    """Pay AMOUNT from the node's own address to RECIPIENT."""
    name = request_id if request_id is not None else uuid.uuid4().hex
    if len(name) > MAX_REQUEST_ID:
        message = f"--request-id takes at most {MAX_REQUEST_ID} characters."
        raise click.UsageError(message)
    client = session.client
    request = TransferRequest(recipient=recipient, amount=amount, request_id=name)
    try:
        answer = client.call(client.wallet.Transfer, request)
    except CliError as error:
        if error.exit_code != ExitCode.TIMED_OUT:
            raise
        message = f"{error.message}; it is safe to repeat with --request-id {name}"
        raise CliError(message, ExitCode.TIMED_OUT, reason=error.reason) from error
    data = {**as_data(answer), "request_id": name}
    transaction, state = data["transaction"], data["state"]
    why = ", until the balance and the transactions before it allow it" if state == "queued" else ""
    session.output.one(
        data,
        f"Sent {count(amount)} to {short(recipient)}: transaction {transaction['id']} is {state}{why}.",
    )


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "troupe wallet",
        "troupe wallet -o json | jq -r .address",
        "troupe wallet sign d75a9801...511a 2500 > signed.txt",
    ),
)
@with_session
def wallet(session: Session) -> None:
    """Show the node's own address, or sign with its key."""
    if click.get_current_context().invoked_subcommand is None:
        _address(session)


@wallet.command(epilog=examples("troupe wallet address"))
@with_session
def address(session: Session) -> None:
    """Show the node's own address."""
    _address(session)


def _address(session: Session) -> None:
    client = session.client
    data = as_data(client.call(client.wallet.GetAddress, GetAddressRequest()))
    session.output.one(data, Facts((("address", data["address"]), ("key", data["key_scheme"]))))


@wallet.command(
    epilog=examples(
        "troupe wallet sign d75a9801...511a 2500 > signed.txt; troupe submit tx signed.txt",
        "troupe wallet sign d75a9801...511a 2500 --nonce 7 -o json | jq -r .transaction.raw",
    )
)
@click.argument("recipient", type=Hex())
@click.argument("amount", type=click.IntRange(0, MAX_AMOUNT))
@click.option(
    "--nonce", type=click.IntRange(0, MAX_AMOUNT), metavar="N", help="[default: the next one]"
)
@with_session
def sign(session: Session, recipient: str, amount: int, nonce: int | None) -> None:
    """Sign a payment of AMOUNT to RECIPIENT, submit nothing, and print it as `submit tx` takes it."""
    client = session.client
    request = SignTransactionRequest(recipient=recipient, amount=amount, nonce=nonce)
    data = as_data(client.call(client.wallet.SignTransaction, request))
    session.output.one(data, data["transaction"]["raw"])


@click.group()
def submit() -> None:
    """Give the node a transaction or a block made elsewhere."""


_RAW = click.argument("file", type=click.File("rb"))
_CHECK = click.option("--check", is_flag=True, help="Only check it; change nothing.")


@submit.command(
    "tx", epilog=examples("troupe submit tx signed.txt", "troupe submit tx --check - < signed.txt")
)
@_RAW
@_CHECK
@with_session
def submit_tx(session: Session, file: BinaryIO, check: bool) -> None:
    """Submit the serialized transaction in FILE (- for standard input)."""
    client = session.client
    request = SubmitTransactionRequest(raw=_line(file), validate_only=check)
    data = as_data(client.call(client.mempool.SubmitTransaction, request))
    verb = "would be" if check else "is"
    session.output.one(data, f"Transaction {data['id']} {verb} {data['state']}.")


@submit.command(
    "block",
    epilog=examples(
        "troupe block tip -o json | jq -r .block.raw | troupe submit block - --data-dir ~/nodes/two"
    ),
)
@_RAW
@_CHECK
@with_session
def submit_block(session: Session, file: BinaryIO, check: bool) -> None:
    """Submit the serialized block in FILE (- for standard input)."""
    client = session.client
    request = SubmitBlockRequest(raw=_line(file), validate_only=check)
    data = as_data(client.call(client.chain.SubmitBlock, request))
    session.output.one(data, f"Block {data['hash']}: {data['outcome']}.")


def _line(file: BinaryIO) -> bytes:
    """The file without the line end that every editor and `echo` adds."""
    return file.read().rstrip(b"\r\n")
