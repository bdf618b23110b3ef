import random

from actors.mempool.poorest import SPARE_ENTRIES, Poorest

SENDERS = 20


def test_the_poorest_comes_first_and_the_latest_comer_among_equals() -> None:
    poorest = Poorest()
    assert poorest.first() is None
    for address, balance in ((b"rich", 9), (b"early", 2), (b"late", 2)):
        poorest.put(address, balance)
    assert poorest.first() == (b"late", 2)
    poorest.discard(b"late")
    assert poorest.first() == (b"early", 2)


def test_a_new_balance_replaces_the_old_one() -> None:
    poorest = Poorest()
    poorest.put(b"a", 1)
    poorest.put(b"b", 5)
    poorest.put(b"a", 7)
    assert poorest.first() == (b"b", 5)
    poorest.put(b"a", 1)
    assert poorest.first() == (b"a", 1)


def test_a_balance_told_again_keeps_the_place_among_equals() -> None:
    poorest = Poorest()
    for address in (b"early", b"late", b"early"):
        poorest.put(address, 3)
    assert poorest.first() == (b"late", 3)


def test_it_agrees_with_a_plain_search_and_stays_small() -> None:
    rng, poorest = random.Random(3), Poorest()
    balances: dict[bytes, int] = {}
    for _ in range(5_000):
        address = bytes([rng.randrange(SENDERS)])
        if rng.random() < 0.3:
            poorest.discard(address)
            balances.pop(address, None)
        else:
            balances[address] = rng.randrange(50)
            poorest.put(address, balances[address])
        first = poorest.first()
        assert (first[1] if first else None) == min(balances.values(), default=None)
        assert first is None or balances[first[0]] == first[1]
        assert len(poorest._heap) <= 2 * SENDERS + SPARE_ENTRIES
