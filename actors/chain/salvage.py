"""Takes the blocks out of a damaged store: page by page, whatever became of the tables that they belong to.

A block proves itself by its hash, so nothing else of the file has to be trusted: neither its header, nor an
index, nor which page belongs to what. Reads SQLite's own format (sqlite.org/fileformat2.html: leaf pages of
tables, overflow pages, the write-ahead log). Must not live here: whether the blocks follow (`repair`).
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from actors.ledger.types import HASH_BYTES

PAGE_BYTES = 4096
"""Of the stores that we make; assumed where the file does not say."""
PROGRESS_EVERY_PAGES = 4096
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_LEAF = 0x0D
_LOG_MAGICS = (0x377F0682, 0x377F0683)
_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Of the serial types 0 to 9."""
_FIRST_BLOB = 12
MAX_RECORD_BYTES = 2 * 1024 * 1024
"""Twice what a block may have: pages that lead in a circle end there."""
_LEAST_PAGE_BYTES = 512
_HIGH_BIT = 0x80
_MAX_COLUMNS = 8
"""More than any table of ours has."""


class Looked(NamedTuple):
    """So many pages out of so many were looked at, and the bytes of blocks found since the last time."""

    done: int
    total: int
    raws: list[bytes]


class PageError(Exception):
    """A page does not hold what its form promises."""


def salvage(path: Path) -> Generator[Looked, None, None]:
    """The bytes of every block that can be read, in no order, some perhaps twice.

    Raises:
        OSError: There is no such file, or it may not be read at all.
    """
    with _Pages(path) as pages:
        raws: list[bytes] = []
        for done, number in enumerate(pages.numbers(), 1):
            raws += _blocks_of(pages, number)
            if done % PROGRESS_EVERY_PAGES == 0:
                yield Looked(done, pages.count, raws)
                raws = []
        yield Looked(pages.count, pages.count, raws)


class _Pages:
    """The pages of a file as its log says they are since the last commit."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._log: int | None = None
        self._frames: dict[int, int] = {}
        """Where in the log a page is."""
        header = self._read(self._file, 0, _HEADER_BYTES)
        self.bytes, self.usable_bytes = _page_bytes(header)
        self._in_file = -(-os.fstat(self._file).st_size // self.bytes)
        with suppress(OSError):
            # SQLite keeps the log beside the file itself, wherever a link to it lies.
            self._log = os.open(f"{path.resolve()}-wal", os.O_RDONLY)
            self._index_log(self._log)
        self._beyond = sorted(n for n in self._frames if n > self._in_file)
        self.count = self._in_file + len(self._beyond)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for descriptor in (self._file, self._log):
            if descriptor is not None:
                os.close(descriptor)

    def numbers(self) -> Iterator[int]:
        """All of those that are in the file or in its log."""
        return chain(range(1, self._in_file + 1), self._beyond)

    def page(self, number: int) -> bytes:
        """A page, shorter or empty where the disk does not give it back."""
        offset = self._frames.get(number)
        if offset is not None and self._log is not None:
            return self._read(self._log, offset, self.bytes)
        return self._read(self._file, (number - 1) * self.bytes, self.bytes)

    def _index_log(self, log: int) -> None:
        header = self._read(log, 0, _LOG_HEADER_BYTES)
        if int.from_bytes(header[:4]) not in _LOG_MAGICS:
            return
        salts, offset = header[16:24], _LOG_HEADER_BYTES
        frame_bytes = _FRAME_HEADER_BYTES + self.bytes
        size_bytes, begun = os.fstat(log).st_size, dict[int, int]()
        while offset + frame_bytes <= size_bytes:
            frame = self._read(log, offset, _FRAME_HEADER_BYTES)
            if frame[8:16] != salts:  # left by an earlier round of the log, as is all behind it
                return
            begun[int.from_bytes(frame[:4])] = offset + _FRAME_HEADER_BYTES
            if any(frame[4:8]):  # the last of a commit
                self._frames |= begun
                begun.clear()
            offset += frame_bytes

    @staticmethod
    def _read(descriptor: int, offset: int, size: int) -> bytes:
        try:
            return os.pread(descriptor, size, offset)
        except OSError:
            return b""


def _page_bytes(header: bytes) -> tuple[int, int]:
    """How long a page is, and how much of it is used."""
    size = int.from_bytes(header[16:18])
    size = 65_536 if size == 1 else size
    reserved = header[20] if len(header) == _HEADER_BYTES else 0
    is_told = header.startswith(_MAGIC) and size >= _LEAST_PAGE_BYTES and not size & (size - 1)
    return (size, size - reserved) if is_told else (PAGE_BYTES, PAGE_BYTES)


def _blocks_of(pages: _Pages, number: int) -> list[bytes]:
    """The blocks that a page holds, or begins to hold, if it is one of a table."""
    page, start = pages.page(number), _HEADER_BYTES if number == 1 else 0
    if len(page) < pages.bytes or page[start] != _LEAF:
        return []
    cells = int.from_bytes(page[start + 3 : start + 5])
    found = []
    for cell in range(cells):
        at = start + 8 + 2 * cell
        with suppress(PageError, IndexError):
            raw = _block_of(_payload(pages, page, int.from_bytes(page[at : at + 2])))
            if raw is not None:
                found.append(raw)
    return found


def _payload(pages: _Pages, page: bytes, at: int) -> bytes:
    """The record of a cell, gathered from the pages over which it goes.

    Raises:
        PageError, IndexError: It goes nowhere.
    """
    size, at = _varint(page, at)
    _, at = _varint(page, at)  # the row's id
    if size > MAX_RECORD_BYTES:
        raise PageError
    usable = pages.usable_bytes
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if size <= most:
        return page[at : at + size]
    local = least + (size - least) % (usable - 4)
    local = local if local <= most else least
    parts, left = [page[at : at + local]], size - local
    following = int.from_bytes(page[at + local : at + local + 4])
    while left > 0:
        overflow = pages.page(following) if following else b""
        if len(overflow) < usable:
            raise PageError
        parts.append(overflow[4 : 4 + min(left, usable - 4)])
        left -= usable - 4
        following = int.from_bytes(overflow[:4])
    return b"".join(parts)


def _block_of(record: bytes) -> bytes | None:
    """The bytes of the block in a row of `blocks` or `pending`: the last column, whose hash is the second.

    Raises:
        IndexError: It is no record.
    """
    end, at = _varint(record, 0)
    kinds: list[int] = []
    while at < end and len(kinds) < _MAX_COLUMNS:
        kind, at = _varint(record, at)
        kinds.append(kind)
    columns, at = [], end
    for kind in kinds:
        size = _INTEGER_BYTES[kind] if kind < len(_INTEGER_BYTES) else (kind - _FIRST_BLOB) // 2
        columns.append(record[at : at + max(0, size)])
        at += max(0, size)
    raw, told = columns[-1], columns[1]
    return raw if len(told) == HASH_BYTES and sha256(raw).digest() == told else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends.

    Raises:
        IndexError: The data ends before it.
    """
    value = 0
    for each in range(8):
        byte = data[at + each]
        value = value << 7 | byte & 0x7F
        if byte < _HIGH_BIT:
            return value, at + each + 1
    return value << 8 | data[at + 8], at + 9
