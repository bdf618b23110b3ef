"""What a power cut may leave on a disk, told from a record of the calls that changed its files (`native/cut.c`).

What POSIX promises, and no more: a file's content is on the disk once the file is synced, and the names in a
directory once that is. Of what was written since, any sectors may be there; of the names that changed since, the
first so many. Must not live here: nodes, or what their files mean.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""
SURVIVING_SHARES = (0.0, 0.5, 1.0)
"""Of what is not synced: nothing, any of it, all of it."""


class Call(NamedTuple):
    """One call: ``w``rite, ``t``runcate, ``s``ync, ``r``ename, ``u``nlink. ``at`` is an offset or a length."""

    kind: str
    path: str
    at: int
    data: bytes


def read_record(record: bytes) -> Iterator[Call]:
    """The calls in their order; the last one may be incomplete, and is then not there."""
    place = 0
    while (end := record.find(b"\n", place)) >= 0:
        kind, at, size, path = record[place:end].decode().split(" ", 3)
        place = end + 1 + int(size)
        if place > len(record):
            return
        yield Call(kind, path, int(at), record[end + 1 : place])


@dataclass(slots=True)
class _File:
    """What is on the disk for sure, and what was done since."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        for call in self.since:
            _apply(self.synced, call)
        self.since.clear()

    def left(self, draw: random.Random) -> bytes:
        """The content that a power cut leaves."""
        content, share = bytearray(self.synced), draw.choice(SURVIVING_SHARES)
        for call in self.since:
            for part in _sectors(call):
                if draw.random() < share:
                    _apply(content, part)
        return bytes(content)


class Disk:
    """One directory without others in it; by the names of its files."""

    def __init__(self, folder: str, content: Mapping[str, bytes]) -> None:
        """Begin with what is on the disk for sure."""
        self._folder = folder
        self._names = {name: _File(bytearray(data)) for name, data in content.items()}
        self._stages = [dict(self._names)]
        """The names as they were at the last sync of the directory, and after each change since."""

    def play(self, calls: Iterator[Call]) -> None:
        for call in calls:
            folder, _, name = call.path.rpartition("/")
            if call.path == self._folder:
                self._stages = [dict(self._names)]
            elif folder == self._folder:
                self._play(name, call)

    def after_cut(self, draw: random.Random) -> dict[str, bytes]:
        """Any of the contents that a power cut may leave now."""
        names = draw.choice((self._stages[0], self._stages[-1], draw.choice(self._stages)))
        return {name: file.left(draw) for name, file in names.items()}

    def _play(self, name: str, call: Call) -> None:
        match call.kind:
            case "w" | "t":
                if name not in self._names:
                    self._names[name] = _File()
                    self._stages.append(dict(self._names))
                self._names[name].since.append(call)
            case "s":
                if name in self._names:
                    self._names[name].sync()
            case "r":
                target = call.data.decode().rpartition("/")[2]
                self._names[target] = self._names.pop(name, _File())
                self._stages.append(dict(self._names))
            case "u":
                self._names.pop(name, None)
                self._stages.append(dict(self._names))
            case _:
                message = f"no call of a file: {call.kind}"
                raise ValueError(message)


def _apply(content: bytearray, call: Call) -> None:
    if call.kind == "t":
        del content[call.at :]
        content.extend(bytes(call.at - len(content)))
        return
    content.extend(bytes(max(0, call.at - len(content))))
    content[call.at : call.at + len(call.data)] = call.data


def _sectors(call: Call) -> Iterator[Call]:
    """The parts of a write that are there or not, each for itself."""
    if call.kind == "t":
        yield call
        return
    begin, end = call.at, call.at + len(call.data)
    while begin < end:
        next_begin = min(end, begin - begin % SECTOR_BYTES + SECTOR_BYTES)
        yield call._replace(at=begin, data=call.data[begin - call.at : next_begin - call.at])
        begin = next_begin
