from actors.chain.orphans import MAX_ORPHANS, MAX_ORPHANS_PER_PEER, Orphan, Orphans
from actors.ledger.codec import make_block
from actors.ledger.types import Block
from actors.peers.messages import PeerId
from actors.tcp.messages import ConnId


def orphan(number: int, peer: str = "a:1", parent: bytes = b"p" * 32) -> Orphan:
    return Orphan(make_block(number, 0, parent, b"", ()), PeerId(peer), ConnId(1))


def block(number: int) -> Block:
    return orphan(number).block


def test_one_is_held_once() -> None:
    pool = Orphans()
    pool.add(orphan(5))
    pool.add(orphan(5, "b:1"))
    assert len(pool) == 1
    assert pool.pop(block(5).hash) == orphan(5)
    assert pool.pop(block(5).hash) is None


def test_children_are_taken_by_their_parent() -> None:
    pool = Orphans()
    pool.add(orphan(5))
    pool.add(orphan(6, parent=b"q" * 32))
    assert pool.stands_on(b"p" * 32)
    assert pool.take_children(b"p" * 32) == (block(5),)
    assert not pool.stands_on(b"p" * 32)
    assert len(pool) == 1


def test_a_peer_that_holds_its_share_loses_its_oldest() -> None:
    pool = Orphans()
    pool.add(orphan(1, "b:1"))
    for number in range(2, MAX_ORPHANS_PER_PEER + 3):
        pool.add(orphan(number))
    assert len(pool) == MAX_ORPHANS_PER_PEER + 1
    assert pool.pop(block(2).hash) is None
    assert pool.pop(block(1).hash) is not None


def test_when_all_is_full_the_heaviest_peer_loses_its_oldest() -> None:
    pool = Orphans()
    number = 0
    for peer in range(7):
        for _ in range(14):
            number += 1
            pool.add(orphan(number, f"{peer}:1"))
    for _ in range(2):
        number += 1
        pool.add(orphan(number, "6:1"))
    assert len(pool) == MAX_ORPHANS
    pool.add(orphan(1_000, "new:1"))
    assert len(pool) == MAX_ORPHANS
    assert pool.pop(block(1_000).hash) is not None
    assert pool.pop(block(85).hash) is None, "the oldest of the peer with sixteen"


def test_the_highest_of_the_wanted_is_found() -> None:
    pool = Orphans()
    for number in (4, 9, 7):
        pool.add(orphan(number))
    assert pool.take_turn(lambda held: held.block.number < 9) == orphan(7)
    assert pool.take_turn(lambda _held: False) is None
    assert pool.wait(lambda held: held.block.number == 9)
    assert not pool.wait(lambda _held: False)


def test_who_makes_up_the_highest_numbers_has_no_more_turns_than_others() -> None:
    pool = Orphans()
    for number in range(10):
        pool.add(orphan(10**9 + number, "liar:1"))
    for number in (5, 6):
        pool.add(orphan(number, "honest:1"))
    turns = list[str | None]()
    for _ in range(4):
        taken = pool.take_turn(lambda _held: True)
        assert taken is not None
        pool.pop(taken.block.hash)
        turns.append(taken.peer)
    assert sorted(map(str, turns[:2])) == ["honest:1", "liar:1"]
    assert sorted(map(str, turns[2:])) == ["honest:1", "liar:1"]
