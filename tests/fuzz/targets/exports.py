"""Files of blocks, which come from anybody: read, or refused in a sentence."""

from __future__ import annotations

from io import BytesIO

from troupe.admin.v1.chain_service_pb2 import BlockChunk

from actors.chain.importer import decode_run
from admin.cli.blocks_file import (
    CHUNK_BLOCKS,
    CHUNK_BYTES,
    read_chunks,
    read_header,
    write_blocks,
    write_header,
)
from admin.cli.exits import CliError


def one_input(data: bytes) -> None:
    file = BytesIO(data)
    try:
        header = read_header(file)
    except CliError:
        return
    chunks = list(read_chunks(file))
    raws = [raw for chunk in chunks for raw in chunk.raw_blocks]
    assert all(is_bounded(chunk) for chunk in chunks)
    decode_run(raws)
    copy = BytesIO()
    write_header(copy, header)
    for chunk in chunks:
        write_blocks(copy, chunk)
    copy.seek(0)
    assert read_header(copy) == header
    assert [raw for chunk in read_chunks(copy) for raw in chunk.raw_blocks] == raws


def is_bounded(chunk: BlockChunk) -> bool:
    sizes = [len(raw) for raw in chunk.raw_blocks]
    return 1 <= len(sizes) <= CHUNK_BLOCKS and (len(sizes) == 1 or sum(sizes) <= CHUNK_BYTES)
