"""Nobody fills the address book: not one who tells, not one network, not one host, not a saved file."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.peers.addresses import host_of
from actors.peers.book import AddressBook
from actors.peers.messages import AddressSource, PeerId
from actors.peers.shares import (
    LEAST_SHARE,
    MAX_PER_HOST,
    SHARES,
    is_teller,
    may_tell,
    teller_of,
)
from actors.runtime.hosts import host_key, network_of

HEARD = AddressSource.PEER_LIST
CAPACITY = 400
SHARE = CAPACITY // SHARES
LIAR, HONEST = "6.6.0.0/16", "8.8.0.0/16"


def book_of(capacity: int = CAPACITY) -> AddressBook:
    return AddressBook(
        own=PeerId("own:1"),
        bootstrap=(),
        capacity=capacity,
        redial_first_s=2.0,
        redial_most_s=64.0,
        rng=random.Random(1),
    )


def spread(count: int, first: int = 1) -> list[PeerId]:
    """Addresses in a network each."""
    return [PeerId(f"{20 + n // 250}.{n % 250}.0.1:1") for n in range(first, first + count)]


def known(book: AddressBook) -> set[str]:
    return {address for address, _ in book.items()}


def test_one_who_tells_a_hundred_at_a_time_fills_no_more_than_a_share() -> None:
    book = book_of()
    for first in range(0, 1_000, 100):
        book.add(spread(100, first), HEARD, LIAR)
    assert len(book) == SHARE


def test_what_he_tells_displaces_what_he_told_before_failures_first() -> None:
    book = book_of()
    first, *others = spread(SHARE)
    book.add([first, *others], HEARD, LIAR)
    book.failed(others[7], 0.0)
    news = spread(2, 500)
    book.add(news, HEARD, LIAR)
    assert known(book) == {*others, *news} - {others[7]}


def test_what_others_told_is_not_displaced_by_him() -> None:
    book = book_of()
    book.add(spread(SHARE, 900), HEARD, HONEST)
    for first in range(0, 800, 100):
        book.add(spread(100, first), HEARD, LIAR)
    assert known(book) >= set(spread(SHARE, 900))


def test_what_answered_counts_no_more_against_who_told_it() -> None:
    book = book_of()
    proven = spread(SHARE)
    book.add(proven, HEARD, HONEST)
    for address in proven:
        book.answered(address, 0.0)
    book.add(spread(2 * SHARE, 500), HEARD, HONEST)
    assert len(book) == 2 * SHARE
    assert known(book) >= set(proven)


def test_a_full_book_takes_a_newcomers_word_at_the_cost_of_who_told_most() -> None:
    book = book_of()
    for teller, first in zip("abcdefgh", range(0, 8 * SHARE, SHARE), strict=True):
        book.add(spread(SHARE, first), HEARD, f"{teller}.example:1")
    assert len(book) == CAPACITY
    news = spread(SHARE, 800)
    book.add(news, HEARD, HONEST)
    held = Counter(entry.teller for _, entry in book.items())
    assert len(book) == CAPACITY
    assert held[HONEST] == CAPACITY // 9
    assert max(held.values()) - min(held.values()) <= 1


def test_no_network_fills_more_than_a_share_whoever_tells_of_it() -> None:
    book = book_of()
    for teller in range(20):
        told = [PeerId(f"6.6.{teller}.{n}:1") for n in range(1, 20)]
        book.add(told, HEARD, f"7.{teller}.0.0/16")
    assert len(book) == SHARE
    failed = next(iter(known(book)))
    book.failed(PeerId(failed), 0.0)
    book.add([PeerId("6.6.99.99:1")], HEARD, HONEST)
    assert failed not in known(book)
    assert "6.6.99.99:1" in known(book)


def test_names_of_one_owner_are_one_network() -> None:
    book = book_of()
    book.add([PeerId(f"n{n}.liar.example:1") for n in range(200)], HEARD)
    assert len(book) == SHARE


def test_a_thousand_ports_of_one_host_are_no_thousand_nodes() -> None:
    book = book_of()
    book.add([PeerId(f"6.6.6.6:{port}") for port in range(1, 1_001)], HEARD)
    book.add([PeerId(f"[2001:db8::{n:x}]:1") for n in range(1, 100)], HEARD)
    assert len(book) == 2 * MAX_PER_HOST


def test_a_network_of_many_nodes_on_this_machine_is_known_whole() -> None:
    book = book_of()
    book.add([PeerId(f"127.0.0.1:{port}") for port in range(1, 1_001)], HEARD)
    assert len(book) == CAPACITY


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "[ff02::1]", "[::]"])
def test_what_is_no_host_is_not_noted(host: str) -> None:
    book = book_of()
    book.add([PeerId(f"{host}:1")], HEARD)
    assert len(book) == 0


@pytest.mark.parametrize(
    ("address", "host", "expected"),
    [
        ("127.0.0.1:6379", "8.8.8.8", False),
        ("localhost:22", "10.0.0.2", False),
        ("192.168.0.1:80", "8.8.8.8", False),
        ("169.254.1.1:80", "10.0.0.2", False),
        ("10.0.0.9:1", "192.168.0.7", True),
        ("8.8.4.4:1", "10.0.0.2", True),
        ("node.example:1", "8.8.8.8", True),
        ("127.0.0.1:7102", "127.0.0.1", True),
        ("8.8.4.4:1", "[::1]", True),
        ("0.0.0.0:1", "127.0.0.1", False),
    ],
)
def test_nobody_tells_what_he_cannot_reach_himself(address: str, host: str, expected: bool) -> None:
    assert may_tell(PeerId(address), host) is expected


def test_a_saved_book_obeys_the_same_limits() -> None:
    def lines(*addresses: str) -> list[bytes]:
        return [f"{address}\tpeer-list\t-\t0\t0\t{LIAR}".encode() for address in addresses]

    book = book_of()
    ports = [f"9.9.9.9:{port}" for port in range(1, 100)]
    hosts = [f"6.6.0.{n}:1" for n in range(1, 200)]
    assert book.load(lines(*ports, *hosts, *spread(200)), now_s=0.0, wall_s=0.0) == 0
    assert len(book) == SHARE
    again = book_of()
    assert again.load(book.lines(now_s=0.0, wall_s=0.0), now_s=0.0, wall_s=0.0) == 0
    assert known(again) == known(book)
    again.add(spread(100, 500), HEARD, LIAR)
    assert len(again) == SHARE


def test_what_an_operator_told_is_in_nobodys_share_whatever_a_file_says() -> None:
    book = book_of()
    lines = [f"{each}\toperator\t-\t7\t0\t{LIAR}".encode() for each in spread(CAPACITY)]
    assert book.load(lines, now_s=0.0, wall_s=0.0) == 0
    for each in spread(CAPACITY):
        assert book.failed(each, 1.0) is None
    assert not known(book)
    book.add(spread(CAPACITY, CAPACITY), HEARD, LIAR)
    assert len(book) == SHARE


def test_a_line_of_before_says_not_who_told_it_and_is_read() -> None:
    book = book_of()
    assert book.load([b"8.8.8.8:1\tpeer-list\t-\t0\t0"], now_s=0.0, wall_s=0.0) == 0
    assert known(book) == {"8.8.8.8:1"}


@given(st.ip_addresses(), st.integers(1, 65_535))
def test_who_told_is_read_again_from_a_file(ip: object, port: int) -> None:
    host = str(ip)
    assert is_teller(teller_of(PeerId(f"127.0.0.1:{port}"), host))


@pytest.mark.parametrize("text", ["0", "-", "", "a b", "10.0.0.0/8", "/", "1.2.3.4/16"])
def test_what_tells_nothing_is_no_teller(text: str) -> None:
    assert not is_teller(text)


hosts = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)).map(
    lambda each: f"{each[0]}.{each[1]}.0.{each[2]}"
)
steps = st.one_of(
    st.tuples(
        st.just("tell"),
        st.lists(st.tuples(hosts, st.integers(1, 12)), max_size=25),
        st.sampled_from(["a:1", "b:1", "c:1"]),
    ),
    st.tuples(st.just("fail"), st.integers(0, 99), st.just("")),
    st.tuples(st.just("answer"), st.integers(0, 99), st.just("")),
)


@settings(deadline=None)
@given(st.lists(steps, max_size=25))
def test_the_shares_hold_whatever_is_told_fails_or_answers(
    history: list[tuple[str, object, str]],
) -> None:
    book = book_of(capacity=40)
    for what, detail, teller in history:
        addresses = [address for address, _ in book.items()]
        if what == "tell":
            assert isinstance(detail, list)
            book.add((PeerId(f"{host}:{port}") for host, port in detail), HEARD, teller)
        elif addresses:
            assert isinstance(detail, int)
            address = addresses[detail % len(addresses)]
            if what == "fail":
                book.failed(address, 0.0)
            else:
                book.answered(address, 0.0)
        entries = dict(book.items())
        told = Counter(e.teller for e in entries.values() if e.hearsay and not e.failures)
        places = [host_of(address) for address in entries]
        assert len(entries) <= 40
        assert max(told.values(), default=0) <= LEAST_SHARE
        assert max(Counter(map(host_key, places)).values(), default=0) <= MAX_PER_HOST
        assert max(Counter(map(network_of, places)).values(), default=0) <= LEAST_SHARE
