"""What outsiders are told of the kinds."""

from actors.gossip.audience import Audience
from actors.gossip.counts import Tally
from actors.gossip.kinds import Kinds
from actors.gossip.messages import GossipReceived, KindInfo
from actors.gossip.report import kind_infos
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
from tests.support.listener import Listener

ROOM: Address[GossipReceived] = Address(Mailbox("room", lambda: 0.0))
KINDS = Kinds({"search": ROOM}, {"search": 99})


def test_kinds_that_were_counted_or_are_subscribed_to_are_told_by_name() -> None:
    tally, audience = Tally(), Audience()
    audience.join(Listener(), frozenset({"chat", "search"}))
    audience.join(Listener(), frozenset({"chat"}))
    audience.join(Listener(), frozenset())
    tally.of("search:block", ours=False).received += 3
    tally.of("a", ours=True).published += 1
    assert kind_infos(tally, KINDS, audience) == (
        KindInfo("a", False, 4096, 0, 0, 0, 0, 0, 1),
        KindInfo("chat", False, 4096, 2, 0, 0, 0, 0, 0),
        KindInfo("search", True, 99, 1, 0, 0, 0, 0, 0),
        KindInfo("search:block", True, 99, 1, 3, 0, 0, 0, 0),
    )


def test_what_is_not_counted_by_name_comes_last_without_one() -> None:
    tally = Tally()
    tally.of("", ours=False).dropped += 4
    tally.of("a", ours=False).relayed += 1
    assert kind_infos(tally, KINDS, Audience()) == (
        KindInfo("a", False, 4096, 0, 0, 0, 0, 1, 0),
        KindInfo("", False, 0, 0, 0, 0, 4, 0, 0),
    )


def test_nothing_heard_is_nothing_told() -> None:
    assert kind_infos(Tally(), KINDS, Audience()) == ()
