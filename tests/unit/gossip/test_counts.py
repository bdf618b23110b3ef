"""Counts by kind, and their bound."""

from actors.gossip.counts import MAX_HEARD_KINDS, MAX_KINDS, Counts, Tally


def test_each_kind_has_its_counts_in_order_of_its_name() -> None:
    tally = Tally()
    tally.of("b", ours=False).received += 2
    tally.of("a", ours=True).published += 1
    tally.of("b", ours=True).received += 1
    assert list(tally) == [("a", Counts(published=1)), ("b", Counts(received=3))]
    assert tally.others == Counts()


def test_kinds_that_peers_invent_share_one_count_and_ours_find_a_place() -> None:
    tally = Tally()
    for number in range(MAX_HEARD_KINDS + 5):
        tally.of(f"kind-{number}", ours=False).received += 1
    assert len(list(tally)) == MAX_HEARD_KINDS
    assert tally.others == Counts(received=5)
    tally.of("chat", ours=True).received += 1
    tally.of("chat", ours=False).received += 1
    assert dict(tally)["chat"] == Counts(received=2)


def test_our_kinds_are_bounded_too() -> None:
    tally = Tally()
    for number in range(MAX_KINDS + 5):
        tally.of(f"kind-{number}", ours=True).published += 1
    assert len(list(tally)) == MAX_KINDS
    assert tally.others == Counts(published=5)


def test_a_kind_without_a_name_is_one_of_the_others() -> None:
    tally = Tally()
    tally.of("", ours=True).received += 1
    assert list(tally) == []
    assert tally.others == Counts(received=1)
