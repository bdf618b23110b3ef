"""How many peers are sought, for whom places are kept, and who goes when there are too many."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.peers.messages import PeerId
from actors.peers.slots import MAX_OUTBOUND_KEPT, Seats, SlotPolicy
from actors.peers.table import Link, PeerTable
from actors.tcp.messages import ConnId


def table_of(inbound: int, outbound: int = 0) -> PeerTable:
    """Peers ``in:1`` and so on, then ``out:1`` and so on, with a link each."""
    table = PeerTable()
    names = [(f"in:{n}", False) for n in range(1, inbound + 1)]
    names += [(f"out:{n}", True) for n in range(1, outbound + 1)]
    for number, (name, initiated) in enumerate(names):
        link = Link(ConnId(number), f"10.0.0.1:{number + 1}", initiated)
        table.link(PeerId(name), link, listed=True, now_s=float(number))
    return table


def surplus(
    max_peers: int, table: PeerTable, scores: dict[str, float] | None = None, *kept: str
) -> list[str]:
    points = scores or {}
    kept_ids = tuple(map(PeerId, kept))
    for peer in filter(None, map(table.get, kept_ids)):
        peer.verified = True
    seats = Seats(SlotPolicy(max_peers), table, kept_ids, lambda p: points.get(p.id, 0.0), b"salt")
    return list(seats.surplus())


@pytest.mark.parametrize(
    ("max_peers", "wanted", "outbound"),
    [(1, 1, 0), (2, 1, 1), (5, 3, 2), (40, 20, 8), (1_000, 500, 8)],
)
def test_half_of_the_places_are_sought_for_and_some_kept(
    max_peers: int, wanted: int, outbound: int
) -> None:
    policy = SlotPolicy(max_peers)
    assert (policy.wanted, policy.wanted_outbound, policy.limit) == (
        wanted,
        outbound,
        2 * max_peers,
    )


def test_peers_are_sought_below_half_and_then_only_for_want_of_outbound_ones() -> None:
    policy = SlotPolicy(40)
    assert policy.missing(table_of(0)) == 20
    assert policy.missing(table_of(0, 12)) == 8
    assert policy.missing(table_of(20)) == 8
    assert policy.missing(table_of(79, 7)) == 1
    assert policy.missing(table_of(12, 8)) == 0


def test_whoever_dials_us_takes_no_place_of_those_whom_we_will_dial() -> None:
    policy = SlotPolicy(40)
    assert policy.open_to_inbound(table_of(0)) == 72
    assert policy.open_to_inbound(table_of(60, 3)) == 75
    assert policy.open_to_inbound(table_of(60, 8)) == policy.open_to_inbound(table_of(0, 30)) == 80


def test_with_no_more_than_wanted_nobody_goes() -> None:
    assert surplus(5, table_of(5)) == []
    assert surplus(5, table_of(1)) == []


def test_the_youngest_go_but_never_the_kept() -> None:
    assert surplus(3, table_of(5)) == ["in:5", "in:4"]
    assert surplus(3, table_of(5), None, "in:5") == ["in:4", "in:3"]
    assert surplus(1, table_of(2), None, "in:1", "in:2") == []


def test_the_worst_score_goes_before_youth() -> None:
    assert surplus(2, table_of(5), {"in:2": 40.0, "in:1": 20.0}) == ["in:2", "in:1", "in:5"]


def test_outbound_peers_stay_as_far_as_they_are_wanted_however_young() -> None:
    assert surplus(4, table_of(3, 3)) == ["in:3", "out:3"]
    assert surplus(4, table_of(4, 2)) == ["in:4", "in:3"]


def test_an_outbound_peer_with_a_score_gives_its_place_to_one_without() -> None:
    assert surplus(4, table_of(3, 3), {"out:1": 20.0}) == ["out:1", "in:3"]


@settings(deadline=None)
@given(
    max_peers=st.integers(1, 50),
    inbound=st.integers(0, 60),
    outbound=st.integers(0, 60),
    scores=st.dictionaries(st.integers(1, 60).map(lambda n: f"in:{n}"), st.floats(0, 99)),
)
def test_no_number_of_inbound_peers_costs_the_wanted_outbound_ones(
    max_peers: int, inbound: int, outbound: int, scores: dict[str, float]
) -> None:
    table = table_of(inbound, outbound)
    leaving = set(surplus(max_peers, table, scores))
    assert len(leaving) == max(0, inbound + outbound - max_peers)
    staying = sum(peer.is_outbound for peer in table if peer.id not in leaving)
    assert staying >= min(outbound, SlotPolicy(max_peers).wanted_outbound)
    assert SlotPolicy(max_peers).wanted_outbound <= MAX_OUTBOUND_KEPT
