"""``chain verify``, ``chain export``, ``chain import`` and ``backup``: long jobs of the node that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import click
from troupe.admin.v1.chain_service_pb2 import (
    CreateBackupRequest,
    ExportBlocksRequest,
    ExportHeader,
    GetChainRequest,
    ImportBlocksRequest,
    VerifyChainRequest,
)

from admin.cli import archive_views, blocks_file
from admin.cli.content import standard_input
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.output import Data, as_data
from admin.cli.params import MAX_AMOUNT
from admin.cli.progress import job
from admin.cli.session import Session, with_session

STREAM: Final = "-"
"""The file name that means standard input or output."""

_FILE = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE")
_NUMBER = click.IntRange(0, MAX_AMOUNT)


@click.command("verify", epilog=examples("troupe chain verify", "troupe chain verify -o jsonl"))
@with_session
def verify(session: Session) -> None:
    """Let the node verify its whole chain.

    It executes the chain again and compares it with its store, while it goes on; Ctrl-C ends the work. `troupe verify` does the same from outside, on the files
    of a data directory, whether a node runs there or not. Ends with 1 if they differ.
    """
    client, report = session.client, None
    with job(session.output, "verifying") as show:
        for answer in client.stream(client.chain.VerifyChain, VerifyChainRequest()):
            show(as_data(answer.progress))
            report = answer.report if answer.HasField("report") else report
    assert report is not None, "the last answer holds it"
    network = client.call(client.chain.GetChain, GetChainRequest()).chain.network.name
    data = {"network": network, **as_data(report)}
    session.output.one(data, *archive_views.verification(data, "the node's chain.db"))
    if not report.sound:
        click.get_current_context().exit(int(ExitCode.FAILED))


@click.command(
    "export",
    epilog=examples(
        "troupe chain export blocks.txt",
        "troupe chain export recent.txt --from 1000",
        "troupe chain export - | troupe chain import - --data-dir ~/nodes/two",
    ),
)
@_FILE
@click.option(
    "--from",
    "first",
    type=_NUMBER,
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="The first block.",
)
@click.option("--to", "last", type=_NUMBER, metavar="NUMBER", help="The last. [default: the tip]")
@with_session
def export_(session: Session, file: str, first: int, last: int | None) -> None:
    """Write the canonical blocks to a file.

    To a new one, or to standard output (-): a file of lines: a header in JSON, then each block as the ledger serializes it.
    """
    client = session.client
    parts = client.stream(
        client.chain.ExportBlocks, ExportBlocksRequest(first_number=first, last_number=last)
    )
    header = next(parts).header
    total, done = _total(header), 0
    with _writing(file) as out, job(session.output, "exporting") as show:
        blocks_file.write_header(out, header)
        for part in parts:
            blocks_file.write_blocks(out, part.chunk)
            done += len(part.chunk.raw_blocks)
            if file != STREAM:
                show(_blocks(done, total))
    if file != STREAM:
        data = {"file": file, "block_count": done, **as_data(header)}
        session.output.one(data, archive_views.exported(data))


@click.command(
    "import",
    epilog=examples("troupe chain import blocks.txt", "troupe chain import blocks.txt -o json"),
)
@_FILE
@with_session
def import_(session: Session, file: str) -> None:
    """Give the node the blocks of a file.

    Of one that `chain export` wrote, or of standard input (-). Each is checked as if a peer had sent it. An import that is broken off keeps what came before, and may
    be begun again. Ends with 4 at a block that the chain rejects.
    """
    client, output = session.client, session.output
    with _reading(file) as source, job(output, "importing") as show:
        header = blocks_file.read_header(source)

        def requests() -> Iterator[ImportBlocksRequest]:
            yield ImportBlocksRequest(header=header)
            for chunk in blocks_file.read_chunks(source):
                yield ImportBlocksRequest(chunk=chunk)

        def look() -> None:
            """Show what is stored: more than that is on its way. A busy node shows less, and goes on."""
            with suppress(CliError):
                chain = client.call(client.chain.GetChain, GetChainRequest()).chain
                if chain.HasField("import_progress"):
                    show(as_data(chain.import_progress))

        answer = client.upload(client.chain.ImportBlocks, requests(), look)
        show(_blocks(answer.imported_count + answer.known_count, _total(header)))
    data = as_data(answer)
    output.one(data, *archive_views.imported(data))
    if data["rejected"] is not None:
        click.get_current_context().exit(int(ExitCode.REJECTED))


@click.command(
    epilog=examples(
        "troupe backup",
        "troupe backup ~/chain-of-today.db --verify",
        "troupe restore ~/chain-of-today.db --data-dir ~/nodes/two",
    )
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--verify", is_flag=True, help="Execute the copied chain again before it counts.")
@with_session
def backup(session: Session, file: Path | None, verify: bool) -> None:
    """Copy the chain to a new file while the node runs.

    On the node's machine; without FILE, to the directory `backups` in the node's data directory, under the name of the time. The
    copy holds the chain alone, no keys; it is complete and checked when it appears.
    """
    client, made = session.client, None
    path = "" if file is None else str(file.expanduser().parent.resolve() / file.name)
    request = CreateBackupRequest(path=path, verify=verify)
    with job(session.output, "backing up") as show:
        for answer in client.stream(client.chain.CreateBackup, request):
            show(as_data(answer.progress))
            made = answer.backup if answer.HasField("backup") else made
    assert made is not None, "the last answer holds it"
    data = as_data(made)
    session.output.one(data, archive_views.backup(data))


def _total(header: ExportHeader) -> int:
    return max(0, header.last.number - header.first_number + 1)


def _blocks(done: int, total: int) -> Data:
    return {"unit": "blocks", "done_count": done, "total_count": total}


@contextmanager
def _writing(file: str) -> Iterator[IO[bytes]]:
    """A new file, gone again if it is not finished; or standard output.

    Raises:
        CliError: it exists, or cannot be written.
    """
    if file == STREAM:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    try:
        with path.open("xb") as out:
            try:
                yield out
            except BaseException:
                path.unlink()
                raise
    except FileExistsError as error:
        message = f"{file} exists already and is never overwritten"
        raise CliError(message) from error
    except OSError as error:
        message = f"cannot write {file}: {error.strerror or error}"
        raise CliError(message) from error


@contextmanager
def _reading(file: str) -> Iterator[IO[bytes]]:
    """The file, or standard input.

    Raises:
        CliError: it cannot be read.
    """
    if file == STREAM:
        yield standard_input()
        return
    try:
        with Path(file).open("rb") as source:
            yield source
    except OSError as error:
        message = f"cannot read {file}: {error.strerror or error}"
        raise CliError(message) from error
