"""The chain actor among several peers of its own kind: turns, late answers, branches, and who is blamed."""

import pytest

from actors.chain.sync import ASK_AGAIN_S, BATCH_TIMEOUT_S
from actors.chain.table import LATE_S
from actors.ledger.types import Block
from actors.peers.messages import PeerId, PeerUnlinked
from tests.actor.test_chain_download import batch
from tests.support.chain_stage import CONNS, A, B, C, ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer, workless
from tests.support.sync_peers import SyncPeers

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 1_000)
OTHER = mine_chain(EASY, GENESIS.ref, 1_010, BOB.public)
LATE = max(LATE_S)


def staged(*chain: Block) -> tuple[ChainStage, SyncPeers]:
    stage = ChainStage(*chain)
    return stage, SyncPeers(stage)


def pass_time(chain: ChainStage, seconds: float) -> None:
    chain.pump.run_for(seconds)


def test_the_peers_of_one_chain_are_asked_in_turns() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    assert peers.serve() == 8
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.asked.count(A) == peers.asked.count(B) == 4


def test_a_faster_peer_is_asked_more_often() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    while waiting := peers.waiting:
        (peer,) = waiting
        pass_time(chain, 0.4 if peer == A else 0.1)
        peers.answer(peer)
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.asked.count(B) > peers.asked.count(A)
    assert peers.blamed() == []


def test_when_an_answer_is_late_another_peer_is_asked_and_nobody_is_blamed() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    assert peers.waiting == {A}
    pass_time(chain, LATE)
    assert peers.waiting == {A, B}
    assert peers.serve(A) == 8
    assert chain.info().tip == CHAIN[-1].ref
    peers.answer(A)
    assert peers.blamed() == []
    assert chain.info().best_known_height == 1_000


def test_a_late_answer_that_comes_first_counts() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN[:100])
    peers.join(B, *CHAIN[:100])
    pass_time(chain, LATE)
    peers.answer(A)
    assert chain.info().tip == CHAIN[99].ref
    peers.answer(B, b"rubbish")
    assert peers.blamed() == [], "the answer was not looked at"


def test_a_peer_that_never_answers_is_blamed_though_another_stood_in() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    pass_time(chain, LATE)
    peers.serve(A)
    assert peers.blamed() == []
    pass_time(chain, BATCH_TIMEOUT_S)
    peers.fall_silent(A)
    assert peers.blamed() == [(A, 10)]
    assert chain.info().tip == CHAIN[-1].ref


def test_an_answer_that_was_cut_off_with_its_connection_is_nobodys_fault() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    peers.fall_silent(A)
    chain.tell(PeerUnlinked(A, CONNS[A], None))
    peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.blamed() == []


def test_late_peers_do_not_use_up_the_questions_that_may_be_out() -> None:
    chain, peers = staged()
    for peer in (A, B):
        peers.join(peer, *CHAIN)
    pass_time(chain, LATE)
    pass_time(chain, LATE)
    peers.join(C, *CHAIN)
    assert peers.waiting == {A, B}
    pass_time(chain, BATCH_TIMEOUT_S)
    peers.fall_silent(A)
    peers.fall_silent(B)
    assert peers.serve() == 8
    assert chain.info().tip == CHAIN[-1].ref


def wrong_answers() -> dict[str, tuple[bytes, int]]:
    invalid = mine(EASY, GENESIS.ref, transactions=[transfer(ALICE, BOB.public, 5, 1)])
    return {
        "nothing": (b"", 10),
        "rubbish": (b"rubbish", 20),
        "a gap": (batch(CHAIN[1:4]), 20),
        "no work": (workless(EASY, GENESIS.ref).raw, 100),
        "an invalid block": (batch((invalid,)), 20),
    }


@pytest.mark.parametrize(("said", "points"), wrong_answers().values(), ids=wrong_answers())
def test_a_liar_is_replaced_at_once_and_gets_its_points(said: bytes, points: int) -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    peers.answer(A, said)
    assert B in peers.waiting
    peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.blamed() == [(A, points)]
    pass_time(chain, ASK_AGAIN_S)


def test_two_branches_are_followed_beside_each_other_until_the_longer_one_is_ours() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    peers.join(B, *OTHER)
    peers.serve()
    assert chain.info().tip == OTHER[-1].ref
    assert chain.store.header(CHAIN[-1].hash) is not None
    assert peers.blamed() == []


def test_a_peer_that_is_slow_with_its_branch_does_not_hold_up_another() -> None:
    chain, peers = staged()
    peers.join(A, *OTHER)
    peers.answer(A)
    peers.join(B, *CHAIN)
    peers.serve(A)
    pass_time(chain, LATE)
    peers.serve(A)
    assert chain.info().tip == CHAIN[-1].ref
    peers.answer(A)
    peers.serve()
    assert chain.info().tip == OTHER[-1].ref
    assert peers.blamed() == []


def test_a_peer_that_goes_over_to_another_branch_takes_no_other_along() -> None:
    chain, peers = staged()
    fork = (*CHAIN[:300], *mine_chain(EASY, CHAIN[299].ref, 700, BOB.public))
    peers.join(A, *CHAIN)
    peers.join(B, *CHAIN)
    for _ in range(4):
        (peer,) = peers.waiting
        peers.answer(peer)
    peers.chains[A] = fork
    peers.serve()
    assert chain.info().tip.number == len(CHAIN)
    assert chain.store.header(fork[300].hash) is not None
    assert peers.blamed() == []


def test_a_liar_with_a_long_invalid_branch_does_not_keep_us_from_the_best_valid_one() -> None:
    bad = mine(EASY, CHAIN[99].ref, transactions=[transfer(ALICE, BOB.public, 5, 1)])
    lie = (*CHAIN[:100], bad, *mine_chain(EASY, bad.ref, 1_500))
    chain, peers = staged()
    peers.join(A, *lie)
    peers.join(B, *CHAIN)
    peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.blamed() == [(A, 20)]


def test_those_who_join_a_liars_branch_are_asked_no_more_but_not_blamed() -> None:
    bad = mine(EASY, GENESIS.ref, transactions=[transfer(ALICE, BOB.public, 5, 1)])
    lie = (bad, *mine_chain(EASY, bad.ref, 600))
    chain, peers = staged()
    peers.join(A, *lie)
    peers.join(B, *lie)
    peers.join(C, *CHAIN)
    peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert (C, 20) not in peers.blamed()
    assert {peer for peer, _ in peers.blamed()} <= {A, B}


def test_a_peer_that_claims_more_than_the_branch_has_is_found_out_and_the_rest_is_fetched() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN[:500], claims=CHAIN[-1])
    peers.join(B, *CHAIN[:400])
    peers.serve()
    assert chain.info().tip == CHAIN[499].ref
    assert peers.blamed() == [(A, 10)]


def test_who_lost_a_block_gives_those_before_it_and_others_the_rest() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN[:70], claims=CHAIN[-1])
    peers.answer(A)
    assert chain.info().tip == CHAIN[69].ref
    peers.join(B, *CHAIN)
    peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.blamed() == [(A, 10)]


@pytest.mark.parametrize("first", [A, B])
def test_peers_that_stand_at_different_heights_of_one_chain_help_with_what_they_have(
    first: PeerId,
) -> None:
    chain, peers = staged()
    second = B if first == A else A
    peers.join(first, *CHAIN[:500])
    peers.join(second, *CHAIN)
    peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert peers.blamed() == []


def test_a_new_peer_does_not_catch_up_on_the_turns_that_it_had_not() -> None:
    chain, peers = staged()
    peers.join(A, *CHAIN)
    for _ in range(3):
        pass_time(chain, 0.5)
        peers.answer(A)
    peers.join(B, *CHAIN)
    peers.join(C, *CHAIN)
    del peers.asked[:]
    while waiting := peers.waiting:
        (peer,) = waiting
        pass_time(chain, 0.5)
        peers.answer(peer)
    assert chain.info().tip == CHAIN[-1].ref
    assert max(map(peers.asked.count, (A, B, C))) <= 3


@pytest.mark.parametrize(
    ("block", "for_ours", "for_legacy"),
    [
        (workless(EASY, GENESIS.ref).raw, 100, 100),
        (mine(EASY, GENESIS.ref, transactions=[transfer(ALICE, BOB.public, 5, 1)]).raw, 20, 0),
        (b"rubbish", 20, 0),
    ],
)
def test_gossip_is_blamed_for_what_its_sender_should_have_checked(
    block: bytes, for_ours: int, for_legacy: int
) -> None:
    chain, peers = staged()
    peers.join(A)
    chain.link_legacy(B)
    for peer in (A, B):
        chain.gossiped_raw(block, peer=peer)
    expected = [(peer, points) for peer, points in ((A, for_ours), (B, for_legacy)) if points]
    assert peers.blamed() == expected
