"""The address book: where peers might be found, and when an address is worth a dial.

Lives here: known addresses, their failures, the back-off, their text form. Must not live here: who is a
peer now (`table`), dialing, or files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from math import inf, isfinite

from actors.peers.addresses import parse_address
from actors.peers.messages import AddressSource, PeerId
from actors.peers.shares import Shares, Spot, is_teller, spot_of

GIVE_UP_AFTER = 8
"""Failures in a row, some minutes of back-off: an address from a list is not worth more. One that answered
once stays until its place is needed: it may be us who are cut off, and for days.
"""
REDIAL_PROVEN_MOST_S = 3_600.0
"""Between the tries of an address that answered once, and has failed often since."""
MAX_FAILURES = 2**31 - 1
"""In a saved book: no address fails so often, and the number can be shown to everybody."""
MAX_DOUBLINGS = 32
"""Keeps the power finite; every back-off has long reached its upper bound by then."""
REST_S = 600.0
"""An address that we parted with on purpose, or that is ourselves, is left alone (WIRE: limits)."""
LINES_READ_PER_PLACE = 2
"""Of a saved book, which begins with the proven addresses; some of its lines may be damaged."""

_SEPARATOR = "\t"  # in no address
_FIELDS = (5, 6)
"""The sixth, who told it, came later."""
_NEVER = _NOBODY = "-"
_TRUSTED = (AddressSource.CONFIGURED, AddressSource.OPERATOR)
"""Whose addresses are no peer's to limit."""
_SOURCES = {source: source.value for source in AddressSource}


@dataclass(slots=True)
class Entry:
    """What is known of an address; times by the clock that never goes back."""

    source: AddressSource
    answered_s: float | None = None
    """When it last accepted us: better than hearsay, so hearsay does not displace it."""
    failures: int = 0
    due_s: float = 0.0
    teller: str | None = None
    """Whose share of the book it takes (`shares`)."""
    hearsay: bool = field(init=False)
    """Nobody vouches for it: it never answered, or has failed to for long."""

    def __post_init__(self) -> None:
        self.judge()

    def judge(self) -> None:
        """After a change, see what the address is worth."""
        unproven = self.answered_s is None or self.failures >= GIVE_UP_AFTER
        self.hearsay = unproven and not self.bootstrap

    @property
    def bootstrap(self) -> bool:
        """Told by the operator: never forgotten, dialed for ever."""
        return self.source is AddressSource.CONFIGURED

    @property
    def hopeless(self) -> bool:
        """Not worth another dial."""
        never_answered = self.answered_s is None and not self.bootstrap
        return never_answered and self.failures >= GIVE_UP_AFTER


class AddressBook:
    """At most ``capacity`` addresses beside the bootstrap ones; never our own.

    What a peer tells takes the place of failures, and beyond his share that of what he told before.
    """

    def __init__(
        self,
        *,
        own: PeerId,
        bootstrap: Iterable[PeerId],
        capacity: int,
        redial_first_s: float,
        redial_most_s: float,
        rng: random.Random,
    ) -> None:
        self._own = own
        self._first_s, self._most_s, self._rng = redial_first_s, redial_most_s, rng
        self._entries = {peer: Entry(AddressSource.CONFIGURED) for peer in bootstrap if peer != own}
        self._capacity = capacity + len(self._entries)
        self._shares = Shares(capacity)
        self._failing: dict[PeerId, None] = {}
        """Hearsay that failed, the one first that did so longest ago."""
        self.changes = 0
        """Grows with whatever is worth saving."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, address: PeerId) -> bool:
        return address in self._entries

    def items(self) -> Iterator[tuple[PeerId, Entry]]:
        """Every address and what is known of it."""
        return iter(self._entries.items())

    def add(
        self, addresses: Iterable[PeerId], source: AddressSource, teller: str | None = None
    ) -> None:
        """Note addresses that somebody told, as far as there is a place for them; ``teller``: whose share
        of the book they take (`shares.teller_of`).
        """
        for address in addresses:
            if address != self._own and address not in self._entries:
                self._note(address, Entry(source, teller=teller))

    def due(
        self,
        now_s: float,
        limit: int,
        taken: Container[PeerId],
        is_barred: Callable[[PeerId], bool] = lambda _address: False,
    ) -> list[PeerId]:
        """At most ``limit`` addresses to dial now: proven ones first, otherwise in random order.

        Costs one look at every address, and a question of ``is_barred`` for those alone that are drawn.
        """
        proven, hearsay = list[PeerId](), list[PeerId]()
        for address, entry in self._entries.items():
            if entry.due_s <= now_s and address not in taken:
                (hearsay if entry.hearsay else proven).append(address)
        drawn = list[PeerId]()
        for addresses in (proven, hearsay):
            while addresses and len(drawn) < limit:
                address = self._draw(addresses)
                if not is_barred(address):
                    drawn.append(address)
        return drawn

    def answered(self, address: PeerId, now_s: float) -> None:
        """A hello to this address was accepted; one that the book did not hold was an operator's.

        It is no hearsay while it is there, whatever its failures, which only lasting makes good.
        """
        if address not in self._entries and len(self._entries) >= self._capacity:
            hearsay = (each for each, entry in self._entries.items() if entry.hearsay)
            self._forget(next(iter(self._failing), None) or next(hearsay, None))
        self.add((address,), AddressSource.OPERATOR)
        if (entry := self._entries.get(address)) is not None:
            entry.answered_s = now_s
            entry.failures = min(entry.failures, GIVE_UP_AFTER - 1)
            self._judge(address, entry)
            self.changes += 1

    def failed(self, address: PeerId, now_s: float, *, lasted_s: float = 0.0) -> float | None:
        """A dial came to nothing, or a peer was lost after ``lasted_s``.

        Returns the seconds until the next try; None: there will be none. A peer that lasted has made
        good for its failures, one that accepts and hangs up has not.
        """
        entry = self._entries.get(address)
        if entry is None:
            return None
        self.changes += 1
        entry.failures = 1 if lasted_s >= self._most_s else entry.failures + 1
        self._judge(address, entry)
        if entry.hopeless:
            self._forget(address)
            return None
        most_s = self._most_s if entry.bootstrap or not entry.hearsay else REDIAL_PROVEN_MOST_S
        doublings = min(entry.failures - 1, MAX_DOUBLINGS)
        delay_s = min(most_s, self._first_s * (1 << doublings)) * self._rng.uniform(0.5, 1.0)
        entry.due_s = now_s + delay_s
        return delay_s

    def rest(self, address: PeerId, until_s: float) -> None:
        """Leave the address alone until then."""
        if (entry := self._entries.get(address)) is not None:
            entry.due_s = max(entry.due_s, until_s)
            self.changes += 1

    # -- its text form --------------------------------------------------------------------------

    def lines(self, *, now_s: float, wall_s: float) -> Iterator[bytes]:
        """What is known as text, for :meth:`load`: times as Unix time, the proven addresses first."""
        ahead_s = wall_s - now_s
        for address, entry in sorted(self._entries.items(), key=lambda item: item[1].hearsay):
            answered = _NEVER if entry.answered_s is None else int(ahead_s + entry.answered_s)
            due = int(ahead_s + entry.due_s)
            source, teller = _SOURCES[entry.source], entry.teller or _NOBODY
            fields = f"{address}\t{source}\t{answered}\t{entry.failures}\t{due}\t{teller}"
            yield fields.encode("ascii")

    def load(self, lines: Iterable[bytes], *, now_s: float, wall_s: float) -> int:
        """Take in a saved book, as far as there is room and everybody's share goes; how many lines make no
        sense. No book has many more lines than this: a file that has, by whatever accident, must not
        keep the sockets waiting.

        A bootstrap address is dialed at once: its operator has just said that it is there. Of one
        that was in an earlier life the operator has spoken, too, but it can be given up.
        """
        bad = 0
        for line in islice(lines, LINES_READ_PER_PLACE * self._capacity):
            read = _read(line, now_s, wall_s)
            if read is None:
                bad += 1
                continue
            address, entry = read
            if (known := self._entries.get(address)) is not None:
                known.answered_s = entry.answered_s
                self._judge(address, known)
            elif address != self._own and not entry.hopeless:
                self._note(address, entry)
        return bad

    # -- its inner life -------------------------------------------------------------------------

    def _draw(self, addresses: list[PeerId]) -> PeerId:
        """Take out any of them, wherever it stands, at the same cost."""
        index = self._rng.randrange(len(addresses))
        addresses[index], addresses[-1] = addresses[-1], addresses[index]
        return addresses.pop()

    def _note(self, address: PeerId, entry: Entry) -> None:
        """Take in an address, if a place can be made for it."""
        if entry.source in _TRUSTED:
            if not self._make_room(entry):
                return
        else:
            spot = spot_of(address, entry.teller)
            if spot is None or not self._make_place(spot, entry):
                return
            self._shares.enter(address, spot)
        self._entries[address] = entry
        self._judge(address, entry)
        self.changes += 1

    def _make_place(self, spot: Spot, entry: Entry) -> bool:
        """Make room at the cost of failures, or of what the same one told before; hearsay that nobody has
        tried is as good as other news.
        """
        for taken in self._shares.full(spot):
            failed = [each for each in taken if each in self._failing]
            if not failed:
                return False
            self._forget(max(failed, key=lambda each: self._entries[each].failures))
        if entry.hearsay and self._shares.has_told_enough(spot.teller):
            told = tuple(self._shares.told(spot.teller))
            self._forget(next((each for each in told if each in self._failing), told[0]))
        return self._make_room(entry)

    def _make_room(self, entry: Entry) -> bool:
        """Whether there is room for one more: the one that failed longest ago makes way, or one of who
        has told more than his part.
        """
        if len(self._entries) >= self._capacity:
            greediest = self._shares.greediest(entry.teller) if entry.teller else None
            self._forget(
                next(iter(self._failing), None) or next(self._shares.told(greediest), None)
            )
        return len(self._entries) < self._capacity

    def _judge(self, address: PeerId, entry: Entry) -> None:
        """After a change, see what the address is worth, and to whom it counts."""
        entry.judge()
        self._failing.pop(address, None)
        if entry.hearsay and entry.failures:
            self._failing[address] = None
        if entry.teller is not None:
            self._shares.judge(address, entry.teller, is_hearsay=entry.hearsay)

    def _forget(self, address: PeerId | None) -> None:
        if address is not None:
            del self._entries[address]
            self._failing.pop(address, None)
            self._shares.leave(address)


def _read(line: bytes, now_s: float, wall_s: float) -> tuple[PeerId, Entry] | None:
    """A saved address, judged like one from the network; None: the line is none.

    Clocks are set, and files copied: what answered in the future did so now, and nobody rests for longer
    than he could have been told to.
    """
    fields = line.decode("ascii", "replace").split(_SEPARATOR)
    if len(fields) not in _FIELDS:
        return None
    address = parse_address(fields[0])
    teller = None if fields[5:] in ([], [_NOBODY]) else fields[5]
    try:
        source = AddressSource(fields[1])
        answered_s = None if fields[2] == _NEVER else float(fields[2])
        failures, due_s = int(fields[3]), float(fields[4])
    except ValueError:
        return None
    if address is None or not 0 <= failures <= MAX_FAILURES or not isfinite(due_s):
        return None
    if teller is not None and not is_teller(teller):
        return None
    if answered_s is not None:
        if not 0 <= answered_s < inf:
            return None
        answered_s = now_s - max(0.0, wall_s - answered_s)
    if source in _TRUSTED:
        source, teller = AddressSource.OPERATOR, None
    wait_s = min(max(0.0, due_s - wall_s), REDIAL_PROVEN_MOST_S)
    return address, Entry(source, answered_s, failures, now_s + wait_s, teller)
