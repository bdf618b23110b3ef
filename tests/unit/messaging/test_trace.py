from __future__ import annotations

import pytest

from actors.messaging.link import Link
from actors.messaging.messages import MAX_WATCHERS, MessageType, TracedMessage, Watch
from actors.messaging.trace import Passing, Trace
from actors.tcp.messages import Connected, ConnId

ALICE, BOB = "10.0.0.1:7000", "10.0.0.2:7000"
HELLO: Passing = (MessageType.REQUEST, 1, "p2p:hello", b"10.0.0.1:7000")
RUMOUR: Passing = (MessageType.REGULAR, 2, "gossip:bc:new_tx", b"0123456789")
ANSWER: Passing = (MessageType.RESPONSE, 1, "", b"yes")


class Sink:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[TracedMessage] = []
        self.is_lost = False

    def offer(self, item: TracedMessage) -> None:
        self.seen.append(item)

    def lost(self) -> None:
        self.is_lost = True

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.seen]


def _connected(conn: int) -> Connected:
    return Connected(ConnId(conn), False, "10.0.0.9:1", None)


def _link(conn: int, peer: str) -> Link:
    link = Link(_connected(conn))
    link.open(peer)
    return link


def _watched(*kinds: str, peer: str = "", limit: int = 0) -> tuple[Trace, Sink]:
    trace, sink = Trace(), Sink()
    assert trace.add(Watch(sink, kinds, peer, limit))
    return trace, sink


def test_a_watcher_sees_what_passed_and_its_size_without_its_payload() -> None:
    trace, sink = _watched()
    trace.show([_link(3, ALICE)], [RUMOUR], 5.0, sent=False)
    assert sink.seen == [
        TracedMessage(
            5.0, False, ConnId(3), ALICE, MessageType.REGULAR, 2, "gossip:bc:new_tx", 10, b""
        )
    ]


def test_a_payload_is_cut_at_what_was_asked_for() -> None:
    trace, sink = _watched(limit=4)
    trace.show([_link(3, ALICE)], [RUMOUR, ANSWER], 5.0, sent=False)
    assert [(each.payload, each.size_bytes) for each in sink.seen] == [(b"0123", 10), (b"yes", 3)]


def test_what_is_sent_to_many_is_seen_once_for_each() -> None:
    trace, sink = _watched()
    trace.show([_link(3, ALICE), _link(4, BOB)], [RUMOUR], 5.0, sent=True)
    assert [(each.conn, each.peer, each.sent) for each in sink.seen] == [
        (3, ALICE, True),
        (4, BOB, True),
    ]


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        ((), ["p2p:hello", "gossip:bc:new_tx", ""]),
        (("p2p:hello",), ["p2p:hello"]),
        (("gossip:",), ["gossip:bc:new_tx"]),
        (("gossip:bc:", "p2p:hello"), ["p2p:hello", "gossip:bc:new_tx"]),
        (("gossip",), []),
        (("gossip:bc:new",), []),
    ],
)
def test_a_filter_names_kinds_or_their_beginnings(wanted: tuple[str, ...], seen: list[str]) -> None:
    trace, sink = _watched(*wanted)
    trace.show([_link(3, ALICE)], [HELLO, RUMOUR, ANSWER], 5.0, sent=False)
    assert sink.kinds == seen


def test_a_filter_names_a_peer() -> None:
    trace, sink = _watched(peer=BOB)
    trace.show([Link(_connected(2)), _link(3, ALICE), _link(4, BOB)], [RUMOUR], 5.0, sent=True)
    assert [each.peer for each in sink.seen] == [BOB]


def test_each_watcher_has_its_own_filter_until_it_leaves() -> None:
    trace, all_of_it = _watched()
    hellos = Sink()
    trace.add(Watch(hellos, ("p2p:hello",)))
    trace.show([_link(3, ALICE)], [HELLO, RUMOUR], 5.0, sent=False)
    trace.remove(all_of_it)
    trace.remove(all_of_it)
    trace.show([_link(3, ALICE)], [HELLO, RUMOUR], 5.0, sent=False)
    assert (len(all_of_it.seen), len(hellos.seen)) == (2, 2)


def test_only_so_many_may_watch_and_one_that_leaves_makes_room() -> None:
    trace = Trace()
    sinks = [Sink() for _ in range(MAX_WATCHERS + 1)]
    assert [trace.add(Watch(sink)) for sink in sinks] == [True] * MAX_WATCHERS + [False]
    trace.remove(sinks[0])
    assert trace.add(Watch(sinks[-1]))


def test_when_the_room_goes_down_every_watcher_is_told_once() -> None:
    trace, sink = _watched()
    trace.close()
    assert sink.is_lost
    assert not trace.is_watched
