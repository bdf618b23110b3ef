"""Who goes when there are too many peers: nobody who is of use, and first of all a crowd of one network."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.peers.eviction import (
    PROTECTED_FOR_BLOCKS,
    PROTECTED_FOR_TRANSACTIONS,
    PROTECTED_NETWORKS,
    crowding,
    gives_way,
    leaving_order,
    protected_of,
)
from actors.peers.messages import PeerId
from actors.peers.table import Link, Peer
from actors.tcp.messages import ConnId

SALT = b"salt"


def peer(number: int, host: str = "", *, initiated: bool = False) -> Peer:
    """A peer that came as the one of that number, at a host of its own network."""
    host = host or f"{20 + number // 250}.{number % 250}.0.1"
    found = Peer(PeerId(f"{host}:{number}"), listed=True, since_s=float(number), host=host)
    found.links.append(Link(ConnId(number), f"{host}:5", initiated))
    return found


def crowd(count: int, first: int) -> list[Peer]:
    """Peers out of one network, each at a host of its own."""
    return [peer(first + n, f"6.6.{n // 250}.{n % 250}") for n in range(count)]


def nothing(_peer: Peer) -> float:
    return 0.0


def leaving(peers: Iterable[Peer], points: dict[PeerId, float] | None = None) -> list[PeerId]:
    known = points or {}
    return [p.id for p in leaving_order(list(peers), lambda p: known.get(p.id, 0.0), SALT)]


def test_a_flood_out_of_one_network_costs_that_network_its_places() -> None:
    honest, flood = [peer(n) for n in range(1, 21)], crowd(60, 100)
    gone = leaving([*honest, *flood])[:25]
    assert set(gone) <= {each.id for each in flood}
    assert gone == [each.id for each in reversed(flood)][:25], "the youngest first"


def test_an_older_flood_goes_before_younger_peers_of_other_networks() -> None:
    flood, honest = crowd(60, 1), [peer(n) for n in range(100, 121)]
    protected = protected_of([*flood, *honest], SALT)
    exposed_flood = [each.id for each in flood if each.id not in protected]
    assert set(leaving([*flood, *honest])[: len(exposed_flood)]) == set(exposed_flood)


def test_the_first_with_a_block_of_late_stays_though_it_is_young_and_its_network_crowded() -> None:
    peers = [*crowd(60, 1), *(peer(n) for n in range(100, 120))]
    useful = peers[50 : 50 + PROTECTED_FOR_BLOCKS]
    for at_s, each in enumerate(useful):
        each.block_s = float(at_s)
    stays = leaving(peers)[-len(protected_of(peers, SALT)) :]
    assert {each.id for each in useful} <= set(stays)


def test_of_those_who_brought_something_the_latest_are_protected() -> None:
    peers = crowd(40, 1)
    for at_s, each in enumerate(peers[20:]):
        each.transactions_s = float(at_s)
    protected = protected_of(peers, SALT)
    assert {each.id for each in peers[-PROTECTED_FOR_TRANSACTIONS:]} <= protected
    assert peers[-PROTECTED_FOR_TRANSACTIONS - 1].id not in protected


def test_points_cost_any_protection_the_most_first() -> None:
    peers = [peer(n) for n in range(1, 9)]
    peers[0].block_s = 1.0
    assert leaving(peers, {peers[0].id: 20.0, peers[3].id: 40.0})[:2] == [peers[3].id, peers[0].id]


def test_the_oldest_peers_in_some_networks_are_protected_and_nobody_knows_which() -> None:
    peers = [peer(n) for n in range(1, 51)]
    drawn = {protected_of(peers, bytes([salt])) for salt in range(8)}
    assert len(drawn) > 1
    flood = crowd(10, 1)
    assert flood[0].id in protected_of(flood, SALT)
    assert PROTECTED_NETWORKS < 50


def test_on_this_machine_nobody_crowds_anybody() -> None:
    peers = [peer(n, "127.0.0.1") for n in range(1, 30)]
    assert set(crowding(peers).values()) == {1}
    assert leaving(peers)[0] == peers[-1].id


# -- a place for one more ---------------------------------------------------------------------------


def test_one_of_another_network_takes_the_place_of_the_youngest_of_a_crowd() -> None:
    flood = crowd(70, 1)
    assert gives_way(flood, nothing, SALT, "8.8.0.0/16") is flood[-1]


def test_one_more_of_the_crowd_takes_no_place() -> None:
    flood = crowd(70, 1)
    assert gives_way(flood, nothing, SALT, "6.6.0.0/16") is None


def test_where_all_are_of_different_networks_one_more_takes_no_place() -> None:
    assert gives_way([peer(n) for n in range(1, 70)], nothing, SALT, "8.8.0.0/16") is None


def test_on_this_machine_one_more_takes_no_place_but_of_who_has_points() -> None:
    peers = [peer(n, "127.0.0.1") for n in range(1, 70)]
    assert gives_way(peers, nothing, SALT, None) is None
    guilty = peers[3]
    assert gives_way(peers, lambda p: 20.0 * (p is guilty), SALT, None) is guilty


@pytest.mark.parametrize("count", [0, 1])
def test_where_hardly_anybody_is_nobody_gives_way(count: int) -> None:
    assert gives_way(crowd(count, 1), nothing, SALT, "8.8.0.0/16") is None


def test_whoever_comes_again_and_again_cannot_drive_out_two_networks_at_each_others_cost() -> None:
    """What gave way and comes back gains nothing: else each would cost the other its place for ever."""
    peers = [*crowd(30, 1), *(peer(100 + n, f"7.7.0.{n}") for n in range(28))]
    moved = 0
    for number in range(1_000, 1_100):
        leaves = gives_way(peers, nothing, SALT, "7.7.0.0/16")
        if leaves is None:
            break
        peers.remove(leaves)
        peers.append(peer(number, f"7.7.1.{number % 250}"))
        moved += 1
    assert moved <= 1


peers_of = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.booleans(),
        st.none() | st.floats(0, 9),
        st.none() | st.floats(0, 9),
        st.sampled_from([0.0, 0.0, 0.0, 20.0, 40.0]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(peers_of)
def test_whoever_they_are_each_goes_once_and_who_is_protected_goes_last(
    drawn: list[tuple[int, bool, float | None, float | None, float]],
) -> None:
    peers, points = list[Peer](), dict[str, float]()
    for number, (network, initiated, block_s, transactions_s, score) in enumerate(drawn):
        each = peer(number, f"{network + 20}.1.0.{number + 1}", initiated=initiated)
        each.block_s, each.transactions_s = block_s, transactions_s
        points[each.id] = score
        peers.append(each)
    order = leaving_order(peers, lambda p: points[p.id], SALT)
    assert sorted(each.id for each in order) == sorted(each.id for each in peers)
    scores = [points[each.id] for each in order]
    assert scores == sorted(scores, reverse=True)
    innocent = [each for each in order if not points[each.id] and not each.is_outbound]
    protected = protected_of(sorted(innocent, key=lambda p: p.since_s), SALT)
    assert {each.id for each in innocent[len(innocent) - len(protected) :]} == protected
    assert len(protected) >= len(innocent) // 2
