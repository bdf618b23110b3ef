"""What follows from misdeeds: points that fade, a ban at 100, and who is not to blame (WIRE: limits, score)."""

from __future__ import annotations

import itertools

import pytest

from actors.ledger.keys import ED25519
from actors.peers.messages import Banned, BanRefusal, ConnectOutcome, CreateBan, DeleteBan
from actors.tcp.messages import CloseReason
from tests.support.chains import CAROL, key, mine, transfer, workless
from tests.support.hostile import Arena
from tests.support.hostile_peer import NEW_BLOCK, NEW_TX, WAIT_S, Hostile

BAN_S = 600.0
HALF_LIFE_S = 60.0
"""WIRE: limits, score."""
NONCES = itertools.count(1)
POINTS = 20
"""For each thing that no node of ours sends."""


def commit(arena: Arena, peer: Hostile, count: int) -> None:
    """So many different crimes of 20 points each: blocks with work, and transactions that nobody has paid."""
    forged = [transfer(CAROL, CAROL.public, next(NONCES), 1) for _ in range(count)]
    peer.tell_block(
        *(mine(arena.network, arena.network.genesis.ref, CAROL.public, (each,)) for each in forged)
    )
    arena.settle(peer)


def forget(arena: Arena, seconds: float, *living: Hostile) -> None:
    """Let time pass in steps in which nobody falls silent."""
    while seconds > 0:
        arena.skip(min(seconds, 15.0))
        seconds -= 15.0
        for peer in (arena.honest, *living):
            peer.hears()


def test_a_block_without_work_is_a_ban_at_once_for_ten_minutes(arena: Arena) -> None:
    peer = arena.peer()
    peer.tell_block(workless(arena.network, arena.network.genesis.ref))
    assert peer.is_parted_with()
    assert arena.ended(CloseReason.BANNED) == 1
    (ban,) = arena.bans()
    assert ban.target == peer.name
    assert ban.until_s - ban.created_s == pytest.approx(BAN_S, abs=1)
    assert not arena.welcomes(peer.name)
    forget(arena, BAN_S + 1)
    assert arena.welcomes(peer.name)


def test_six_invalid_blocks_of_one_of_ours_are_a_ban_and_four_are_not(arena: Arena) -> None:
    """The fifth makes 100, less what has faded meanwhile."""
    peer = arena.ours()
    commit(arena, peer, 4)
    assert arena.score_of(peer) == 4 * POINTS
    commit(arena, peer, 6)
    assert peer.is_parted_with()
    assert arena.is_banned(peer)


def test_points_are_half_forgotten_in_a_minute(arena: Arena) -> None:
    peer = arena.ours()
    commit(arena, peer, 4)
    forget(arena, HALF_LIFE_S, peer)
    assert arena.score_of(peer) == pytest.approx(2 * POINTS, abs=2)


def test_a_peer_of_the_field_and_one_not_yet_known_pay_only_for_what_the_field_checks(
    arena: Arena,
) -> None:
    """It may only pass on what a liar wrote, and must not be banned for that however much of it there is."""
    legacy = arena.legacy()
    unknown = arena.peer()
    for peer in (legacy, unknown):
        commit(arena, peer, 10)
        peer.gossip(NEW_BLOCK, b"no block")
        peer.gossip(NEW_TX, b"no transaction")
        peer.gossip(NEW_TX, b"1" * 2_000)
        arena.settle(peer)
        assert arena.score_of(peer) == 0
    forged = transfer(CAROL, CAROL.public, 0, 1).raw.replace(b",1,", b",2,")
    legacy.gossip(NEW_TX, forged)
    arena.settle(legacy)
    assert arena.score_of(legacy) == POINTS


def test_who_comes_back_under_the_same_name_finds_his_points_there(arena: Arena) -> None:
    peer = arena.ours()
    commit(arena, peer, 3)
    peer.close()
    arena.await_that(lambda: peer.name not in arena.peers())
    again = arena.peer(peer.name)
    assert arena.score_of(again) == 3 * POINTS


def test_a_ban_closes_every_connection_of_the_peer(arena: Arena) -> None:
    peer = arena.peer()
    others = [arena.peer(peer.name) for _ in range(2)]
    peer.tell_block(workless(arena.network, arena.network.genesis.ref))
    for each in (peer, *others):
        assert each.is_parted_with()


def test_who_is_banned_is_not_dialed_either(arena: Arena) -> None:
    peer = arena.dialed()
    peer.tell_block(workless(arena.network, arena.network.genesis.ref))
    assert peer.is_parted_with()
    assert arena.connect(peer.name).result(WAIT_S) is ConnectOutcome.BANNED


def test_a_ban_for_a_score_outlives_a_restart(arena: Arena) -> None:
    peer = arena.peer()
    peer.tell_block(workless(arena.network, arena.network.genesis.ref))
    assert peer.is_parted_with()
    arena.restart()
    assert arena.is_banned(peer)
    assert not arena.welcomes(peer.name)
    forget(arena, BAN_S + 1)
    assert arena.welcomes(peer.name)


def test_the_ban_of_an_operator_holds_until_he_lifts_it_and_outlives_a_restart(
    arena: Arena,
) -> None:
    peer, at = arena.peer(), arena.addresses
    made = arena.ask(at.peers, CreateBan(peer.name, 3_600.0, "a test"))
    assert isinstance(made, Banned)
    assert peer.is_parted_with()
    arena.restart()
    assert not arena.welcomes(peer.name)
    assert arena.ask(arena.addresses.peers, DeleteBan(peer.name)) is True
    assert arena.welcomes(peer.name)


def test_all_of_loopback_cannot_be_banned(arena: Arena) -> None:
    for target in ("127.0.0.1", "::1", "nonsense", "", "0.0.0.0:0"):
        made = arena.ask(arena.addresses.peers, CreateBan(target, 60.0, "a test"))
        assert made is BanRefusal.BAD_TARGET
    assert arena.honest.hears() is not None


def test_bans_of_many_names_take_newcomers_nothing(arena: Arena) -> None:
    """Whoever comes back again and again under a fresh name is banned again and again, and nobody else."""
    for _ in range(40):
        peer = arena.peer()
        own = key(ED25519, peer.name).public
        peer.tell_block(workless(arena.network, arena.network.genesis.ref, own))
        assert peer.is_parted_with()
    assert len(arena.bans()) == 40
    assert arena.welcomes(arena.new_name())
