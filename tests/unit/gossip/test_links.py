"""Whose a connection is, and where a relay goes."""

from actors.gossip.links import Links
from actors.peers.messages import LinksReset, PeerId, PeerLinked, PeerUnlinked
from actors.tcp.messages import ConnId

BOB, CAROL = PeerId("bob:1"), PeerId("carol:1")


def links_of_two() -> Links:
    """Bob over 1 and 2, Carol over 3."""
    links = Links()
    links.apply(PeerLinked(BOB, ConnId(1), initiated=False, first=True))
    links.apply(PeerLinked(BOB, ConnId(2), initiated=False, first=False))
    links.apply(PeerLinked(CAROL, ConnId(3), initiated=True, first=True))
    return links


def test_every_link_belongs_to_its_peer_and_one_of_each_is_outbound() -> None:
    links = links_of_two()
    assert links.peer_of(ConnId(2)) == BOB
    assert links.peer_of(ConnId(9)) is None
    assert links.outbound() == (1, 3)


def test_a_relay_leaves_out_the_peer_on_all_its_links() -> None:
    links = links_of_two()
    assert links.outbound_but(BOB) == (3,)
    assert links.outbound_but(CAROL) == (1,)
    assert links.outbound_but(PeerId("gone:1")) == (1, 3)


def test_another_link_takes_over() -> None:
    links = links_of_two()
    assert links.outbound_but(CAROL) == (1,)
    links.apply(PeerUnlinked(BOB, ConnId(1), ConnId(2)))
    assert links.outbound_but(CAROL) == (2,)
    assert links.peer_of(ConnId(1)) is None
    links.apply(PeerUnlinked(BOB, ConnId(2), None))
    assert links.outbound_but(CAROL) == ()
    assert links.outbound() == (3,)


def test_a_reset_forgets_all() -> None:
    links = links_of_two()
    links.apply(LinksReset())
    assert links.outbound() == ()
    assert links.peer_of(ConnId(1)) is None


def test_a_reset_holds_the_links_as_they_are() -> None:
    links = links_of_two()
    assert not links.known
    first = PeerLinked(CAROL, ConnId(4), initiated=True, first=True)
    links.apply(LinksReset((first, PeerLinked(CAROL, ConnId(5), initiated=False, first=False))))
    assert links.known
    assert links.outbound() == (4,)
    assert [links.peer_of(ConnId(conn)) for conn in (1, 4, 5)] == [None, CAROL, CAROL]


def test_the_loss_of_an_unknown_link_changes_nothing() -> None:
    links = links_of_two()
    links.apply(PeerUnlinked(PeerId("gone:1"), ConnId(8), None))
    assert links.outbound() == (1, 3)
