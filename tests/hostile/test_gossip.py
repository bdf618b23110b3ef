"""Rumours: replayed, renamed, over-long, in kinds of nobody; each is passed on once or never (WIRE: gossip)."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from actors.gossip.messages import GetGossip, KindInfo, Listen
from actors.gossip.seen import SeenKeys
from tests.support.chains import ALICE, BOB, mine, transfer, workless
from tests.support.hostile import Arena
from tests.support.hostile_peer import ID_BYTES, NEW_BLOCK, NEW_TX, flood
from tests.support.listener import Listener
from tests.support.wire_client import REGULAR, REQUEST, message

EXPIRY_S = 300.0
"""WIRE: gossip, seen ids."""
CHAT = "gossip:chat"
CHATS_PER_S = 5
"""WIRE: limits; so many at once, too."""
POINTS = 20


def counts(arena: Arena, kind: str) -> KindInfo:
    kinds = arena.ask(arena.addresses.gossip, GetGossip()).kinds
    return next(each for each in kinds if each.kind == kind)


def outlive(arena: Arena, seconds: float) -> None:
    """Let time pass in steps in which the honest peer shows that it lives."""
    while seconds > 0:
        arena.skip(min(seconds, 20.0))
        seconds -= 20.0
        arena.honest.hears()


# -- replays ----------------------------------------------------------------------------------------


def test_the_same_message_from_many_peers_is_passed_on_once(arena: Arena) -> None:
    block, rumour_id = mine(arena.network, arena.network.genesis.ref), bytes(range(ID_BYTES))
    witness, peers = arena.peer(), [arena.peer() for _ in range(4)]
    for peer in peers:
        peer.gossip(NEW_BLOCK, block.raw, rumour_id)
    arena.settle(*peers)
    assert witness.heard(NEW_BLOCK) == [rumour_id + block.raw]
    assert counts(arena, "bc:new_block").duplicates == 3


def test_the_same_block_under_fresh_ids_is_passed_on_once(arena: Arena) -> None:
    block, witness, peer = (
        mine(arena.network, arena.network.genesis.ref),
        arena.peer(),
        arena.peer(),
    )
    peer.tell_block(*[block] * 100)
    arena.settle(peer)
    peer.tell_block(*[block] * 100)
    arena.settle(peer)
    assert len(witness.heard(NEW_BLOCK)) == 1


def test_the_same_transaction_under_fresh_ids_is_passed_on_once(arena: Arena) -> None:
    arena.grow(coinbase=ALICE.public)
    witness, peer = arena.peer(), arena.peer()
    paid = transfer(ALICE, BOB.public, 0, 1)
    for _ in range(100):
        peer.gossip(NEW_TX, paid.raw)
    arena.settle(peer)
    assert len(witness.heard(NEW_TX)) == 1


def test_old_news_that_come_again_after_they_were_forgotten_are_not_passed_on(arena: Arena) -> None:
    """By then ids and contents are forgotten; the chain itself knows the block, and the nonce is used."""
    (funding,) = arena.grow(coinbase=ALICE.public)
    paid = transfer(ALICE, BOB.public, 0, 1)
    block = mine(arena.network, funding.ref, ALICE.public, (paid,))
    arena.honest.gossip(NEW_TX, paid.raw, bytes(ID_BYTES))
    arena.honest.gossip(NEW_BLOCK, block.raw, bytes(ID_BYTES))
    arena.await_tip(block)
    outlive(arena, EXPIRY_S + 1)
    witness, peer = arena.peer(), arena.peer()
    peer.gossip(NEW_TX, paid.raw, bytes(ID_BYTES))
    peer.gossip(NEW_BLOCK, block.raw, bytes(ID_BYTES))
    arena.settle(peer)
    assert witness.heard(NEW_TX) == []
    assert block.raw not in [each[ID_BYTES:] for each in witness.heard(NEW_BLOCK)]
    assert arena.pool().pending == 0


def test_a_known_id_with_other_bytes_does_not_suppress_the_real_thing(arena: Arena) -> None:
    arena.grow(coinbase=ALICE.public)
    witness, liar, rumour_id = arena.peer(), arena.peer(), bytes(range(ID_BYTES))
    paid = transfer(ALICE, BOB.public, 0, 1)
    for other in (b"", b"x", paid.raw[:-1], transfer(ALICE, BOB.public, 7, 1).raw):
        liar.gossip(NEW_TX, other, rumour_id)
    arena.settle(liar)
    arena.honest.gossip(NEW_TX, paid.raw, rumour_id)
    arena.settle(arena.honest)
    assert rumour_id + paid.raw in witness.heard(NEW_TX)


def test_the_id_of_one_kind_does_not_suppress_another_kind(arena: Arena) -> None:
    block, rumour_id = mine(arena.network, arena.network.genesis.ref), bytes(range(ID_BYTES))
    liar = arena.peer()
    for kind in (NEW_TX, CHAT, "gossip:x", "gossip:search:block"):
        liar.gossip(kind, block.raw, rumour_id)
    arena.settle(liar)
    arena.honest.gossip(NEW_BLOCK, block.raw, rumour_id)
    arena.await_tip(block)


def test_a_flood_that_pushes_out_all_that_was_heard_lets_nothing_be_passed_on_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """65,536 ids, and as many contents, are a flood's of a few seconds: here 500. The chain knows its blocks."""
    monkeypatch.setattr("actors.gossip.news.SeenKeys", partial(SeenKeys, 500))
    with Arena(tmp_path / "node") as arena:
        witness, flooder = arena.peer(), arena.peer()
        block = mine(arena.network, arena.network.genesis.ref)
        arena.honest.gossip(NEW_BLOCK, block.raw, bytes(ID_BYTES))
        arena.await_tip(block)
        flood(flooder, (message(REGULAR, 0, NEW_TX, random.randbytes(40)) for _ in range(3_000)))
        arena.settle(flooder)
        arena.honest.gossip(NEW_BLOCK, block.raw, bytes(ID_BYTES))
        arena.settle(arena.honest)
        assert counts(arena, "bc:new_block").duplicates == 0
        assert len(witness.heard(NEW_BLOCK)) == 1


# -- what no handler ever sees ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gossip:unheard:of", "gossip:", "gossip:bc:new_block:x", CHAT])
def test_a_kind_without_a_handler_is_not_passed_on(arena: Arena, kind: str) -> None:
    witness, peer = arena.peer(), arena.peer()
    peer.gossip(kind, b"mallory\0hello")
    arena.settle(peer)
    assert witness.heard(kind) == []
    assert arena.score_of(peer) == 0


@pytest.mark.parametrize("payload", [b"", b"short", bytes(ID_BYTES - 1)])
def test_gossip_without_an_id_is_dropped(arena: Arena, payload: bytes) -> None:
    witness, peer = arena.peer(), arena.peer()
    peer.send_message(REGULAR, 1, NEW_BLOCK, payload)
    arena.settle(peer)
    assert witness.heard(NEW_BLOCK) == []
    assert counts(arena, "bc:new_block").dropped == 1


@pytest.mark.parametrize(("kind", "longest"), [(NEW_TX, 1_024), (NEW_BLOCK, 16 * 1_024)])
def test_over_long_gossip_is_dropped_and_costs_the_field_nothing(
    arena: Arena, kind: str, longest: int
) -> None:
    witness, peer = arena.peer(), arena.legacy()
    peer.gossip(kind, b"0" * (longest + 1))
    arena.settle(peer)
    assert witness.heard(kind) == []
    assert counts(arena, kind.removeprefix("gossip:")).dropped == 1
    assert arena.score_of(peer) == 0


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (NEW_TX, b"0" * 2_000),
        (NEW_BLOCK, b"0" * 20_000),
        (NEW_TX, b"no transaction"),
        (NEW_TX, transfer(ALICE, BOB.public, 0, 1).raw.upper()),
        (NEW_BLOCK, b"no block"),
    ],
    ids=["long transaction", "long block", "no transaction", "upper case", "no block"],
)
def test_what_no_node_of_ours_gossips_costs_one_of_ours_20_points(
    arena: Arena, kind: str, payload: bytes
) -> None:
    """WIRE: limits. What is malformed or over-long in a well-framed gossip."""
    peer = arena.ours()
    peer.gossip(kind, payload)
    arena.settle(peer)
    assert arena.score_of(peer) == POINTS


def test_gossip_sent_as_a_request_is_neither_heard_nor_answered(arena: Arena) -> None:
    block, peer = mine(arena.network, arena.network.genesis.ref), arena.peer()
    peer.send_message(REQUEST, 4, NEW_BLOCK, bytes(ID_BYTES) + block.raw)
    arena.settle(peer)
    assert arena.tip()[0] == 0
    assert arena.info_of(peer) is not None


def test_gossip_of_a_connection_that_is_no_peer_is_not_heard(arena: Arena) -> None:
    stranger = arena.dial()
    stranger.tell_block(workless(arena.network, arena.network.genesis.ref))
    stranger.hears()
    assert arena.bans() == ()


# -- chat -------------------------------------------------------------------------------------------


def test_of_a_flood_of_chat_a_few_lines_a_second_are_passed_on(arena: Arena) -> None:
    assert arena.ask(arena.addresses.gossip, Listen(Listener(), frozenset({"chat"})))
    witness, peer = arena.peer(), arena.peer()
    for second in range(3):
        lines = [b"mallory\0line %d of %d" % (number, second) for number in range(200)]
        for line in lines:
            peer.gossip(CHAT, line)
        arena.settle(peer)
        assert [heard[ID_BYTES:] for heard in witness.heard(CHAT)] == lines[:CHATS_PER_S]
        arena.skip(1.0)
    arena.honest.gossip(CHAT, b"bob\0hello")
    arena.settle(arena.honest)
    assert [line[ID_BYTES:] for line in witness.heard(CHAT)] == [b"bob\0hello"]


def test_a_line_that_a_flooder_said_beyond_his_share_is_still_passed_on_for_an_honest_peer(
    arena: Arena,
) -> None:
    assert arena.ask(arena.addresses.gossip, Listen(Listener(), frozenset({"chat"})))
    witness, peer = arena.peer(), arena.peer()
    lines = [(random.randbytes(ID_BYTES), b"bob\0line %d" % number) for number in range(100)]
    for rumour_id, line in lines:
        peer.gossip(CHAT, line, rumour_id)
    arena.settle(peer)
    passed_on = witness.heard(CHAT)
    rumour_id, line = lines[-1]
    assert rumour_id + line not in passed_on
    arena.honest.gossip(CHAT, line, rumour_id)
    arena.settle(arena.honest)
    assert witness.heard(CHAT) == [rumour_id + line]


def test_what_is_no_chat_line_is_not_passed_on(arena: Arena) -> None:
    assert arena.ask(arena.addresses.gossip, Listen(Listener(), frozenset({"chat"})))
    witness, peer = arena.peer(), arena.peer()
    for payload in (b"", b"no sender", b"\xff\xff\0noise", b"mallory\0" + b"x" * 100_000):
        peer.gossip(CHAT, payload)
    arena.settle(peer)
    assert witness.heard(CHAT) == []
