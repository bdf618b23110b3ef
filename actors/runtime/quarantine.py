"""The quarantine: what felled an actor twice, kept for inspection and not let in again.

Bounded in number and bytes, the oldest out first: whoever can make an actor fall is not to fill a disk too.
Must not live here: what is in a letter (`actors.letters`), or what becomes of its sender (the peers room).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, assert_never

from actors.runtime.address import Ask
from actors.runtime.clock import LATEST_S
from actors.runtime.files import read_whole, write_whole

log = logging.getLogger(__name__)

MAX_EXHIBITS = 64
"""More different poison than that is one cause, and 64 examples of it suffice."""
MAX_TOTAL_BYTES = 16 * 1024 * 1024
"""Of frames, in all: sixteen of the largest. As hexadecimal text they take twice as much of the disk."""
MAX_FILE_BYTES = 4 * 1024 * 1024
"""The largest frame as text, and the words around it."""
MAX_ERROR_CHARS = 8_192
"""A traceback of some eighty calls; a deeper one repeats itself."""
MAX_REFUSED = 1_024
"""Contents that are refused, of 32 bytes: also those whose exhibit had to make room."""
DIRECTORY_MODE = 0o700
_NUMBER = re.compile(r"[0-9]{6,9}")
"""As files have it; what is longer is no number that the contract can show."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a peer sent: the kind of its message, if it could be read, and the bytes. Value."""

    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Find:
    """What felled an actor. Value.

    Attributes:
        actor: Who fell over it.
        letter: The type of the message.
        error: The exception with its traceback.
        peer: Who sent it: a peer's address, or that of its socket; empty: nobody knows any more.
        fingerprint: Of the content, whatever its ids: what is refused from now on; empty: nothing is, since
            it could not be tried a second time.
    """

    actor: str
    letter: str
    error: str
    peer: str
    frames: tuple[Frame, ...]
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A find as it is kept; ``at_s`` is Unix time, ``version`` that of the software that fell. Value.

    Attributes:
        unread_bytes: Of a file that can be read no more: then the find has nothing but that for its error,
            and ``at_s`` is when that was seen.
    """

    id: int
    at_s: float
    version: str
    find: Find
    unread_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        return sum(len(frame.payload) for frame in self.find.frames) + self.unread_bytes


@dataclass(frozen=True, slots=True)
class ListQuarantine(Ask[tuple[Exhibit, ...]]):
    """Everything that is kept, oldest first. Ask: tuple of Exhibit."""


@dataclass(frozen=True, slots=True)
class GetQuarantined(Ask["Exhibit | None"]):
    """Ask: Exhibit, or None if there is no such."""

    id: int


@dataclass(frozen=True, slots=True)
class ClearQuarantine(Ask[int]):
    """Throw away an exhibit, None: all, and let in again what it is; how many they were. Ask: int."""

    id: int | None


QuarantineQuestion = ListQuarantine | GetQuarantined | ClearQuarantine


class Cabinet(Protocol):
    """Where exhibits outlive the process, each under its number."""

    def load(self) -> Iterable[tuple[int, bytes | OSError]]:
        """Everything that is there, in the order of its numbers, or why it cannot be read."""

    def last(self) -> int:
        """The highest number that was ever given, also of what is deleted; 0: none is known."""

    def save(self, number: int, data: bytes) -> None:
        """The number is remembered from now on. Raises OSError: the disk refused."""

    def delete(self, number: int) -> None:
        """Harmless where there is none."""


class NoCabinet:
    """Keeps nothing."""

    def load(self) -> Iterable[tuple[int, bytes | OSError]]:
        return ()

    def last(self) -> int:
        return 0

    def save(self, number: int, data: bytes) -> None:
        """It ends with the process."""

    def delete(self, number: int) -> None:
        """There is none."""


class FileCabinet:
    """A directory with a file for each exhibit, and one for the last number; for its owner alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> Iterator[tuple[int, bytes | OSError]]:
        """Somebody else's files are left alone."""
        try:
            paths = tuple(self._directory.glob("*.json"))
        except OSError:
            return
        numbers = {number for path in paths if (number := _number_in(path.stem))}
        for number in sorted(numbers):
            try:
                yield number, read_whole(self._path(number), MAX_FILE_BYTES)
            except OSError as error:
                yield number, error

    def last(self) -> int:
        try:
            text = read_whole(self._last, MAX_FILE_BYTES).decode("ascii")
        except (OSError, ValueError):
            return 0
        return _number_in(text.strip()) or 0

    def save(self, number: int, data: bytes) -> None:
        self._directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        write_whole(self._last, f"{_digits(number)}\n".encode(), durable=False)
        write_whole(self._path(number), data, durable=False)

    def delete(self, number: int) -> None:
        try:
            self._path(number).unlink(missing_ok=True)
        except OSError as error:
            log.warning("exhibit %d cannot be deleted: %s", number, error)

    @property
    def _last(self) -> Path:
        return self._directory / "last"

    def _path(self, number: int) -> Path:
        return self._directory / f"{_digits(number)}.json"


def _digits(number: int) -> str:
    return f"{number:06d}"


def _number_in(text: str) -> int | None:
    """The number that has these digits, if it is one of an exhibit."""
    number = int(text) if _NUMBER.fullmatch(text) else 0
    return number if number and _digits(number) == text else None


class Quarantine:
    """The exhibits. The supervisor's thread, but for :attr:`refused`, which any may read."""

    def __init__(
        self,
        cabinet: Cabinet | None = None,
        *,
        version: str = "",
        wall_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._cabinet, self._version, self._wall_s = cabinet or NoCabinet(), version, wall_s
        self._exhibits: dict[int, Exhibit] = {}
        self._fingerprints: dict[bytes, None] = {}
        self.refused: frozenset[bytes] = frozenset()
        """The contents that are not let in: replaced as a whole."""
        for number, found in self._cabinet.load():
            self._exhibits[number] = _read(number, found, self._wall_s())
        self._last = max((self._cabinet.last(), *self._exhibits))
        """A number names one exhibit for ever, in reports and for whoever deletes it."""
        # Another version may have mended what fell over it.
        kept = self._exhibits.values()
        self._refuse(*(each.find.fingerprint for each in kept if each.version == version))
        self._make_room()

    def take(self, find: Find) -> bool:
        """Keep a find; False: the same content is kept already."""
        if find.fingerprint and find.fingerprint in self._fingerprints:
            return False
        number = self._last = self._last + 1
        exhibit = Exhibit(number, self._wall_s(), self._version, find)
        self._exhibits[number] = exhibit
        self._refuse(find.fingerprint)
        self._make_room()
        try:
            self._cabinet.save(number, _written(exhibit))
        except OSError as error:
            log.error("exhibit %d of the quarantine could not be saved: %s", number, error)  # noqa: TRY400
        return True

    def answer(self, question: QuarantineQuestion) -> object:
        match question:
            case ListQuarantine():
                return tuple(self._exhibits.values())
            case GetQuarantined(number):
                return self._exhibits.get(number)
            case ClearQuarantine(None):
                deleted = sum(map(self._clear, tuple(self._exhibits)))
                self._fingerprints.clear()  # also those whose exhibit had to make room
                self._refuse()
                return deleted
            case ClearQuarantine(number):
                return int(number is not None and self._clear(number))
            case _:
                assert_never(question)

    def _clear(self, number: int) -> bool:
        exhibit = self._discard(number)
        if exhibit is None:
            return False
        self._fingerprints.pop(exhibit.find.fingerprint, None)
        self._refuse()
        return True

    def _discard(self, number: int) -> Exhibit | None:
        exhibit = self._exhibits.pop(number, None)
        if exhibit is not None:
            self._cabinet.delete(number)
        return exhibit

    def _refuse(self, *fingerprints: bytes) -> None:
        self._fingerprints |= dict.fromkeys(filter(None, fingerprints))
        while len(self._fingerprints) > MAX_REFUSED:
            del self._fingerprints[next(iter(self._fingerprints))]
        self.refused = frozenset(self._fingerprints)

    def _make_room(self) -> None:
        while (
            len(self._exhibits) > MAX_EXHIBITS
            or sum(each.size_bytes for each in self._exhibits.values()) > MAX_TOTAL_BYTES
        ):
            self._discard(next(iter(self._exhibits)))


def _written(exhibit: Exhibit) -> bytes:
    find = exhibit.find
    fields = {
        "at_s": exhibit.at_s,
        "version": exhibit.version,
        "actor": find.actor,
        "letter": find.letter,
        "error": find.error,
        "peer": find.peer,
        "fingerprint": find.fingerprint.hex(),
        "frames": [{"kind": each.kind, "payload": each.payload.hex()} for each in find.frames],
    }
    return json.dumps(fields, indent=1).encode() + b"\n"


def _read(number: int, found: bytes | OSError, now_s: float) -> Exhibit:
    """What its file holds; of one that is damaged, that it is."""
    try:
        if isinstance(found, OSError):
            raise found
        return _parsed(number, found)
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        reason = f"its file is damaged: {error!r}"[:MAX_ERROR_CHARS]  # it may quote all of the file
        log.warning("exhibit %d of the quarantine cannot be shown: %s", number, reason)
        unread_bytes = len(found) if isinstance(found, bytes) else 0
        return Exhibit(number, now_s, "", Find("", "", reason, "", ()), unread_bytes)


def _parsed(number: int, data: bytes) -> Exhibit:
    """Raises ValueError, TypeError, KeyError, OverflowError or RecursionError: it is no exhibit."""
    fields: dict[str, Any] = json.loads(data)
    json.dumps(fields, ensure_ascii=False).encode()  # a lone surrogate could not be shown
    find = Find(
        actor=str(fields["actor"]),
        letter=str(fields["letter"]),
        error=str(fields["error"]),
        peer=str(fields["peer"]),
        frames=tuple(
            Frame(str(each["kind"]), bytes.fromhex(each["payload"])) for each in fields["frames"]
        ),
        fingerprint=bytes.fromhex(fields["fingerprint"]),
    )
    return Exhibit(number, _time_of(fields["at_s"]), str(fields["version"]), find)


def _time_of(value: Any) -> float:
    """Raises ValueError, TypeError or OverflowError: it is no time."""
    at_s = float(value)
    if not 0 <= at_s < LATEST_S:
        message = f"{at_s} is no Unix time"
        raise ValueError(message)
    return at_s
