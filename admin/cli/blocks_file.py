r"""The file of blocks that ``troupe chain export`` writes: a header line, then a block a line.

Its form is documented where every language finds it, at ``ExportBlocks`` in ``chain_service.proto``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Final

from google.protobuf import json_format
from troupe.admin.v1.chain_service_pb2 import BlockChunk, ExportHeader

from admin.cli.exits import CliError, ExitCode

FORMAT: Final = "troupe-blocks"
VERSION: Final = 1
CHUNK_BLOCKS: Final = 128
CHUNK_BYTES: Final = 512 * 1024
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""More than the node takes in one message."""
_NEWLINE: Final = b"\n"


def write_header(file: IO[bytes], header: ExportHeader) -> None:
    """Begin a file."""
    fields = json_format.MessageToDict(
        header, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    file.write(json.dumps({"format": FORMAT, "version": VERSION, **fields}).encode() + _NEWLINE)


def write_blocks(file: IO[bytes], chunk: BlockChunk) -> None:
    """Go on with a file."""
    file.writelines(raw + _NEWLINE for raw in chunk.raw_blocks)


def read_header(file: IO[bytes]) -> ExportHeader:
    """The header of a file.

    Raises:
        CliError: it has none that we know.
    """
    line = file.readline(MAX_LINE_BYTES)
    try:
        fields = json.loads(line)
        form, version = fields.pop("format"), fields.pop("version")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise _no_export() from error
    if form != FORMAT:
        raise _no_export()
    if version != VERSION:
        message = f"the file is of version {version}, and this program knows {VERSION} alone"
        raise CliError(message, ExitCode.USAGE)
    try:
        return json_format.ParseDict(fields, ExportHeader(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise _no_export() from error


def read_chunks(file: IO[bytes]) -> Iterator[BlockChunk]:
    """The rest of a file, in chunks, read as they are asked for.

    Raises:
        CliError: a line is longer than any block.
    """
    raws: list[bytes] = []
    size_bytes = 0
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES:
            raise _no_export()
        raw = line.removesuffix(_NEWLINE)
        if raws and (len(raws) == CHUNK_BLOCKS or size_bytes + len(raw) > CHUNK_BYTES):
            yield BlockChunk(raw_blocks=raws)
            raws, size_bytes = [], 0
        raws.append(raw)
        size_bytes += len(raw)
    if raws:
        yield BlockChunk(raw_blocks=raws)


def _no_export() -> CliError:
    return CliError("the file is none that `troupe chain export` wrote", ExitCode.USAGE)
