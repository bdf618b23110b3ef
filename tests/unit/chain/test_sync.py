import pytest

from actors.chain.sync import (
    SEARCH_TIMEOUTS_S,
    BatchFault,
    PeerTable,
    Walk,
    credible_height,
    judge_batch,
    judge_found,
    search_at,
)
from actors.chain.tree import Header, Status
from actors.chain.wire import encode_batch
from actors.peers.messages import PeerId, PeerKind
from actors.tcp.messages import ConnId
from tests.support.chains import EASY, mine, mine_chain, raws, workless

A, B = PeerId("a:1"), PeerId("b:1")
GENESIS = Header(EASY.genesis.hash, 0, EASY.genesis.parent_hash, Status.VALID)
CHAIN = mine_chain(EASY, EASY.genesis.ref, 4)


def known(block_hash: bytes) -> Header | None:
    return GENESIS if block_hash == GENESIS.hash else None


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


def test_only_our_kind_is_downloaded_from_and_the_highest_first() -> None:
    peers = table()
    assert not peers.heard_of(A, 9), "not known to be ours"
    peers.classify(A, PeerKind.TROUPE, "troupe/1", 5)
    peers.classify(B, PeerKind.TROUPE, "troupe/1", 4)
    assert peers.highest_above(3) == A
    assert peers.heard_of(B, 6)
    assert peers.highest_above(3) == B
    assert peers.best_height() == 6
    peers.forget_height(B)
    assert peers.highest_above(5) is None


def test_news_of_a_peer_that_is_gone_are_ignored() -> None:
    peers = PeerTable()
    peers.classify(A, PeerKind.TROUPE, None, 1)
    peers.forget_height(A)
    peers.unlink(A, ConnId(1), ConnId(2))
    assert not peers.heard_of(A, 1)
    assert peers.best_height() == 0


def test_another_connection_is_never_one_of_the_same_peer() -> None:
    peers = table()
    assert peers.another(ConnId(1)) == ConnId(2)
    assert peers.another(None) == ConnId(1)
    peers.unlink(B, ConnId(2), None)
    assert peers.another(ConnId(1)) is None


def test_a_linked_run_of_blocks_is_accepted() -> None:
    assert judge_batch(encode_batch(raws(CHAIN)), EASY, known, 0) == CHAIN


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (None, BatchFault.NO_ANSWER),
        (b"", BatchFault.EMPTY),
        (b"rubbish", BatchFault.MALFORMED),
        (encode_batch(raws(CHAIN[1:])), BatchFault.UNLINKED),
        (encode_batch(raws((CHAIN[0], CHAIN[2]))), BatchFault.UNLINKED),
        (encode_batch([workless(EASY, EASY.genesis.ref).raw]), BatchFault.INVALID),
    ],
)
def test_an_answer_that_is_no_such_run_has_its_fault(
    payload: bytes | None, fault: BatchFault
) -> None:
    assert judge_batch(payload, EASY, known, 0) is fault


def test_an_answer_that_ends_where_the_last_one_did_is_no_progress() -> None:
    assert judge_batch(encode_batch(raws(CHAIN)), EASY, known, 4) is BatchFault.NO_PROGRESS


def test_a_height_is_believed_unless_its_tip_is_one_that_we_refused() -> None:
    assert credible_height(5, None, 4) == 5
    assert credible_height(4, GENESIS, 4) == 4
    assert credible_height(5, GENESIS, 4) is None


def test_a_search_goes_to_the_peer_then_to_another_then_to_all_and_ends() -> None:
    steps = [
        search_at(Walk(b"", 1, ConnId(1), 0, attempt), ConnId(2))
        for attempt in range(len(SEARCH_TIMEOUTS_S) + 1)
    ]
    assert steps == [
        (ConnId(1), 2.0),
        (ConnId(2), 4.0),
        (None, 8.0),
        (None, 16.0),
        (None, 32.0),
        (None, 64.0),
        None,
    ]


def test_a_found_block_must_be_the_wanted_one_with_its_number_and_work() -> None:
    block = CHAIN[1]
    assert judge_found(Walk(block.hash, 2, None, 0), block.raw, EASY) == block
    assert judge_found(Walk(block.hash, 3, None, 0), block.raw, EASY) is None
    assert judge_found(Walk(CHAIN[0].hash, 2, None, 0), block.raw, EASY) is None
    assert judge_found(Walk(block.hash, 2, None, 0), b"rubbish", EASY) is None
    lazy = workless(EASY, EASY.genesis.ref)
    assert judge_found(Walk(lazy.hash, 1, None, 0), lazy.raw, EASY) is None
    assert mine(EASY, EASY.genesis.ref) == CHAIN[0]
