"""What the chain room knows of its peers, and whose turn it is to be asked."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.chain.table import LATE_S, PeerTable
from actors.ledger.types import BlockRef
from actors.peers.messages import PeerId, PeerKind
from actors.tcp.messages import ConnId

A, B, C = PeerId("a:1"), PeerId("b:1"), PeerId("c:1")
REACHED = BlockRef(1, b"r" * 32)


def table() -> PeerTable:
    peers = PeerTable()
    peers.link(A, ConnId(1))
    peers.link(B, ConnId(2))
    return peers


def test_only_the_first_connection_of_a_peer_is_its_first() -> None:
    peers = PeerTable()
    assert peers.link(A, ConnId(1))
    assert not peers.link(A, ConnId(2))
    assert peers.owner(ConnId(2)) == A


def test_a_lost_connection_hands_over_to_another_and_the_last_takes_the_peer_along() -> None:
    peers = PeerTable()
    peers.link(A, ConnId(1))
    peers.link(A, ConnId(2))
    peers.unlink(A, ConnId(1), ConnId(2))
    moved = peers.get(A)
    assert moved is not None
    assert moved.conn == ConnId(2)
    peers.unlink(A, ConnId(2), None)
    assert peers.get(A) is None
    assert peers.owner(ConnId(2)) is None


def test_only_our_kind_is_downloaded_from_whoever_claims_most() -> None:
    peers = table()
    assert not peers.heard_of(A, 9), "not known to be ours"
    assert peers.above(3) == ()
    peers.classify(A, PeerKind.TROUPE, "troupe/1", 5)
    peers.classify(B, PeerKind.TROUPE, "troupe/1", 4)
    assert peers.heard_of(B, 6)
    assert peers.best_height() == 6
    assert peers.above(3) == (A, B)
    assert peers.above(5) == (B,)
    assert peers.above(6) == ()


def test_a_peer_that_failed_is_not_believed_until_it_is_asked_again_and_then_the_last() -> None:
    peers = table()
    peers.classify(A, PeerKind.TROUPE, "troupe/1", 5)
    peers.classify(B, PeerKind.TROUPE, "troupe/1", 4)
    peers.forget_height(A, REACHED)
    peers.classify(A, PeerKind.TROUPE, "troupe/1", 9)
    assert not peers.heard_of(A, 9)
    assert peers.best_height() == 4
    peers.trust(A)
    assert peers.heard_of(A, 9)
    assert peers.above(3)[0] == B
    doubtful = peers.get(A)
    assert doubtful is not None
    assert doubtful.reached == REACHED


def test_a_peer_that_comes_back_under_any_name_is_the_last_in_turn() -> None:
    peers = table()
    for peer in (A, B):
        peers.classify(peer, PeerKind.TROUPE, "troupe/1", 5)
    peers.unlink(A, ConnId(1), None)
    peers.link(A, ConnId(3))
    peers.classify(A, PeerKind.TROUPE, "troupe/1", 9)
    assert peers.above(3)[0] == B


def test_news_of_a_peer_that_is_gone_are_ignored() -> None:
    peers = PeerTable()
    peers.classify(A, PeerKind.TROUPE, None, 1)
    peers.forget_height(A)
    peers.trust(A)
    peers.unlink(A, ConnId(1), ConnId(2))
    assert not peers.heard_of(A, 1)
    assert peers.best_height() == 0


def test_another_connection_is_never_one_of_the_same_peer() -> None:
    peers = table()
    assert peers.another(ConnId(1)) == ConnId(2)
    assert peers.another(None) == ConnId(1)
    peers.unlink(B, ConnId(2), None)
    assert peers.another(ConnId(1)) is None


def test_who_has_not_answered_yet_has_a_turn_like_the_slowest() -> None:
    peers = table()
    peers.note_answer(A, 0.5)
    assert [peers.take_turn((A, B)) for _ in range(4)] == [A, B, A, B]


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3))
def test_turns_are_in_proportion_to_the_pace(batch_s: list[float]) -> None:
    peers = table()
    peers.link(C, ConnId(3))
    for peer, seconds in zip((A, B, C), batch_s, strict=True):
        peers.note_answer(peer, seconds)
    turns = Counter(peers.take_turn((A, B, C)) for _ in range(600))
    spent_s = [turns[peer] * seconds for peer, seconds in zip((A, B, C), batch_s, strict=True)]
    assert max(spent_s) - min(spent_s) <= 3 * max(batch_s)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from((A, B, C)), st.floats(0.01, 1)), max_size=30))
def test_nobody_is_kept_from_a_turn(answers: list[tuple[PeerId, float]]) -> None:
    peers = table()
    peers.link(C, ConnId(3))
    for peer, seconds in answers:
        peers.note_answer(peer, seconds)
        peers.take_turn((peer,))
    assert {peers.take_turn((A, B, C)) for _ in range(3 * 100 + 3)} == {A, B, C}


def test_turns_that_were_not_taken_are_not_saved_up() -> None:
    peers = table()
    for _ in range(50):
        peers.note_answer(A, 1.0)
        peers.take_turn((A,))
    turns = Counter(peers.take_turn((A, B)) for _ in range(10))
    assert turns[B] <= 6


def test_an_answer_is_late_after_a_multiple_of_the_usual_within_bounds() -> None:
    peers = table()
    least, most = LATE_S
    waits = []
    for seconds in (0.01, 2.0, 30.0):
        for _ in range(30):
            peers.note_answer(A, seconds)
        known = peers.get(A)
        assert known is not None
        waits.append(known.late_s)
    assert waits == [least, most, most]


def test_nobody_has_a_turn_when_nobody_is_there() -> None:
    assert table().take_turn(()) is None
    assert table().take_turn((C,)) is None
