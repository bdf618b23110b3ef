"""What the links do with a batch is what they do with its messages one by one."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.gossip.actor import GossipActor
from actors.gossip.messages import Decision, GetGossip, GossipItem, GossipReceived, Verdicts
from actors.gossip.seen import SeenKeys
from actors.messaging.codec import (
    MAX_MESSAGE_ID,
    decode,
    encode,
    encode_regular,
    encode_response,
    encode_responses,
)
from actors.messaging.messages import Done, Inbound, MessageType, Received, SendBatch
from actors.messaging.traffic import Traffic
from actors.peers.messages import LinksReset, PeerId, PeerLinked
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.tcp.messages import ConnId
from tests.support.player import Player
from tests.support.probe import Probe

CONN, OTHER = ConnId(7), ConnId(8)
KINDS = ("", "gossip:bc:new_tx", "gossip:search:a", "gossip:chat", "p2p:hello")

ids = st.integers(0, MAX_MESSAGE_ID)
payloads = st.binary(max_size=20)
regulars = st.lists(st.tuples(st.sampled_from(KINDS), payloads), max_size=8)


# -- messaging --------------------------------------------------------------------------------------


@given(first_id=ids, messages=regulars)
def test_regular_messages_are_encoded_as_each_alone(
    first_id: int, messages: list[tuple[str, bytes]]
) -> None:
    assert encode_regular(first_id, messages) == [
        encode(MessageType.REGULAR, (first_id + n) % (MAX_MESSAGE_ID + 1), kind, payload)
        for n, (kind, payload) in enumerate(messages)
    ]


@given(st.lists(st.tuples(ids, payloads), max_size=8))
def test_responses_are_encoded_as_each_alone(answers: list[tuple[int, bytes]]) -> None:
    assert encode_responses(answers) == [encode_response(*answer) for answer in answers]


frames = st.one_of(
    st.binary(max_size=12),
    st.builds(
        lambda kind, rest: b"\0\0\0\0\1" + kind.encode() + rest, st.sampled_from(KINDS), payloads
    ),
    st.builds(encode, st.sampled_from(MessageType), ids, st.sampled_from(KINDS), payloads),
    st.builds(encode, st.just(MessageType.REGULAR), ids, st.just(KINDS[1]), payloads),
)


@given(st.lists(frames, max_size=8))
def test_frames_are_decoded_as_each_alone_up_to_the_first_fault(batch: list[bytes]) -> None:
    inbound: list[Inbound] = []
    responses: list[Inbound] = []
    fault = None
    for frame in batch:
        alone = decode(CONN, (frame,))
        inbound += alone.inbound
        responses += alone.responses
        if (fault := alone.fault) is not None:
            break
    assert decode(CONN, batch) == (inbound, responses, fault)


@given(messages=regulars, links=st.integers(1, 3))
def test_what_is_sent_is_counted_as_each_alone(
    messages: list[tuple[str, bytes]], links: int
) -> None:
    together, one_by_one = Traffic(), Traffic()
    together.sent_regular(messages, links)
    for kind, payload in messages:
        one_by_one.sent(kind, links, links * len(payload))
    assert together.report() == one_by_one.report()


# -- gossip -----------------------------------------------------------------------------------------


@given(
    rounds=st.lists(st.lists(st.binary(max_size=1), max_size=12), max_size=6),
    capacity=st.integers(1, 5),
)
def test_keys_are_noted_as_each_alone(rounds: list[list[bytes]], capacity: int) -> None:
    together, one_by_one = SeenKeys(capacity), SeenKeys(capacity)
    for now_s, keys in enumerate(rounds):
        news = together.add_all(keys, float(now_s))
        assert news == [one_by_one.add(key, float(now_s)) for key in keys]
        assert together.keys() == one_by_one.keys()
        assert len(together) <= capacity


class Scene:
    """A gossip room with two peers, whose handler judges when it is told to."""

    def __init__(self) -> None:
        clock = FakeClock()
        self._pump = Pump(1, clock)
        self._messaging = Probe(self._pump, "messaging")
        self._handler = Probe(self._pump, "handler")
        self._player = Player(
            self._pump,
            "gossip",
            lambda me: GossipActor(
                me=me,
                handlers={"bc:new_tx": self._handler.address, "search": self._handler.address},
                limits_bytes={"bc:new_tx": 18},
                messaging=self._messaging.address,
                peers=Probe(self._pump, "peers").address,
                clock=clock,
                rng=random.Random(7),
            ),
        )
        self._tell(
            LinksReset(),
            PeerLinked(PeerId("bob:1"), CONN, initiated=False, first=True),
            PeerLinked(PeerId("carol:1"), OTHER, initiated=False, first=True),
        )

    def hear(self, *batches: tuple[Inbound, ...]) -> list[tuple[object, ...]]:
        """What the handler is asked, but for tickets, which differ by incarnation."""
        self._tell(*(Received(batch) for batch in batches))
        return [item[1:] for item in self._items()]

    def judge(self, decisions: list[Decision], *, at_once: bool) -> None:
        tickets = [item.ticket for item in self._items()]
        judged = tuple(zip(tickets, decisions * len(tickets), strict=False))
        self._tell(*([Verdicts(judged)] if at_once else [Verdicts((each,)) for each in judged]))

    def outcome(self) -> object:
        """What was passed on, in order; the credit that returned; the numbers."""
        told = self._messaging.messages
        sent = [
            (batch.conns, each)
            for batch in told
            if isinstance(batch, SendBatch)
            for each in batch.messages
        ]
        credit = sum(done.messages for done in told if isinstance(done, Done))
        return sent, credit, self._pump.ask(self._player.address, GetGossip())

    def _items(self) -> list[GossipItem]:
        return [item for batch in self._handler.of(GossipReceived) for item in batch.items]

    def _tell(self, *messages: object) -> None:
        for message in messages:
            self._player.address.tell(message)
        self._pump.run_until_idle()


rumours = st.builds(
    lambda type_, kind, id_, body: Inbound(CONN, type_, 9, kind, id_ + body),
    st.sampled_from((MessageType.REGULAR, MessageType.REGULAR, MessageType.REQUEST)),
    st.sampled_from(KINDS),
    st.sampled_from((b"1" * 16, b"2" * 16, b"short")),
    st.sampled_from((b"", b"a", b"b", b"x" * 19)),
)


@settings(max_examples=60, deadline=None)
@given(
    first=st.lists(rumours, min_size=1, max_size=8),
    second=st.lists(rumours, min_size=1, max_size=8),
    decisions=st.lists(st.sampled_from(Decision), min_size=1, max_size=4),
)
def test_rumours_are_judged_and_passed_on_as_each_alone(
    first: list[Inbound], second: list[Inbound], decisions: list[Decision]
) -> None:
    together, one_by_one = Scene(), Scene()
    assert together.hear(tuple(first)) == one_by_one.hear(*((each,) for each in first))
    together.judge(decisions, at_once=True)
    one_by_one.judge(decisions, at_once=False)
    together.hear(tuple(second))
    one_by_one.hear(*((each,) for each in second))
    assert together.outcome() == one_by_one.outcome()
