"""The gossip actor alone: what is news, who judges it, where it goes, and whose credit returns."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from actors.gossip.actor import SWEEP_S, VERDICT_TIMEOUT_S, GossipActor
from actors.gossip.messages import (
    Decision,
    GetGossip,
    GossipInfo,
    GossipItem,
    GossipReceived,
    KindInfo,
    Publish,
    PublishTo,
    Verdicts,
)
from actors.messaging.messages import (
    Done,
    Inbound,
    MessageType,
    Received,
    SendBatch,
    SendRegular,
)
from actors.peers.messages import LinksReset, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.tcp.messages import ConnId
from tests.support.player import Player
from tests.support.probe import Probe
from tests.support.vectors import workshop

BOB, CAROL, DAVE = PeerId("bob:1"), PeerId("carol:1"), PeerId("dave:1")
TX, BLOCK = "bc:new_tx", "bc:new_block"
ID_1, ID_2 = b"1" * 16, b"2" * 16


class Stage:
    """A gossip actor with three peers: Bob over 1 and 11, Carol over 2, Dave over 3."""

    def __init__(self, block: int = 4 * 1024) -> None:
        self.clock = FakeClock()
        self.pump = Pump(1, self.clock)
        self.messaging = Probe(self.pump, "messaging")
        self.peers = Probe(self.pump, "peers")
        self.handler = Probe(self.pump, "mempool and search")
        self.chain = Probe(self.pump, "chain")
        rng = random.Random(7)
        self.player = Player(
            self.pump,
            "gossip",
            lambda me: GossipActor(
                me=me,
                handlers={
                    TX: self.handler.address,
                    "search": self.handler.address,
                    BLOCK: self.chain.address,
                },
                limits_bytes={TX: 1024, BLOCK: block},
                messaging=self.messaging.address,
                peers=self.peers.address,
                clock=self.clock,
                rng=rng,
            ),
        )
        self.link_all()

    def link_all(self) -> None:
        self.tell(
            LinksReset(),
            PeerLinked(BOB, ConnId(1), initiated=False, first=True),
            PeerLinked(BOB, ConnId(11), initiated=False, first=False),
            PeerLinked(CAROL, ConnId(2), initiated=True, first=True),
            PeerLinked(DAVE, ConnId(3), initiated=False, first=True),
        )

    def tell(self, *messages: Any) -> list[Any]:
        """What messaging is told in consequence."""
        self.messaging.take()
        for message in messages:
            self.player.address.tell(message)
        self.pump.run_until_idle()
        return self.messaging.take()

    def items(self) -> list[GossipItem]:
        """What the handlers were given since the last look."""
        batches = self.handler.take() + self.chain.take()
        return [item for batch in batches for item in batch.items]

    def judge(self, decision: Decision) -> list[Any]:
        """One verdict on all that the handlers hold."""
        return self.tell(Verdicts(tuple((item.ticket, decision) for item in self.items())))

    def info(self) -> GossipInfo:
        return self.pump.ask(self.player.address, GetGossip())

    def kind(self, kind: str = TX) -> KindInfo:
        """The numbers of one kind."""
        (info,) = [info for info in self.info().kinds if info.kind == kind]
        return info


def rumour(body: bytes, *, conn: int = 1, kind: str = TX, message_id: bytes = ID_1) -> Inbound:
    return Inbound(ConnId(conn), MessageType.REGULAR, 9, "gossip:" + kind, message_id + body)


def received(*messages: Inbound) -> Received:
    return Received(messages)


def credit(told: Iterable[Any]) -> Counter[int]:
    returned: Counter[int] = Counter()
    for message in told:
        if isinstance(message, Done):
            returned[message.conn] += message.messages
    return returned


def relays(told: Iterable[Any]) -> list[SendBatch]:
    return [message for message in told if isinstance(message, SendBatch)]


# -- judging and relaying -----------------------------------------------------------------------


def test_news_go_to_the_handler_of_their_kind_and_nothing_returns_yet() -> None:
    stage = Stage()
    assert stage.tell(received(rumour(b"tx"), rumour(b"block", kind=BLOCK))) == []
    (tx,) = stage.handler.of(GossipReceived)
    (block,) = stage.chain.of(GossipReceived)
    assert [item[1:] for item in tx.items] == [(TX, b"tx", BOB, 1)]
    assert [item[1:] for item in block.items] == [(BLOCK, b"block", BOB, 1)]


def test_a_batch_is_one_message_to_a_handler_in_order() -> None:
    stage = Stage()
    stage.tell(received(*(rumour(b"%d" % n) for n in range(9))))
    (batch,) = stage.handler.of(GossipReceived)
    assert [item.payload for item in batch.items] == [b"%d" % n for n in range(9)]


def test_what_is_good_goes_unchanged_to_all_but_the_peer_that_it_came_from() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx", conn=11)))
    assert stage.judge(Decision.RELAY) == [
        SendBatch((ConnId(2), ConnId(3)), (("gossip:" + TX, ID_1 + b"tx"),)),
        Done(ConnId(11), 1),
    ]


def test_a_batch_of_verdicts_is_one_relay_for_each_peer() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"a"), rumour(b"b")), received(rumour(b"c", conn=2)))
    told = stage.judge(Decision.RELAY)
    assert [(relay.conns, [body[16:] for _, body in relay.messages]) for relay in relays(told)] == [
        ((2, 3), [b"a", b"b"]),
        ((1, 3), [b"c"]),
    ]
    assert credit(told) == {1: 2, 2: 1}


def test_the_vector_is_relayed_byte_for_byte() -> None:
    frames = {vector["name"]: bytes.fromhex(vector["frame"]) for vector in workshop()["frames"]}
    frame = frames["gossip bc:new_tx"]
    kind, _, payload = frame[9:].partition(b"\0")
    stage = Stage()
    stage.tell(received(Inbound(ConnId(1), MessageType.REGULAR, 3, kind.decode(), payload)))
    (relay,) = relays(stage.judge(Decision.RELAY))
    assert relay.messages == ((kind.decode(), payload),)


@pytest.mark.parametrize(
    ("decision", "relayed"),
    [(Decision.RELAY, 1), (Decision.PASS, 1), (Decision.FINAL, 0), (Decision.DROP, 0)],
)
def test_a_verdict_decides_the_relay_and_always_returns_the_credit(
    decision: Decision, relayed: int
) -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx")))
    told = stage.judge(decision)
    assert len(relays(told)) == relayed
    assert credit(told) == {1: 1}
    assert stage.kind().relayed == relayed


def test_a_verdict_counts_once_and_an_unknown_ticket_never() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx")))
    (item,) = stage.items()
    twice = Verdicts(((item.ticket, Decision.RELAY), (item.ticket, Decision.RELAY)))
    told = stage.tell(twice, Verdicts(((0, Decision.RELAY),)))
    assert [len(relay.messages) for relay in relays(told)] == [1]
    assert credit(told) == {1: 1}


def test_what_a_peer_said_is_relayed_even_if_it_has_left_since() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx", conn=2)), PeerUnlinked(CAROL, ConnId(2), None))
    (relay,) = relays(stage.judge(Decision.RELAY))
    assert relay.conns == (1, 3)


# -- what is news -------------------------------------------------------------------------------


def test_the_same_message_again_is_a_duplicate_from_whomever() -> None:
    stage = Stage()
    told = stage.tell(received(rumour(b"tx"), rumour(b"tx")), received(rumour(b"tx", conn=2)))
    assert credit(told) == {1: 1, 2: 1}
    assert len(stage.items()) == 1
    assert stage.kind().duplicates == 2


@pytest.mark.parametrize("other", [rumour(b"real"), rumour(b"fake", kind=BLOCK)])
def test_a_known_id_does_not_suppress_other_bytes_or_another_kind(other: Inbound) -> None:
    stage = Stage()
    stage.tell(received(rumour(b"fake")))
    stage.judge(Decision.FINAL)
    stage.tell(received(other))
    assert len(stage.items()) == 1


@pytest.mark.parametrize(
    ("decision", "heard_again"),
    [(Decision.RELAY, 0), (Decision.FINAL, 0), (Decision.DROP, 1), (Decision.PASS, 1)],
)
def test_known_content_under_a_fresh_id_is_heard_unless_it_was_finally_judged(
    decision: Decision, heard_again: int
) -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx")))
    stage.judge(decision)
    stage.tell(received(rumour(b"tx", conn=2, message_id=ID_2)))
    assert len(stage.items()) == heard_again


def test_after_five_minutes_old_news_may_come_again() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx")))
    stage.judge(Decision.RELAY)
    stage.pump.run_for(299.0)
    stage.tell(received(rumour(b"tx")))
    assert stage.items() == []
    stage.pump.run_for(1.0)
    stage.tell(received(rumour(b"tx")))
    assert len(stage.items()) == 1


# -- what nobody judges -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        rumour(b"x", kind="unknown"),
        rumour(b"x" * 1025),
        rumour(b"x" * 4097, kind="search:block"),
        rumour(b"", message_id=b"short"),
        rumour(b"x")._replace(type=MessageType.REQUEST),
    ],
    ids=["unknown kind", "too long", "above the default", "no id", "request"],
)
def test_what_cannot_be_judged_ends_here_as_useless_and_its_credit_returns(
    message: Inbound,
) -> None:
    stage = Stage()
    assert stage.tell(received(message)) == [Done(message.conn, 1, useless=1)]
    assert stage.items() == []


def test_what_comes_over_a_link_that_is_not_told_yet_is_not_held_against_its_peer() -> None:
    stage = Stage()
    assert stage.tell(received(rumour(b"x", conn=77))) == [Done(ConnId(77), 1)]
    assert stage.items() == []


def test_a_payload_of_exactly_the_limit_is_judged() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"x" * 1024), rumour(b"x" * 4096, kind="search:block")))
    assert len(stage.items()) == 2


def test_all_that_a_batch_gives_back_at_once_is_one_message() -> None:
    stage = Stage()
    good, bad = rumour(b"tx"), rumour(b"x", kind="unknown")
    assert stage.tell(received(bad, good, bad, good, bad)) == [Done(ConnId(1), 4, useless=3)]
    assert stage.kind("unknown").dropped == 3


def test_a_handler_that_never_judges_costs_the_credit_for_a_minute() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx")))
    stage.pump.run_for(VERDICT_TIMEOUT_S - 1)
    assert stage.messaging.take() == []
    stage.pump.run_for(SWEEP_S + 1)
    assert stage.messaging.take() == [Done(ConnId(1), 1)]
    assert stage.info().awaiting_verdict == 0
    assert stage.judge(Decision.RELAY) == []


# -- our own news -------------------------------------------------------------------------------


def test_our_own_news_go_to_every_peer_under_a_fresh_id() -> None:
    stage = Stage()
    first, second = stage.tell(Publish(TX, b"tx"), Publish(TX, b"tx"))
    assert first.conns == (1, 2, 3)
    assert first.kind == "gossip:" + TX
    assert first.payload[16:] == second.payload[16:] == b"tx"
    assert len({first.payload[:16], second.payload[:16]}) == 2


def test_news_for_some_connections_go_to_these() -> None:
    stage = Stage()
    (sent,) = stage.tell(PublishTo((ConnId(2),), BLOCK, b"block"))
    assert isinstance(sent, SendRegular)
    assert (sent.conns, sent.payload[16:]) == ((2,), b"block")


def test_the_echo_of_our_own_news_is_a_duplicate() -> None:
    stage = Stage()
    (sent,) = stage.tell(Publish(TX, b"tx"))
    echo = Inbound(ConnId(2), MessageType.REGULAR, 1, sent.kind, sent.payload)
    assert stage.tell(received(echo, rumour(b"tx", conn=2, message_id=ID_2))) == [
        Done(ConnId(2), 2)
    ]
    assert stage.kind().published == 1


def test_links_that_move_move_what_we_send() -> None:
    stage = Stage()
    (sent,) = stage.tell(PeerUnlinked(BOB, ConnId(1), ConnId(11)), Publish(TX, b"a"))
    assert sent.conns == (11, 2, 3)
    (sent,) = stage.tell(LinksReset(), Publish(TX, b"b"))
    assert sent.conns == ()


def test_it_tells_its_numbers() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"a"), rumour(b"b"), rumour(b"b"), rumour(b"c", kind="unknown")))
    stage.tell(Publish(TX, b"ours"))
    info = stage.info()
    assert (info.seen_ids, info.seen_contents, info.awaiting_verdict) == (3, 1, 2)
    assert (info.max_seen, info.seen_lifetime_s, info.listeners) == (65_536, 300.0, 0)
    assert info.kinds == (
        KindInfo(TX, True, 1024, 0, 3, 1, 0, 0, 1),
        KindInfo("unknown", False, 4096, 0, 1, 0, 1, 0, 0),
    )
    stage.judge(Decision.RELAY)
    assert stage.kind().relayed == 2


# -- falls --------------------------------------------------------------------------------------


def test_at_start_it_asks_for_the_links() -> None:
    stage = Stage()
    (resync,) = stage.peers.take()
    assert isinstance(resync, Resync)
    stage.player.fall_and_rise()
    assert stage.peers.of(Resync) == [resync]


def test_a_fall_gives_all_credit_back() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"a"), rumour(b"b")), received(rumour(b"c", conn=2)))
    stage.player.fell()
    assert credit(stage.messaging.take()) == {1: 2, 2: 1}


def test_verdicts_on_what_was_lost_in_a_fall_mean_nothing() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"lost")))
    stage.player.fall_and_rise()
    stage.link_all()
    late = tuple((item.ticket, Decision.RELAY) for item in stage.items())
    stage.tell(received(rumour(b"new")))
    assert stage.tell(Verdicts(late)) == []
    assert stage.info().awaiting_verdict == 1


def test_an_earlier_incarnations_timer_does_not_sweep_twice() -> None:
    stage = Stage()
    for _ in range(5):
        stage.player.fall_and_rise()
    stage.info()
    before = stage.player.actor.box.report().handled
    stage.pump.run_for(10 * SWEEP_S)  # and five timers of earlier incarnations
    assert stage.player.actor.box.report().handled - before == 10 + 5
