"""Blocks that are none, that lie, or that lead nowhere: none becomes the tip, none is passed on, and none keeps
out a good one (WIRE: gossip; limits, orphans).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.chain.messages import ChainInfo, GetChain
from actors.ledger.types import Block, BlockRef, Transaction
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer, workless
from tests.support.hostile import Arena
from tests.support.hostile_peer import ID_BYTES, NEW_BLOCK, SEARCH
from tests.support.ledger import key

GENESIS = EASY.genesis.ref
POINTS = 20
FUNDED = mine(EASY, GENESIS, ALICE.public)
"""Gives Alice 100, so that there is something to cheat with."""
ORPHANS_PER_PEER, ORPHANS = 16, 100
"""WIRE: limits, orphans."""


def paying(*transactions: Transaction) -> Block:
    return mine(EASY, FUNDED.ref, BOB.public, transactions)


def forged() -> Transaction:
    """Alice's signature under another amount."""
    real = transfer(ALICE, BOB.public, 0, 1)
    return type(real)(
        real.sender,
        real.recipient,
        real.nonce,
        2,
        real.signature,
        real.raw.replace(b",0,1,", b",0,2,"),
        real.id,
    )


def info(arena: Arena) -> ChainInfo:
    return arena.ask(arena.addresses.chain, GetChain())


def _blocks(rumours: list[bytes]) -> set[bytes]:
    """Without their ids."""
    return {each[ID_BYTES:] for each in rumours}


INVALID = {
    "number too high": lambda: mine(EASY, BlockRef(2, FUNDED.hash)),
    "number of its parent": lambda: mine(EASY, BlockRef(0, FUNDED.hash)),
    "coinbase too short": lambda: mine(EASY, FUNDED.ref, b"short"),
    "coinbase too long": lambda: mine(EASY, FUNDED.ref, b"x" * 33),
    "no coinbase": lambda: mine(EASY, FUNDED.ref, b""),
    "too many transactions": lambda: paying(
        *(transfer(ALICE, BOB.public, nonce, 0) for nonce in range(11))
    ),
    "spends what is not there": lambda: paying(transfer(ALICE, BOB.public, 0, 101)),
    "spends it twice": lambda: paying(
        transfer(ALICE, BOB.public, 0, 60), transfer(ALICE, BOB.public, 1, 60)
    ),
    "the same twice": lambda: paying(*[transfer(ALICE, BOB.public, 0, 1)] * 2),
    "a gap in the nonces": lambda: paying(transfer(ALICE, BOB.public, 1, 1)),
    "a nonce of the past": lambda: paying(
        transfer(ALICE, BOB.public, 0, 1), transfer(ALICE, BOB.public, 0, 2)
    ),
    "a payer without funds": lambda: paying(transfer(BOB, ALICE.public, 0, 1)),
    "a forged signature": lambda: paying(forged()),
}
"""With work, on a block of ours."""


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_block_is_neither_followed_nor_passed_on_and_costs_ours_20_points(
    arena: Arena, case: str
) -> None:
    arena.honest.tell_block(FUNDED)
    peer, witness = arena.ours(), arena.peer()
    peer.tell_block(INVALID[case]())
    arena.settle(peer)
    assert arena.score_of(peer) == POINTS
    assert arena.tip() == (1, FUNDED.hash)
    assert _blocks(witness.heard(NEW_BLOCK)) <= {FUNDED.raw}


def spell(change: Callable[[bytes], bytes]) -> bytes:
    return change(mine(EASY, GENESIS, ALICE.public).raw)


MALFORMED = {
    "nothing": b"",
    "a number": b"1",
    "noise": bytes(range(256)),
    "no coinbase field": spell(lambda raw: raw.rpartition(b":")[0]),
    "an empty transaction": spell(lambda raw: raw + b":"),
    "white space": spell(lambda raw: raw + b" "),
    "a line end": spell(lambda raw: raw + b"\n"),
    "a sign": spell(lambda raw: b"+" + raw),
    "a leading zero": spell(lambda raw: b"0" + raw),
    "upper case": spell(bytes.upper),
    "other digits": "٣".encode() + spell(lambda raw: raw[1:]),
    "a negative number": spell(lambda raw: b"-" + raw),
    "a huge number": spell(lambda raw: b"9" * 40 + raw),
    "a huge nonce": b"1:" + b"9" * 40 + spell(lambda raw: raw.partition(b":")[2][1:]),
    "half a hash": b"1:0:" + b"0" * 32 + b":" + b"0" * 64,
    "transactions of noise": spell(lambda raw: raw + b":" + b"x" * 100),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_block_costs_ours_20_points(arena: Arena, case: str) -> None:
    peer = arena.ours()
    peer.gossip(NEW_BLOCK, MALFORMED[case])
    arena.settle(peer)
    assert arena.score_of(peer) == POINTS
    assert arena.tip()[0] == 0
    assert arena.honest.heard(NEW_BLOCK) == []


def test_an_invalid_block_under_fresh_ids_is_judged_once(arena: Arena) -> None:
    arena.honest.tell_block(FUNDED)
    peer = arena.ours()
    bad = INVALID["spends what is not there"]()
    peer.tell_block(bad)
    arena.settle(peer)
    peer.tell_block(*[bad] * 10)
    arena.settle(peer)
    assert arena.score_of(peer) == POINTS


def test_a_mutated_copy_under_the_id_of_the_real_block_does_not_suppress_it(arena: Arena) -> None:
    """A block's hash is over all of its bytes: a copy with anything changed is another block."""
    real = paying(transfer(ALICE, BOB.public, 0, 1))
    arena.honest.tell_block(FUNDED)
    witness, liar, rumour_id = arena.peer(), arena.legacy(), bytes(range(16))
    for mutated in (real.raw + b":", real.raw.upper(), real.raw[:-1], b"0" + real.raw):
        liar.gossip(NEW_BLOCK, mutated, rumour_id)
    arena.settle(liar)
    arena.honest.gossip(NEW_BLOCK, real.raw, rumour_id)
    arena.await_tip(real)
    assert rumour_id + real.raw in witness.heard(NEW_BLOCK)


def test_the_child_of_an_invalid_block_is_not_followed(arena: Arena) -> None:
    arena.honest.tell_block(FUNDED)
    bad = INVALID["spends what is not there"]()
    peer = arena.legacy()
    branch = mine_chain(EASY, bad.ref, 5)
    peer.tell_block(bad, *branch)
    arena.settle(peer)
    assert arena.tip() == (1, FUNDED.hash)
    assert not _blocks(arena.honest.heard(NEW_BLOCK)) & {each.raw for each in (bad, *branch)}


def test_a_longer_branch_that_turns_out_invalid_is_left_for_the_best_valid_one(
    arena: Arena,
) -> None:
    own = arena.grow(3)
    first = mine(EASY, GENESIS, BOB.public)
    second = mine(EASY, first.ref, BOB.public)
    bad = mine(EASY, second.ref, BOB.public, (transfer(ALICE, BOB.public, 0, 10**6),))
    longer = mine_chain(EASY, bad.ref, 3)
    peer = arena.legacy()
    peer.tell_block(first, second, bad, *longer)
    arena.settle(peer)
    assert arena.tip() == (3, own[-1].hash)
    assert not _blocks(arena.honest.heard(NEW_BLOCK)) & {each.raw for each in (bad, *longer)}


def test_a_side_branch_is_stored_and_not_passed_on(arena: Arena) -> None:
    own = arena.grow(5)
    witness, peer = arena.peer(), arena.legacy()
    branch = mine_chain(EASY, GENESIS, 4, BOB.public)
    witness.hears()
    peer.tell_block(*branch)
    arena.settle(peer)
    assert arena.tip() == (5, own[-1].hash)
    assert info(arena).side_blocks == 4
    assert witness.heard(NEW_BLOCK) == []
    assert arena.score_of(peer) == 0


# -- orphans ----------------------------------------------------------------------------------------


def orphans(count: int, number: int = 9) -> list[Block]:
    parents = (key(EASY.scheme, f"parent {each}").public for each in range(count))
    return [mine(EASY, BlockRef(number, parent)) for parent in parents]


def test_of_one_peer_sixteen_orphans_are_held(arena: Arena) -> None:
    peer = arena.legacy()
    peer.tell_block(*orphans(40))
    arena.settle(peer)
    assert info(arena).orphans == ORPHANS_PER_PEER


def test_of_all_peers_a_hundred_orphans_are_held(arena: Arena) -> None:
    peers, blocks = [arena.peer() for _ in range(9)], orphans(9 * ORPHANS_PER_PEER)
    for place, peer in enumerate(peers):
        peer.tell_block(*blocks[place::9])
    arena.settle(*peers)
    assert info(arena).orphans == ORPHANS


def test_a_flood_of_orphans_does_not_push_out_the_one_of_an_honest_peer(arena: Arena) -> None:
    parent, child = mine_chain(EASY, GENESIS, 2)
    arena.honest.tell_block(child)
    arena.settle(arena.honest)
    flooders, blocks = [arena.peer() for _ in range(9)], orphans(9 * ORPHANS_PER_PEER)
    for place, peer in enumerate(flooders):
        peer.tell_block(*blocks[place::9])
    arena.settle(*flooders)
    arena.honest.tell_block(parent)
    arena.await_tip(child)


def test_an_orphan_without_work_is_a_crime_like_any_block_without_it(arena: Arena) -> None:
    peer = arena.peer()
    peer.tell_block(workless(EASY, BlockRef(9, bytes(32))))
    assert peer.is_parted_with()
    assert info(arena).orphans == 0


@pytest.mark.parametrize("number", [10**6, 10**9])
def test_a_block_far_ahead_is_one_orphan_and_stops_nothing(arena: Arena, number: int) -> None:
    peer = arena.legacy()
    peer.tell_block(*orphans(3, number))
    arena.settle(peer)
    assert info(arena).orphans <= 3
    (block,) = arena.grow()
    assert arena.tip() == (1, block.hash)


def test_a_flood_of_one_orphan_under_fresh_ids_asks_for_its_parent_once_at_a_time(
    arena: Arena,
) -> None:
    peer = arena.legacy()
    (orphan,) = orphans(1)
    peer.tell_block(*[orphan] * 50)
    arena.settle(peer)
    assert info(arena).orphans <= 1
    assert len(peer.heard(SEARCH)) == 1


def test_a_block_of_the_largest_number_there_is_harms_nothing(arena: Arena) -> None:
    peer = arena.legacy()
    peer.tell_block(mine(EASY, BlockRef(2**63 - 2, bytes(32))))
    arena.settle(peer)
    assert arena.tip()[0] == 0
