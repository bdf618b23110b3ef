"""What of the address book outlives the process, and what a file may not make us believe."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.peers.addresses import join_address
from actors.peers.book import (
    GIVE_UP_AFTER,
    LINES_READ_PER_PLACE,
    REDIAL_PROVEN_MOST_S,
    AddressBook,
    Entry,
)
from actors.peers.messages import AddressSource, PeerId

OWN, BOOT = PeerId("own:1"), PeerId("boot:1")
HEARD = AddressSource.PEER_LIST
NOW_S, WALL_S = 500.0, 1_700_000_000.0


def book_of(*, bootstrap: tuple[PeerId, ...] = (), capacity: int = 10) -> AddressBook:
    return AddressBook(
        own=OWN,
        bootstrap=bootstrap,
        capacity=capacity,
        redial_first_s=2.0,
        redial_most_s=64.0,
        rng=random.Random(1),
    )


def again(
    book: AddressBook, later: AddressBook, *, now_s: float = 3.0, pause_s: float = 0.0
) -> dict[str, Entry]:
    """Another life of the book on a clock of its own; what it holds then."""
    lines = list(book.lines(now_s=NOW_S, wall_s=WALL_S))
    assert later.load(lines, now_s=now_s, wall_s=WALL_S + pause_s) == 0
    return dict(later.items())


def loaded(*lines: bytes) -> tuple[int, dict[str, Entry]]:
    book = book_of()
    bad = book.load(lines, now_s=NOW_S, wall_s=WALL_S)
    return bad, dict(book.items())


def test_an_address_comes_back_with_its_source_its_success_and_its_failures() -> None:
    book = book_of()
    book.add([PeerId("a:1")], AddressSource.HELLO)
    book.answered(PeerId("a:1"), NOW_S - 100.0)
    book.failed(PeerId("a:1"), NOW_S)
    entry = again(book, book_of(), pause_s=60.0)["a:1"]
    assert (entry.source, entry.failures, entry.hearsay) == (AddressSource.HELLO, 1, False)
    assert entry.answered_s == 3.0 - 160.0


def test_a_back_off_goes_on_for_what_is_left_of_it() -> None:
    book = book_of()
    book.add([PeerId("a:1")], HEARD)
    book.rest(PeerId("a:1"), NOW_S + 600.0)
    assert again(book, book_of(), pause_s=500.0)["a:1"].due_s == 103.0
    assert again(book, book_of(), pause_s=700.0)["a:1"].due_s == 3.0


def test_proven_addresses_are_saved_and_come_back_first() -> None:
    book = book_of()
    book.add(map(PeerId, ("a:1", "b:1", "c:1")), HEARD)
    book.answered(PeerId("c:1"), NOW_S)
    assert next(book.lines(now_s=NOW_S, wall_s=WALL_S)).startswith(b"c:1\t")
    smaller = book_of(capacity=1)
    assert set(again(book, smaller)) == {"c:1"}
    later = book_of()
    again(book, later)
    assert later.due(NOW_S, 1, ()) == ["c:1"]


def test_who_is_there_again_after_many_failures_comes_back_as_proven() -> None:
    book, later = book_of(), book_of()
    book.answered(PeerId("a:1"), NOW_S)
    for _ in range(2 * GIVE_UP_AFTER):
        book.failed(PeerId("a:1"), NOW_S)
    book.answered(PeerId("a:1"), NOW_S)
    assert not again(book, later)["a:1"].hearsay


def test_a_bootstrap_address_is_dialed_at_once_whatever_it_did_before() -> None:
    book = book_of(bootstrap=(BOOT,))
    for _ in range(3 * GIVE_UP_AFTER):
        book.failed(BOOT, NOW_S)
    book.answered(BOOT, NOW_S - 5.0)
    later = book_of(bootstrap=(BOOT,))
    entry = again(book, later)[BOOT]
    assert (entry.source, entry.failures) == (AddressSource.CONFIGURED, 0)
    assert entry.answered_s == -2.0
    assert later.due(3.0, 9, ()) == [BOOT]


def test_a_bootstrap_address_of_an_earlier_life_can_be_given_up() -> None:
    book = book_of(bootstrap=(BOOT,))
    later = book_of()
    assert again(book, later)[BOOT].source is AddressSource.OPERATOR
    for _ in range(GIVE_UP_AFTER):
        later.failed(BOOT, 3.0)
    assert BOOT not in later
    for _ in range(GIVE_UP_AFTER):
        book.failed(BOOT, NOW_S)
    assert again(book, book_of()) == {}


def test_our_own_address_is_not_taken_from_a_file() -> None:
    assert loaded(b"own:1\thello\t-\t0\t0") == (0, {})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"a:1",
        b"a:1\thello\t-\t0",
        b"a:1\thello\t-\t0\t0\t0",
        b"nonsense\thello\t-\t0\t0",
        b"a:0\thello\t-\t0\t0",
        b"a:1\tgossip\t-\t0\t0",
        b"a:1\thello\tsoon\t0\t0",
        b"a:1\thello\tnan\t0\t0",
        b"a:1\thello\tinf\t0\t0",
        b"a:1\thello\t-\t-1\t0",
        b"a:1\thello\t-\t0.5\t0",
        b"a:1\thello\t-\t" + b"9" * 5_000 + b"\t0",
        b"a:1\thello\t-\t0\tnan",
        b"a:1\thello\t-\t0\t1e999",
    ],
)
def test_a_line_that_is_no_address_is_counted_and_the_others_are_read(line: bytes) -> None:
    bad, entries = loaded(line, b"b:1\thello\t-\t0\t0")
    assert (bad, set(entries)) == (1, {"b:1"})


def test_a_clock_that_was_set_back_neither_proves_nor_silences_an_address() -> None:
    bad, entries = loaded(b"a:1\thello\t1900000000\t1\t1900000000")
    assert bad == 0
    assert entries["a:1"].answered_s == NOW_S
    assert entries["a:1"].due_s == NOW_S + REDIAL_PROVEN_MOST_S


def test_no_more_are_loaded_than_there_is_room_for() -> None:
    lines = [b"h:%d\thello\t-\t0\t0" % port for port in range(1, 100)]
    book = book_of(capacity=7)
    assert book.load(lines, now_s=NOW_S, wall_s=WALL_S) == 0
    assert len(book) == 7


def test_of_an_endless_file_no_more_is_read_than_a_book_may_have() -> None:
    endless, book = itertools.repeat(b"nonsense"), book_of(capacity=7)
    assert book.load(endless, now_s=NOW_S, wall_s=WALL_S) == 7 * LINES_READ_PER_PLACE


@given(
    st.dictionaries(
        st.builds(
            join_address,
            st.ip_addresses().map(str).filter(lambda ip: "." in ip or ":" in ip),
            st.integers(1, 65_535),
        ),
        st.tuples(
            st.sampled_from([AddressSource.OPERATOR, AddressSource.HELLO, HEARD]),
            st.none() | st.integers(-1_000_000, 0),
            st.integers(0, GIVE_UP_AFTER - 1),
        ),
        max_size=10,
    )
)
def test_whatever_is_saved_is_read_again(
    known: dict[PeerId, tuple[AddressSource, int | None, int]],
) -> None:
    book = book_of()
    for address, (source, answered_s, failures) in known.items():
        book.add([address], source)
        if answered_s is not None:
            book.answered(address, answered_s)
        for _ in range(failures):
            book.failed(address, NOW_S)
    former, entries = dict(book.items()), again(book, book_of(), now_s=NOW_S)
    assert entries.keys() == former.keys()
    for name, entry in entries.items():
        was = former[PeerId(name)]
        assert (entry.source, entry.failures, entry.hearsay) == (
            was.source,
            was.failures,
            was.hearsay,
        )
        assert entry.answered_s == was.answered_s
        assert abs(entry.due_s - max(NOW_S, was.due_s)) <= 1.0
