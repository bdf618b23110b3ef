"""Which known address is worth a dial, and when."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.peers.book import (
    GIVE_UP_AFTER,
    REDIAL_PROVEN_MOST_S,
    AddressBook,
)
from actors.peers.messages import AddressSource, PeerId

OWN = PeerId("own:1")
BOOT = PeerId("boot:1")
HEARD = AddressSource.PEER_LIST
FIRST_S, MOST_S = 2.0, 64.0


def book_of(*addresses: str, capacity: int = 10, seed: int = 1) -> AddressBook:
    book = AddressBook(
        own=OWN,
        bootstrap=(BOOT, OWN),
        capacity=capacity,
        redial_first_s=FIRST_S,
        redial_most_s=MOST_S,
        rng=random.Random(seed),
    )
    book.add(map(PeerId, addresses), HEARD)
    return book


def fail(book: AddressBook, address: str, times: int = 1) -> list[float | None]:
    return [book.failed(PeerId(address), 0.0) for _ in range(times)]


def test_bootstrap_addresses_are_due_from_the_start_and_ourselves_never() -> None:
    assert book_of().due(0.0, 10, ()) == [BOOT]


def test_our_own_address_is_not_noted() -> None:
    assert OWN not in book_of(OWN)


def test_proven_addresses_come_before_hearsay() -> None:
    book = book_of("a:1", "b:1", "c:1")
    book.answered(PeerId("c:1"), 0.0)
    due = book.due(0.0, 10, ())
    assert set(due[:2]) == {BOOT, "c:1"}
    assert set(due[2:]) == {"a:1", "b:1"}


def test_hearsay_is_tried_in_random_order() -> None:
    names = [f"h:{n}" for n in range(1, 9)]
    orders = {tuple(book_of(*names, seed=seed).due(0.0, 99, ())) for seed in range(5)}
    assert len(orders) > 1


def test_no_more_than_wanted_are_due_and_none_that_is_taken() -> None:
    book = book_of("a:1", "b:1")
    assert len(book.due(0.0, 2, ())) == 2
    assert book.due(0.0, 10, {BOOT, PeerId("a:1")}) == ["b:1"]
    assert book.due(0.0, -3, ()) == []


def test_the_back_off_doubles_up_to_its_bound_with_jitter() -> None:
    delays = fail(book_of(), BOOT, 12)
    for failures, delay_s in enumerate(delays):
        assert delay_s is not None
        whole_s = min(MOST_S, FIRST_S * 2**failures)
        assert whole_s / 2 <= delay_s <= whole_s


def test_the_jitter_spreads_over_half_of_the_back_off() -> None:
    delays = [fail(book_of(seed=seed), BOOT, 6)[-1] for seed in range(400)]
    shares = sorted((delay_s or 0.0) / MOST_S for delay_s in delays)
    assert 0.5 <= shares[0] < 0.52
    assert 0.98 < shares[-1] <= 1.0
    quarters = [sum(low <= share < low + 0.125 for share in shares) for low in (0.5, 0.625, 0.75)]
    assert all(70 <= count <= 130 for count in quarters)


def test_an_address_is_due_again_after_its_back_off() -> None:
    book = book_of()
    (delay_s,) = fail(book, BOOT)
    assert delay_s is not None
    assert book.due(delay_s - 0.01, 10, ()) == []
    assert book.due(delay_s, 10, ()) == [BOOT]


def test_a_bootstrap_address_is_never_given_up() -> None:
    book = book_of()
    assert None not in fail(book, BOOT, 2_000)
    assert book.due(MOST_S, 10, ()) == [BOOT]


def test_hearsay_is_given_up_after_some_failures() -> None:
    book = book_of("a:1")
    assert fail(book, "a:1", GIVE_UP_AFTER)[-1] is None
    assert PeerId("a:1") not in book
    assert fail(book, "a:1") == [None]


def test_who_answered_once_is_dialed_each_hour_after_days_without_a_network() -> None:
    book, now_s, delays = book_of(), 0.0, list[float]()
    book.answered(PeerId("a:1"), now_s)
    while now_s < 7 * 24 * 3600:
        delay_s = book.failed(PeerId("a:1"), now_s)
        assert delay_s is not None
        now_s += delay_s
        delays.append(delay_s)
    assert max(delays[: GIVE_UP_AFTER - 1]) <= MOST_S
    assert all(delay_s >= REDIAL_PROVEN_MOST_S / 2 for delay_s in delays[2 * GIVE_UP_AFTER :])
    assert max(delays) <= REDIAL_PROVEN_MOST_S
    assert "a:1" in book.due(now_s, 2, ())


def test_who_is_there_again_after_many_failures_is_not_displaced_by_what_it_lists() -> None:
    book = book_of(capacity=2)
    for address in (PeerId("a:1"), PeerId("b:1")):
        book.answered(address, 0.0)
        fail(book, address, GIVE_UP_AFTER + 3)
    book.answered(PeerId("a:1"), 900.0)
    book.add(map(PeerId, ("x:1", "x:2", "x:3")), HEARD)
    assert {address for address, _ in book.items()} == {BOOT, "a:1", "x:1"}


def test_who_accepts_and_hangs_up_has_not_made_good_for_its_failures() -> None:
    book = book_of("a:1")
    for _ in range(GIVE_UP_AFTER + 1):
        book.answered(PeerId("a:1"), 0.0)
        delay_s = book.failed(PeerId("a:1"), 0.0)
    assert delay_s is not None
    assert delay_s >= MOST_S


def test_who_answers_takes_the_place_of_hearsay_though_nobody_has_tried_it() -> None:
    book = book_of("a:1", "b:1", capacity=2)
    book.answered(PeerId("c:1"), 0.0)
    book.answered(PeerId("d:1"), 0.0)
    book.answered(PeerId("e:1"), 0.0)
    assert {address for address, _ in book.items()} == {BOOT, "c:1", "d:1"}


def test_an_address_that_has_not_answered_for_long_is_tried_last_and_displaced_first() -> None:
    book = book_of("b:1", capacity=2)
    book.answered(PeerId("a:1"), 0.0)
    fail(book, "a:1", GIVE_UP_AFTER)
    assert set(book.due(1e6, 1, ())) == {BOOT}
    book.add([PeerId("c:1")], HEARD)
    assert PeerId("a:1") not in book
    assert set(book.due(1e6, 9, ())) == {BOOT, "b:1", "c:1"}


def test_a_banned_address_is_passed_over_and_costs_no_place() -> None:
    book = book_of("a:1", "b:1", "c:1")
    drawn = book.due(0.0, 3, (), lambda address: address in {BOOT, "b:1"})
    assert set(drawn) == {"a:1", "c:1"}


def test_bans_are_asked_for_no_more_addresses_than_are_drawn() -> None:
    book, asked = book_of(*(f"h:{n}" for n in range(1, 9))), list[str]()

    def never(address: PeerId) -> bool:
        asked.append(address)
        return False

    assert book.due(0.0, 3, (), never) == asked
    assert len(asked) == 3


def test_an_address_listed_twice_takes_one_place() -> None:
    book = book_of(capacity=2)
    book.add(map(PeerId, ("a:1", "a:1", "b:1", "c:1")), HEARD)
    assert set(book.due(0.0, 9, ())) == {BOOT, "a:1", "b:1"}


@given(
    known=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3), st.booleans()), max_size=12),
    news=st.lists(st.integers(21, 35), max_size=15),
    capacity=st.integers(1, 12),
)
def test_a_list_is_taken_in_like_its_addresses_one_by_one(
    known: list[tuple[int, int, bool]], news: list[int], capacity: int
) -> None:
    together, singly = book_of(capacity=capacity), book_of(capacity=capacity)
    for book in (together, singly):
        for port, failures, proven in known:
            address = PeerId(f"h:{port}")
            book.add([address], HEARD)
            if proven and address in book:
                book.answered(address, 0.0)
            fail(book, address, failures)
    addresses = [PeerId(f"h:{port}") for port in news]
    together.add(addresses, HEARD)
    for address in addresses:
        singly.add([address], HEARD)
    assert dict(together.items()) == dict(singly.items())
    assert len(together) <= capacity + 1


def test_a_peer_that_lasted_has_made_good_for_its_failures() -> None:
    book = book_of()
    fail(book, BOOT, 6)
    hung_up_s = book.failed(BOOT, 0.0, lasted_s=1.0)
    lasted_s = book.failed(BOOT, 0.0, lasted_s=MOST_S)
    assert hung_up_s is not None
    assert hung_up_s >= MOST_S / 2
    assert lasted_s is not None
    assert lasted_s <= FIRST_S


def test_a_resting_address_is_left_alone_until_then() -> None:
    book = book_of()
    book.rest(BOOT, 600.0)
    book.rest(PeerId("unknown:1"), 600.0)
    fail(book, "unknown:1")
    assert book.due(599.0, 10, ()) == []
    assert book.due(600.0, 10, ()) == [BOOT]


def test_a_full_book_takes_news_only_in_the_place_of_failures() -> None:
    book = book_of("a:1", "b:1", capacity=2)
    book.add([PeerId("c:1")], HEARD)
    assert PeerId("c:1") not in book
    fail(book, "a:1", 1)
    fail(book, "b:1", 2)
    book.add([PeerId("c:1"), PeerId("d:1"), PeerId("e:1")], HEARD)
    assert set(book.due(1_000.0, 10, ())) == {BOOT, "c:1", "d:1"}
    assert len(book) == 3


@pytest.mark.parametrize("proven", [PeerId("a:1"), BOOT])
def test_news_displace_no_proven_address(proven: PeerId) -> None:
    book = book_of("a:1", capacity=1)
    book.answered(PeerId("a:1"), 0.0)
    fail(book, proven, 3)
    book.add([PeerId("b:1")], HEARD)
    assert PeerId("b:1") not in book
    assert proven in book


def test_an_address_stays_known_by_how_it_was_first_heard_of() -> None:
    book = book_of("a:1")
    book.add([PeerId("a:1"), PeerId("b:1"), BOOT], AddressSource.HELLO)
    book.answered(PeerId("b:1"), 5.0)
    book.answered(PeerId("c:1"), 6.0)
    assert {address: (entry.source, entry.answered_s) for address, entry in book.items()} == {
        BOOT: (AddressSource.CONFIGURED, None),
        "a:1": (HEARD, None),
        "b:1": (AddressSource.HELLO, 5.0),
        "c:1": (AddressSource.OPERATOR, 6.0),
    }
