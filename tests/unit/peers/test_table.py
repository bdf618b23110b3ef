"""Who is a peer, and over which of its links we speak."""

import pytest

from actors.peers.bans import culprit_of, target_of
from actors.peers.messages import Classify, PeerId, PeerKind, PeerLinked, PeerUnlinked
from actors.peers.table import MAX_GONE, MAX_LINKS_PER_PEER, NEWS_UNDER_WAY_S, Link, PeerTable
from actors.tcp.messages import ConnId

BOB = PeerId("10.0.0.2:8000")
CAROL = PeerId("10.0.0.3:8000")


def link(number: int, remote: str = "10.0.0.2:50000", *, initiated: bool = False) -> Link:
    return Link(ConnId(number), remote, initiated)


def table_of(*peers: PeerId) -> PeerTable:
    table = PeerTable()
    for number, peer in enumerate(peers, start=1):
        table.link(peer, link(number, peer), listed=True, now_s=float(number))
    return table


def test_the_first_link_makes_the_peer_and_carries_what_we_send() -> None:
    table = PeerTable()
    assert table.link(BOB, link(1), listed=True, now_s=0.0) == PeerLinked(
        BOB, ConnId(1), initiated=False, first=True
    )
    assert table.link(BOB, link(2), listed=True, now_s=1.0) == PeerLinked(
        BOB, ConnId(2), initiated=False, first=False
    )
    assert len(table) == 1
    peer = table.get(BOB)
    assert peer is not None
    assert peer.outbound == 1
    assert table.peer_of(ConnId(2)) is peer


def test_when_the_first_link_goes_the_next_takes_over() -> None:
    table = PeerTable()
    for number in (1, 2, 3):
        table.link(BOB, link(number), listed=True, now_s=0.0)
    peer = table.unlink(ConnId(1))
    assert peer is not None
    assert peer.outbound == 2
    table.unlink(ConnId(3))
    assert peer.outbound == 2
    table.unlink(ConnId(2))
    assert BOB not in table


def test_a_connection_of_nobody_unlinks_nobody() -> None:
    assert table_of(BOB).unlink(ConnId(9)) is None


def test_a_second_hello_from_the_same_host_is_the_same_peer() -> None:
    table = PeerTable()
    table.link(PeerId("bob:8000"), link(1, "10.0.0.2:50000"), listed=True, now_s=0.0)
    assert table.identify(PeerId("bob:8000"), "10.0.0.2:50001") == "bob:8000"


def test_a_name_that_lives_on_another_host_is_not_taken_over() -> None:
    table = table_of(BOB)
    assert table.identify(BOB, "6.6.6.6:50000") == "6.6.6.6:50000"
    assert table.identify(CAROL, "6.6.6.6:50000") == CAROL


def test_who_comes_from_the_host_that_it_claims_has_the_name() -> None:
    table = PeerTable()
    table.link(BOB, link(1, "6.6.6.6:50000"), listed=True, now_s=0.0)
    assert not table.is_verified(BOB)
    assert table.identify(BOB, "10.0.0.2:50000") == BOB
    table.release(BOB, "10.0.0.2:50000")
    table.link(BOB, link(2), listed=True, now_s=0.0)
    assert table.is_verified(BOB)
    assert table.release(BOB, "10.0.0.2:50001") == []


def test_a_host_name_is_verified_by_a_dial_only_and_for_all_its_links() -> None:
    table, bob = PeerTable(), PeerId("bob:8000")
    table.link(bob, link(1), listed=True, now_s=0.0)
    assert not table.is_verified(bob)
    table.link(bob, link(2, "10.0.0.2:8000", initiated=True), listed=True, now_s=0.0)
    table.unlink(ConnId(2))
    assert table.is_verified(bob)
    assert not table.is_verified(CAROL)


def test_a_claimant_goes_on_under_its_own_address_with_all_its_links() -> None:
    table, own = PeerTable(), PeerId("6.6.6.6:50000")
    for number in (1, 2):
        table.link(BOB, link(number, f"6.6.6.6:{49_999 + number}"), listed=True, now_s=5.0)
    table.link(own, link(3, "7.7.7.7:50000"), listed=True, now_s=6.0)
    assert table.release(BOB, BOB) == [
        PeerUnlinked(BOB, ConnId(2), ConnId(1)),
        PeerUnlinked(BOB, ConnId(1), None),
        PeerUnlinked(own, ConnId(3), None),
        PeerLinked(PeerId("7.7.7.7:50000"), ConnId(3), initiated=False, first=True),
        PeerLinked(own, ConnId(1), initiated=False, first=True),
        PeerLinked(own, ConnId(2), initiated=False, first=False),
    ]
    assert BOB not in table
    assert list(table.addresses_for(None)) == []
    assert [peer.since_s for peer in table] == [6.0, 5.0]


def test_a_claimants_links_leave_room_for_the_owners() -> None:
    table = PeerTable()
    for number in range(MAX_LINKS_PER_PEER):
        table.link(BOB, link(number, "6.6.6.6:50000"), listed=True, now_s=0.0)
    assert table.has_room(BOB, "10.0.0.2:50000", 2)


def test_a_name_is_free_again_when_its_peer_is_gone() -> None:
    table = table_of(BOB)
    table.unlink(ConnId(1))
    assert table.identify(BOB, "10.0.0.9:50000") == BOB


def test_a_full_table_has_room_for_further_links_only() -> None:
    table = table_of(BOB, CAROL)
    assert not table.has_room(PeerId("x:1"), "10.0.0.4:50000", 2)
    assert table.has_room(PeerId("x:1"), "10.0.0.4:50000", 3)
    assert table.has_room(BOB, "10.0.0.2:50000", 2)
    for number in range(10, 10 + MAX_LINKS_PER_PEER - 1):
        table.link(BOB, link(number), listed=True, now_s=0.0)
    assert not table.has_room(BOB, "10.0.0.2:50000", 2)


def test_a_peer_list_leaves_out_the_asker_and_who_cannot_be_dialed() -> None:
    table = table_of(BOB, CAROL)
    table.link(PeerId("6.6.6.6:50000"), link(7), listed=False, now_s=0.0)
    assert list(table.addresses_for(None)) == [BOB, CAROL]
    assert list(table.addresses_for(BOB)) == [CAROL]


def test_a_peer_list_may_begin_with_any_peer() -> None:
    peers = [PeerId(f"h:{number}") for number in range(1, 5)]
    assert list(table_of(*peers).addresses_for(PeerId("h:4"), 2)) == ["h:3", "h:1", "h:2"]


def test_a_peer_that_we_dialed_on_any_of_its_links_is_outbound() -> None:
    table = table_of(BOB, CAROL)
    assert table.outbound == 0
    for number in (5, 6):
        table.link(BOB, link(number, initiated=True), listed=True, now_s=0.0)
    assert table.outbound == 1
    table.unlink(ConnId(5))
    assert table.outbound == 1
    table.unlink(ConnId(6))
    assert table.outbound == 0
    assert BOB in table


def test_a_claimant_that_goes_on_under_another_name_is_counted_once() -> None:
    table = PeerTable()
    table.link(BOB, link(1, "6.6.6.6:50000", initiated=True), listed=True, now_s=0.0)
    table.release(BOB, "10.0.0.2:50000")
    table.link(BOB, link(2, initiated=True), listed=True, now_s=0.0)
    assert (len(table), table.outbound) == (2, 2)
    table.unlink(ConnId(1))
    assert (len(table), table.outbound) == (1, 1)


def test_a_peer_is_remembered_for_a_while_after_it_left() -> None:
    table = PeerTable()
    for number in range(MAX_GONE + 2):
        table.link(PeerId(f"h:{number}"), link(number), listed=True, now_s=0.0)
        table.unlink(ConnId(number))
    recalled = [
        table.recall(PeerId(f"h:{number}"), 0.0) is not None for number in range(MAX_GONE + 2)
    ]
    assert recalled == [False] * 2 + [True] * MAX_GONE
    again = table.link(PeerId("h:9"), link(9, "7.7.7.7:1"), listed=True, now_s=0.0)
    assert table.recall(again.peer, NEWS_UNDER_WAY_S - 0.1) is None
    assert table.recall(again.peer, NEWS_UNDER_WAY_S) is table.get(again.peer)


def test_links_are_told_outbound_first() -> None:
    table = table_of(BOB)
    table.link(CAROL, link(5), listed=True, now_s=0.0)
    table.link(BOB, link(6), listed=True, now_s=0.0)
    table.unlink(ConnId(1))
    table.link(BOB, link(7), listed=True, now_s=0.0)
    assert [(event.conn, event.first) for event in table.links()] == [
        (6, True),
        (7, False),
        (5, True),
    ]


def test_a_peer_is_described_with_what_was_learnt_of_it() -> None:
    table = table_of(BOB)
    table.link(BOB, link(4, initiated=True), listed=True, now_s=3.0)
    table.classify(Classify(BOB, PeerKind.TROUPE, "troupe/1", 7))
    table.classify(Classify(CAROL, PeerKind.LEGACY, None, None))
    (peer,) = table
    info = peer.info(now_s=11.0, score=3.0)
    assert (info.peer, info.conns, info.remote, info.initiated) == (BOB, (1, 4), BOB, False)
    assert (info.kind, info.agent, info.height) == (PeerKind.TROUPE, "troupe/1", 7)
    assert (info.connected_s, info.score) == (10.0, 3.0)


@pytest.mark.parametrize("remote", ["10.0.0.2:50000", "6.6.6.6:50000", "127.0.0.1:50000"])
@pytest.mark.parametrize("name", [BOB, "127.0.0.1:8000", "localhost:8000", "bob.example:8000"])
def test_whose_misdeeds_they_are_depends_on_where_a_peer_is(name: str, remote: str) -> None:
    table = PeerTable()
    table.link(PeerId(name), link(1, remote), listed=True, now_s=0.0)
    (peer,) = table
    assert peer.culprit == culprit_of(PeerId(name), remote.rpartition(":")[0])
    assert peer.key == (peer.culprit or name)
    assert peer.targets == {peer.culprit, target_of(PeerId(name))} - {None}
