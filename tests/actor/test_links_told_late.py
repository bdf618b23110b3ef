"""Gossip and search after a fall: the mailbox kept what is to be sent, but the links come behind it."""

import pytest

from actors.gossip import actor as gossip_actor
from actors.gossip.messages import Publish, PublishTo
from actors.peers.messages import LinksReset, PeerLinked
from actors.search.messages import SearchEnded
from actors.tcp.messages import ConnId
from tests.actor.test_gossip_actor import BLOCK, BOB, CAROL, TX
from tests.actor.test_gossip_actor import Stage as GossipStage
from tests.actor.test_search_actor import ANSWER, response
from tests.actor.test_search_actor import Stage as SearchStage


def test_our_news_wait_after_a_fall_until_the_links_are_told() -> None:
    stage = GossipStage()
    stage.player.address.tell(object())
    stage.player.address.tell(Publish(BLOCK, b"our block"))
    stage.player._felling = True
    stage.pump.run_until_idle()
    stage.player.start()
    told = stage.tell(PeerLinked(BOB, ConnId(1), initiated=True, first=True), Publish(TX, b"tx"))
    assert told == []
    stage.player.fell()  # what waits survives a further fall
    stage.player.start()
    block, tx = stage.tell(
        LinksReset(
            (
                PeerLinked(BOB, ConnId(1), initiated=True, first=True),
                PeerLinked(CAROL, ConnId(2), initiated=True, first=True),
            )
        )
    )
    assert [(sent.conns, sent.payload[16:]) for sent in (block, tx)] == [
        ((1, 2), b"our block"),
        ((1, 2), b"tx"),
    ]


def test_of_too_many_news_that_wait_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossip_actor, "MAX_HELD", 2)
    stage = GossipStage()
    stage.player.fell()
    stage.player.start()
    stage.tell(*(Publish(TX, b"%d" % number) for number in range(4)))
    assert [sent.payload[16:] for sent in stage.tell(LinksReset())] == [b"2", b"3"]


@pytest.mark.parametrize("only", [None, ConnId(2)])
def test_our_searches_wait_after_a_fall_until_the_links_are_told(only: ConnId | None) -> None:
    stage = SearchStage()
    stage.player.fell()
    stage.player.start()
    assert stage.start(only=only) == []
    carol = PeerLinked(CAROL, ConnId(2), initiated=True, first=True)
    (asked,) = stage.tell(LinksReset((carol,)))
    assert isinstance(asked, Publish if only is None else PublishTo)
    assert stage.tell(LinksReset((carol,)), carol) == []
    stage.tell(response(ANSWER))
    assert stage.room.take() == [SearchEnded(7, ANSWER, ConnId(2))]


def test_a_search_that_waits_for_the_links_in_vain_ends_in_time_and_is_not_asked() -> None:
    stage = SearchStage()
    stage.player.fell()
    stage.player.start()
    stage.start(timeout_s=2.0)
    stage.pump.run_for(2.0)
    assert stage.room.take() == [SearchEnded(7, None, None)]
    assert stage.tell(LinksReset()) == []
