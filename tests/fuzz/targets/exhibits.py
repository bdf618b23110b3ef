"""Saved exhibits of the quarantine: whatever is in the files, a node starts, and can show what it kept."""

from __future__ import annotations

from collections.abc import Iterable

from actors.runtime.quarantine import MAX_EXHIBITS, ListQuarantine, Quarantine
from admin.convert import exhibit
from tests.fuzz.draw import Draw

VERSION = "1"


class Cabinet:
    """Files in memory."""

    def __init__(self, files: Iterable[bytes]) -> None:
        self.files = dict(enumerate(files, 1))

    def load(self) -> Iterable[tuple[int, bytes]]:
        return tuple(self.files.items())

    def last(self) -> int:
        return 0

    def save(self, number: int, data: bytes) -> None:
        self.files[number] = data

    def delete(self, number: int) -> None:
        self.files.pop(number, None)


def one_input(data: bytes) -> None:
    draw = Draw(data)
    files = []
    while draw:
        files.append(draw.blob())
    quarantine = Quarantine(Cabinet(files), version=VERSION)
    kept = quarantine.answer(ListQuarantine())
    assert isinstance(kept, tuple)
    assert len(kept) == min(len(files), MAX_EXHIBITS)  # shown, damaged or not: none is so large
    for each in kept:
        exhibit(each, with_frames=True).SerializeToString()
    # What is found once more is saved in such a way that the next start has it.
    cabinet = Cabinet(())
    first = Quarantine(cabinet, version=VERSION)
    taken = [each.find for each in kept if first.take(each.find)]
    again = Quarantine(cabinet, version=VERSION).answer(ListQuarantine())
    assert isinstance(again, tuple)
    assert [each.find for each in again] == taken
