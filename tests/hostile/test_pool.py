"""The mempool under attack: what is free must not crowd out what is paid for (LEDGER: mempool policy)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from actors.config import MempoolSettings
from actors.ledger.codec import make_transaction
from actors.ledger.keys import PrivateKey
from actors.ledger.types import BlockRef, Transaction
from actors.mempool.actor import JUDGED_TOGETHER
from actors.mempool.messages import GetPooled, ListPooled, SubmitTransaction
from tests.support.chains import ALICE, BOB, CAROL, EASY, key, mine, transfer
from tests.support.hostile import Arena
from tests.support.hostile_peer import GET_POOL, ID_BYTES, NEW_TX, Hostile, flood
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, message

PENDING, QUEUED, SENDER, SENDER_PENDING = 100, 50, 64, 16
EXPIRY_S = 120.0
BROKE = (PENDING + QUEUED) // 10
"""A tenth of all places, for senders without a balance."""


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """A small pool, and Alice with a balance of 1,000."""
    settings = MempoolSettings(max_pending=PENDING, max_queued=QUEUED, expiry_s=EXPIRY_S)
    with Arena(tmp_path / "node", mempool=settings) as arena:
        arena.grow(10, ALICE.public)
        yield arena


def stranger(number: int) -> PrivateKey:
    return key(EASY.scheme, f"stranger {number}")


def tell(arena: Arena, peer: Hostile, transactions: Iterable[Transaction]) -> None:
    for each in transactions:
        peer.gossip(NEW_TX, each.raw)
    arena.settle(peer)


def pooled(arena: Arena, sender: PrivateKey) -> list[int]:
    """The nonces of a sender's transactions in the pool."""
    listed = arena.ask(arena.addresses.mempool, ListPooled(1_000, sender=sender.public))
    return sorted(each.transaction.nonce for each in listed)


def passed_on(witness: Hostile) -> list[bytes]:
    return [each[ID_BYTES:] for each in witness.heard(NEW_TX)]


def assert_paid_comes_through(arena: Arena, nonce: int = 0) -> None:
    """An honest transaction gets in and is passed on, whatever else there is."""
    witness = arena.peer()
    paid = transfer(ALICE, BOB.public, nonce, 1)
    tell(arena, arena.honest, [paid])
    assert nonce in pooled(arena, ALICE)
    assert paid.raw in passed_on(witness)


# -- what one sender may ----------------------------------------------------------------------------


def test_of_one_sender_sixteen_are_pending_and_sixty_four_held(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    tell(arena, peer, (transfer(ALICE, BOB.public, nonce, 0) for nonce in range(100)))
    assert arena.pool().pending == SENDER_PENDING
    assert arena.pool().queued == min(SENDER - SENDER_PENDING, QUEUED)
    assert len(passed_on(witness)) == SENDER_PENDING


def test_gaps_in_the_nonces_are_held_back_and_not_passed_on(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    tell(arena, peer, (transfer(ALICE, BOB.public, nonce, 1) for nonce in range(1, 20)))
    assert arena.pool().pending == 0
    assert passed_on(witness) == []
    tell(arena, peer, [transfer(ALICE, BOB.public, 0, 1)])
    assert arena.pool().pending == SENDER_PENDING
    assert len(passed_on(witness)) == SENDER_PENDING


def test_what_the_balance_does_not_cover_is_not_passed_on(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    tell(arena, peer, (transfer(ALICE, BOB.public, nonce, 400) for nonce in range(5)))
    assert arena.pool().pending == 2
    assert len(passed_on(witness)) == 2


def test_a_second_transaction_of_a_nonce_replaces_nothing(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    first = transfer(ALICE, BOB.public, 0, 1)
    others = [transfer(ALICE, CAROL.public, 0, amount) for amount in (2, 3, 1_000)]
    tell(arena, arena.honest, [first])
    tell(arena, peer, others)
    assert arena.ask(arena.addresses.mempool, GetPooled(first.id)) is not None
    assert passed_on(witness) == [first.raw]
    assert arena.score_of(peer) == 0


# -- floods -----------------------------------------------------------------------------------------


def test_senders_without_a_balance_hold_a_tenth_of_the_pool(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    zeros = [transfer(stranger(each), BOB.public, 0, 0) for each in range(150)]
    tell(arena, peer, zeros)
    assert arena.pool().pending <= BROKE
    assert len(passed_on(witness)) <= BROKE
    assert arena.score_of(peer) == 0
    assert_paid_comes_through(arena)


def test_unfunded_senders_are_not_passed_on_and_keep_nobody_out(arena: Arena) -> None:
    witness, peer = arena.peer(), arena.peer()
    tell(arena, peer, (transfer(stranger(each), BOB.public, 0, 1) for each in range(150)))
    tell(arena, peer, (transfer(stranger(each), BOB.public, 9, 0) for each in range(150)))
    assert arena.pool().pending == 0
    assert arena.pool().queued <= BROKE
    assert passed_on(witness) == []
    assert arena.score_of(peer) == 0
    assert_paid_comes_through(arena)


def test_a_pool_full_of_poor_senders_makes_room_for_a_richer_one(arena: Arena) -> None:
    """Who has least loses first: a flood of those who have a little costs its maker that, and no more."""
    poor = [stranger(each) for each in range(12)]
    payments = [transfer(ALICE, each.public, nonce, 1) for nonce, each in enumerate(poor)]
    for run in (payments[:10], payments[10:]):
        block = mine(EASY, BlockRef(*arena.tip()), CAROL.public, run)
        arena.honest.tell_block(block)
        arena.await_tip(block)
    peer = arena.peer()
    tell(arena, peer, (transfer(each, BOB.public, n, 0) for each in poor for n in range(16)))
    assert arena.pool().pending == PENDING
    assert_paid_comes_through(arena, len(poor))


def test_a_flood_of_bad_signatures_ends_in_a_ban_whoever_sends_it(arena: Arena) -> None:
    """The field, too, verifies a signature before it passes a transaction on."""
    peer = arena.legacy()
    real = transfer(ALICE, BOB.public, 0, 1)
    forged = (real.raw.replace(b",0,1,", b",0,%d," % amount) for amount in range(2, 12))
    flood(peer, (message(REGULAR, 0, NEW_TX, random.randbytes(ID_BYTES) + each) for each in forged))
    assert peer.is_parted_with()
    assert arena.is_banned(peer)
    assert arena.pool().pending == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda raw: raw[:-1],
        lambda raw: raw.upper(),
        lambda raw: raw + b",",
        lambda raw: raw + b"\n",
        lambda raw: b" " + raw,
        lambda raw: raw.replace(b",0,1,", b",00,1,"),
        lambda raw: raw.replace(b",0,1,", b",+0,1,"),
        lambda raw: raw.replace(b",0,1,", b",0,-1,"),
        lambda raw: raw.replace(b",0,1,", b",0,9223372036854775808,"),
        lambda raw: raw.replace(b",0,1,", ",0,\u0661,".encode()),
        lambda raw: raw.replace(b",0,1,", b",0,1_0,"),
        lambda _: bytes(200),
    ],
    ids=[
        *("nothing", "half a byte less", "upper case", "a comma more", "a line end", "a space"),
        *("a leading zero", "a sign", "below zero", "too much", "other digits", "underscore"),
        "noise",
    ],
)
def test_what_is_no_transaction_is_not_taken_and_costs_the_field_nothing(
    arena: Arena, change: object
) -> None:
    assert callable(change)
    witness, peer = arena.peer(), arena.legacy()
    peer.gossip(NEW_TX, change(transfer(ALICE, BOB.public, 0, 1).raw))
    arena.settle(peer)
    assert arena.pool().pending == arena.pool().queued == 0
    assert passed_on(witness) == []
    assert arena.score_of(peer) == 0


def test_what_a_forger_repeats_behind_his_forgeries_is_still_news_of_an_honest_peer(
    arena: Arena,
) -> None:
    """The very same message: else whoever pays with a ban keeps it from us and from all behind us."""
    witness, forger = arena.peer(), arena.peer()
    forged = (
        make_transaction(ALICE.public, BOB.public, 0, each, bytes(64)).raw
        for each in range(JUDGED_TOGETHER)
    )
    paid, rumour_id = transfer(ALICE, BOB.public, 0, 1).raw, bytes(ID_BYTES)
    rumours = [random.randbytes(ID_BYTES) + raw for raw in forged]
    flood(forger, (message(REGULAR, 0, NEW_TX, each) for each in (*rumours, rumour_id + paid)))
    assert forger.is_parted_with()
    arena.honest.gossip(NEW_TX, paid, rumour_id)
    arena.settle(arena.honest)
    assert pooled(arena, ALICE) == [0]
    assert passed_on(witness) == [paid]


# -- time -------------------------------------------------------------------------------------------


def test_what_was_included_cannot_be_replayed(arena: Arena) -> None:
    paid = transfer(ALICE, BOB.public, 0, 1)
    tell(arena, arena.honest, [paid])
    block = mine(EASY, BlockRef(*arena.tip()), CAROL.public, (paid,))
    arena.honest.tell_block(block)
    arena.await_tip(block)
    witness, peer = arena.peer(), arena.peer()
    tell(arena, peer, [paid] * 20)
    assert arena.pool().pending == 0
    assert passed_on(witness) == []
    assert arena.score_of(peer) == 0


def test_what_waits_for_too_long_expires(arena: Arena) -> None:
    tell(arena, arena.honest, (transfer(ALICE, BOB.public, nonce, 1) for nonce in (0, 5)))
    assert (arena.pool().pending, arena.pool().queued) == (1, 1)
    arena.await_in_time(lambda: arena.pool().pending == arena.pool().queued == 0)


# -- questions and our own user ---------------------------------------------------------------------


def test_as_many_questions_for_the_pool_at_once_as_are_read_at_once_are_all_answered(
    arena: Arena,
) -> None:
    """256 answers of 5 KiB: within the 2 MiB that one batch may be answered with."""
    tell(arena, arena.honest, (transfer(ALICE, BOB.public, nonce, 0) for nonce in range(16)))
    peer, numbers = arena.peer(), range(1, 257)
    flood(peer, (message(REQUEST, number, GET_POOL) for number in numbers))
    answers = [peer.recv_until(RESPONSE, id_=number) for number in numbers]
    assert {len(each.payload.split(b"\n")) for each in answers} == {16}


def test_a_flood_does_not_keep_our_own_user_out(arena: Arena) -> None:
    peer = arena.peer()
    for number in range(2_000):
        peer.gossip(NEW_TX, b"%d" % number)
    own = transfer(ALICE, BOB.public, 0, 1)
    arena.ask(arena.addresses.mempool, SubmitTransaction(own.raw))
    assert arena.ask(arena.addresses.mempool, GetPooled(own.id)) is not None
    arena.settle(peer)


def test_what_a_peer_answers_for_its_pool_is_judged_as_anything_else(arena: Arena) -> None:
    peer = arena.peer()
    lines = [transfer(stranger(each), BOB.public, 0, 0).raw for each in range(100)]
    paid = transfer(ALICE, BOB.public, 0, 1)
    peer.answer(GET_POOL, b"\n".join([b"junk", *lines, paid.raw]))
    arena.settle(peer)
    arena.await_that(lambda: pooled(arena, ALICE) == [0])
    assert arena.pool().pending <= BROKE + 1
