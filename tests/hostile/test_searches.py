"""Questions and answers: floods of the one, forgeries of the other (WIRE: search; limits, searches)."""

from __future__ import annotations

import random

import pytest

from tests.support.chains import BOB, CAROL, EASY, mine, mine_chain
from tests.support.hostile import Arena
from tests.support.hostile_peer import ANSWER, ID_BYTES, SEARCH, Hostile, flood
from tests.support.wire_client import REGULAR, message

GENESIS = EASY.genesis.ref
RELAY_BURST, RELAYS_PER_S = 50, 5
ROUTES = 1_024
"""WIRE: limits, searches."""


def unknown_block() -> tuple[bytes, bytes]:
    """The hash and the bytes of a block that the node has not."""
    block = mine(EASY, GENESIS, BOB.public)
    return block.hash, block.raw


def relayed(peer: Hostile) -> list[bytes]:
    """The searches that have come, without their gossip ids."""
    return [payload[ID_BYTES:] for payload in peer.heard(SEARCH)]


def test_a_flood_of_questions_that_we_can_answer_is_answered_in_full(arena: Arena) -> None:
    """Delayed by not reading, never dropped: an honest peer fetches a chain so."""
    arena.clock.go()
    blocks = arena.grow(20)
    peer, count = arena.peer(), 1_000
    asked = {random.randbytes(ID_BYTES): random.choice(blocks) for _ in range(count)}
    flood(
        peer,
        (
            message(REGULAR, 0, SEARCH, random.randbytes(ID_BYTES) + search_id + block.hash)
            for search_id, block in asked.items()
        ),
    )
    for _ in range(count):
        answer = peer.awaits(ANSWER)
        assert asked.pop(answer[:ID_BYTES]).raw == answer[ID_BYTES:]
    assert not asked


def test_an_orphan_is_never_an_answer(arena: Arena) -> None:
    _, child = mine_chain(EASY, GENESIS, 2, BOB.public)
    peer = arena.peer()
    arena.honest.tell_block(child)
    arena.settle(arena.honest)
    peer.gossip(SEARCH, bytes(ID_BYTES) + child.hash)
    arena.settle(peer)
    assert peer.heard(ANSWER) == []


def test_of_a_flood_of_questions_that_nobody_can_answer_fifty_are_passed_on(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    questions = [random.randbytes(ID_BYTES + 32) for _ in range(4 * RELAY_BURST)]
    for question in questions:
        peer.gossip(SEARCH, question)
    arena.settle(peer)
    assert relayed(witness) == questions[:RELAY_BURST]
    arena.skip(1.0)
    late = [random.randbytes(ID_BYTES + 32) for _ in range(RELAY_BURST)]
    for question in late:
        peer.gossip(SEARCH, question)
    arena.settle(peer)
    assert relayed(witness) == late[:RELAYS_PER_S]
    other = arena.peer()
    question = random.randbytes(ID_BYTES + 32)
    other.gossip(SEARCH, question)
    arena.settle(other)
    assert relayed(witness) == [question]


@pytest.mark.parametrize("question", [b"", b"x", bytes(31), bytes(33), bytes(5_000)])
def test_what_asks_for_no_hash_is_not_passed_on(arena: Arena, question: bytes) -> None:
    witness, peer = arena.peer(), arena.peer()
    peer.gossip(SEARCH, bytes(ID_BYTES) + question)
    arena.settle(peer)
    assert relayed(witness) == []


def test_an_answer_goes_back_to_who_asked_and_to_nobody_else(arena: Arena) -> None:
    asker, witness, knower = arena.peer(), arena.peer(), arena.peer()
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    knower.awaits(SEARCH)
    knower.send_message(REGULAR, 1, ANSWER, search_id + raw)
    assert asker.awaits(ANSWER) == search_id + raw
    assert witness.heard(ANSWER) == []


def test_an_answer_without_its_id_finds_its_question_by_its_hash(arena: Arena) -> None:
    asker, knower = arena.peer(), arena.peer()
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    knower.awaits(SEARCH)
    knower.send_message(REGULAR, 1, ANSWER, raw)
    assert asker.awaits(ANSWER) == search_id + raw


def test_a_forged_answer_is_not_carried_back_and_leaves_room_for_the_true_one(arena: Arena) -> None:
    asker, liar, knower = arena.peer(), arena.peer(), arena.peer()
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    liar.awaits(SEARCH)
    other = mine(EASY, GENESIS).raw
    for forged in (search_id, search_id + other, other, search_id + raw[:-1], raw.upper(), b""):
        liar.send_message(REGULAR, 1, ANSWER, forged)
    arena.settle(liar)
    assert asker.heard(ANSWER) == []
    knower.send_message(REGULAR, 1, ANSWER, search_id + raw)
    assert asker.awaits(ANSWER) == search_id + raw


def test_a_question_gets_one_answer(arena: Arena) -> None:
    asker, knowers = arena.peer(), [arena.peer() for _ in range(3)]
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    for knower in knowers:
        knower.awaits(SEARCH)
        knower.send_message(REGULAR, 1, ANSWER, search_id + raw)
        knower.send_message(REGULAR, 2, ANSWER, raw)
    arena.settle(*knowers)
    assert asker.heard(ANSWER) == [search_id + raw]


def test_who_asks_cannot_answer_himself_over_another_connection_of_his(arena: Arena) -> None:
    asker = arena.peer()
    second = arena.peer(asker.name)
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    arena.settle(asker)
    second.send_message(REGULAR, 1, ANSWER, search_id + raw)
    arena.settle(second)
    assert asker.heard(ANSWER) == []


def test_answers_that_nobody_asked_for_are_ignored_and_cost_nothing(arena: Arena) -> None:
    """Nodes in the field answer late and without ids: nobody can tell such an answer from this."""
    witness, peer = arena.peer(), arena.peer()
    _, raw = unknown_block()
    for _ in range(100):
        peer.send_message(REGULAR, 1, ANSWER, random.randbytes(ID_BYTES) + raw)
        peer.send_message(REGULAR, 1, ANSWER, raw)
        peer.send_message(REGULAR, 1, "search_response:x", random.randbytes(40))
        peer.send_message(REGULAR, 1, "search_response:", b"")
    arena.settle(peer)
    assert arena.tip()[0] == 0
    assert witness.heard(ANSWER) == []
    assert arena.score_of(peer) == 0


def test_an_answer_after_half_a_minute_finds_no_way_back(arena: Arena) -> None:
    asker, knower = arena.peer(), arena.peer()
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    knower.awaits(SEARCH)
    arena.skip(20.0)
    for peer in (arena.honest, asker, knower):
        peer.hears()
    arena.skip(11.0)
    # Ways back are looked at when one is added.
    asker.gossip(SEARCH, random.randbytes(ID_BYTES + 32))
    arena.settle(asker)
    knower.send_message(REGULAR, 1, ANSWER, search_id + raw)
    arena.settle(knower)
    assert asker.heard(ANSWER) == []


def test_of_more_than_1024_open_questions_those_of_who_asked_most_lose_their_way_back(
    arena: Arena,
) -> None:
    """The first question of a flooder is forgotten, the older one of a peer that asked once is not."""
    victim, knower = arena.peer(), arena.peer()
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    victim.gossip(SEARCH, search_id + block_hash)
    arena.settle(victim)
    lost, lost_id = mine(EASY, GENESIS, CAROL.public), random.randbytes(ID_BYTES)
    flooders = [arena.peer() for _ in range(1 + ROUTES // RELAY_BURST)]
    flooders[0].gossip(SEARCH, lost_id + lost.hash)
    for flooder in flooders:
        for _ in range(RELAY_BURST):
            flooder.gossip(SEARCH, random.randbytes(ID_BYTES + 32))
    arena.settle(*flooders)
    for answer in (search_id + raw, lost_id + lost.raw):
        knower.send_message(REGULAR, 1, ANSWER, answer)
    arena.settle(knower)
    assert victim.heard(ANSWER) == [search_id + raw]
    assert flooders[0].heard(ANSWER) == []


def test_questions_of_a_peer_that_left_are_answered_to_nobody(arena: Arena) -> None:
    asker, knower = arena.peer(), arena.peer()
    (block_hash, raw), search_id = unknown_block(), random.randbytes(ID_BYTES)
    asker.gossip(SEARCH, search_id + block_hash)
    knower.awaits(SEARCH)
    asker.reset()
    arena.await_that(lambda: asker.name not in arena.peers())
    knower.send_message(REGULAR, 1, ANSWER, search_id + raw)
    arena.settle(knower)
    assert knower.heard(ANSWER) == []
