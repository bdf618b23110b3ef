"""Liars about chains: heights that are not there, answers that are none, trees without work (WIRE: extensions)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from actors.chain.messages import GetChain, SyncState
from actors.ledger.types import Block
from tests.support.chains import (
    ALICE,
    BOB,
    EASY,
    mine,
    mine_chain,
    raws,
    transfer,
    workless,
)
from tests.support.hostile import Arena
from tests.support.hostile_peer import (
    ANSWER,
    GET_BLOCKS,
    ID_BYTES,
    SEARCH,
    STATUS,
    Hostile,
    status_of,
)
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, WireMessage

GENESIS = EASY.genesis.ref
CLAIMED = 1_000
FAR = bytes([7]) * 32
"""The hash of a tip that nobody has."""
ANSWER_S = 10.5


def batch(blocks: Sequence[Block]) -> bytes:
    return b"\n".join(raws(blocks))


def liar(arena: Arena, height: int = CLAIMED) -> Hostile:
    """One of ours, as it seems, with a chain far longer than any."""
    return arena.ours(height, FAR)


def is_syncing(arena: Arena) -> bool:
    return arena.ask(arena.addresses.chain, GetChain()).sync is not SyncState.IDLE


def asked_for_blocks(arena: Arena, peer: Hostile) -> list[WireMessage]:
    arena.settle()
    return [each for each in peer.hears() if each.kind == GET_BLOCKS]


def run_of_workless() -> list[Block]:
    blocks = [workless(EASY, GENESIS)]
    for _ in range(127):
        blocks.append(workless(EASY, blocks[-1].ref))
    return blocks


CHAIN = mine_chain(EASY, GENESIS, 30, BOB.public)
GIFT = mine(EASY, CHAIN[0].ref, ALICE.public, (transfer(ALICE, BOB.public, 0, 10**6),))
ANSWERS: dict[str, tuple[Callable[[], bytes], int]] = {
    "nothing": (lambda: b"", 10),
    "noise": (lambda: b"noise", 20),
    "129 blocks": (lambda: batch([CHAIN[0]] * 129), 20),
    "blocks on nothing": (lambda: batch(CHAIN[5:]), 20),
    "blocks that do not follow each other": (lambda: batch(CHAIN[:3] + CHAIN[7:]), 20),
    "the wrong way round": (lambda: batch(CHAIN[:5][::-1]), 20),
    "a block that spends what is not there": (lambda: batch([CHAIN[0], GIFT]), 20),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_who_promises_a_chain_and_sends_something_else_gets_points(arena: Arena, case: str) -> None:
    answer, points = ANSWERS[case]
    peer = liar(arena)
    peer.answer(GET_BLOCKS, answer())
    arena.settle(peer)
    arena.await_that(lambda: arena.score_of(peer) == points)
    assert arena.tip()[0] <= 1


def test_who_promises_a_chain_and_sends_headers_without_work_is_banned_and_nothing_kept(
    arena: Arena,
) -> None:
    peer = liar(arena)
    peer.answer(GET_BLOCKS, batch(run_of_workless()))
    assert peer.is_parted_with()
    assert arena.is_banned(peer)
    info = arena.ask(arena.addresses.chain, GetChain())
    assert (info.tip.number, info.side_blocks, info.orphans) == (0, 0, 0)


def test_who_promises_a_chain_and_says_nothing_is_given_up_for_a_while(arena: Arena) -> None:
    peer = liar(arena)
    peer.recv_until(REQUEST, kind=GET_BLOCKS)
    arena.skip(ANSWER_S)
    arena.await_that(lambda: arena.score_of(peer) == 10)
    assert GET_BLOCKS not in [each.kind for each in peer.hears()]
    (block,) = arena.grow()
    assert arena.tip() == (1, block.hash)


def test_while_a_liar_stalls_the_chain_of_an_honest_peer_is_fetched(arena: Arena) -> None:
    stalling = liar(arena)
    stalling.recv_until(REQUEST, kind=GET_BLOCKS)
    honest = arena.ours(len(CHAIN), CHAIN[-1].hash)
    arena.skip(ANSWER_S)
    honest.answer(GET_BLOCKS, batch(CHAIN))
    arena.await_tip(CHAIN[-1])
    assert honest.name in arena.peers()
    assert arena.score_of(honest) == 0


def test_two_liars_at_once_do_not_keep_the_honest_chain_out(arena: Arena) -> None:
    liars = [liar(arena, CLAIMED + each) for each in range(2)]
    honest = arena.ours(len(CHAIN), CHAIN[-1].hash)
    for each in liars:
        each.send_message(REQUEST, 1, STATUS, status_of(EASY, 10**9, FAR))
    question: list[WireMessage] = []

    def honest_is_asked() -> bool:
        question.extend(asked_for_blocks(arena, honest))
        if not question:
            arena.skip(1.0)
        return bool(question)

    arena.await_that(honest_is_asked)
    honest.send_message(RESPONSE, question[0].id, "", batch(CHAIN))
    arena.await_tip(CHAIN[-1])


def test_a_chain_that_turns_bad_half_way_is_left_at_its_last_good_block(arena: Arena) -> None:
    good = CHAIN[:5]
    bad = mine(EASY, good[-1].ref, BOB.public, (transfer(ALICE, BOB.public, 0, 1),))
    peer = liar(arena)
    peer.answer(GET_BLOCKS, batch([*good, bad, *mine_chain(EASY, bad.ref, 5)]))
    arena.await_tip(good[-1])
    arena.settle(peer)
    assert arena.score_of(peer) == 20


def test_a_liar_is_asked_again_only_after_half_a_minute(arena: Arena) -> None:
    """So lies cost him more than they cost us, or nobody more than a message now and then."""
    peer = liar(arena)
    peer.answer(GET_BLOCKS, b"noise")
    arena.settle(peer)
    for _ in range(5):
        peer.send_message(REQUEST, 1, STATUS, status_of(EASY, CLAIMED, FAR))
    arena.settle(peer)
    assert asked_for_blocks(arena, peer) == []
    (block,) = arena.grow()
    assert arena.tip() == (1, block.hash)


def test_a_lower_height_than_before_is_believed_too(arena: Arena) -> None:
    peer = arena.ours(CLAIMED, FAR)
    peer.answer(GET_BLOCKS, b"")
    peer.send_message(REQUEST, 1, STATUS, status_of(EASY, 0))
    arena.settle(peer)
    arena.await_that(lambda: not is_syncing(arena))


# -- the walk back ----------------------------------------------------------------------------------


def test_a_tip_whose_ancestors_nobody_has_is_searched_for_and_given_up(arena: Arena) -> None:
    peer = arena.legacy()
    peer.tell_block(CHAIN[-1])
    search = peer.awaits(SEARCH)
    assert search[2 * ID_BYTES :] == CHAIN[-1].parent_hash
    arena.await_in_time(lambda: not is_syncing(arena), peer)
    assert arena.tip()[0] == 0


def test_a_forged_ancestor_is_not_taken_for_the_one_that_is_searched(arena: Arena) -> None:
    peer = arena.legacy()
    peer.tell_block(CHAIN[1])
    search_id = peer.awaits(SEARCH)[ID_BYTES : 2 * ID_BYTES]
    other = mine(EASY, GENESIS, ALICE.public)
    peer.send_message(REGULAR, 1, ANSWER, search_id + other.raw)
    arena.settle(peer)
    assert arena.tip()[0] == 0
    peer.send_message(REGULAR, 1, ANSWER, search_id + CHAIN[0].raw)
    arena.await_tip(CHAIN[1])


def test_a_walk_back_that_ends_on_another_genesis_is_left(arena: Arena) -> None:
    """Block 1 stands on what is not our block 0: the walk ends there, whatever else it might find."""
    other = replace(EASY, genesis_coinbase=b"z" * 32)
    first, second = mine_chain(EASY, other.genesis.ref, 2)
    peer = arena.legacy()
    peer.tell_block(second)
    search_id = peer.awaits(SEARCH)[ID_BYTES : 2 * ID_BYTES]
    peer.send_message(REGULAR, 1, ANSWER, search_id + first.raw)
    arena.settle(peer)
    arena.await_that(lambda: not is_syncing(arena))
    assert arena.tip()[0] == 0


def test_while_one_walks_us_back_through_lies_honest_blocks_are_followed(arena: Arena) -> None:
    peer = arena.legacy()
    peer.tell_block(*mine_chain(EASY, CHAIN[-1].ref, 5))
    arena.settle(peer)
    made = arena.grow(3)
    assert arena.tip() == (3, made[-1].hash)
