"""The memory of verified signatures: the newest, and no more than its capacity."""

from actors.ledger.signatures import KnownSignatures


def test_the_oldest_are_forgotten_first() -> None:
    known = KnownSignatures(capacity=2)
    for tx_id in (b"a", b"b", b"b", b"c"):
        known.add(tx_id)
    assert [tx_id in known for tx_id in (b"a", b"b", b"c")] == [False, True, True]
    assert len(known) == 2
