from __future__ import annotations

from typing import Any

from actors.messaging.messages import Inbound, MessageType, Received
from actors.messaging.routes import MAX_UNKNOWN_KINDS, OTHER_KINDS, Routes
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
from actors.tcp.messages import ConnId

GOSSIP: Address[Any] = Address(Mailbox("gossip", lambda: 0.0))
SEARCH: Address[Any] = Address(Mailbox("search", lambda: 0.0))


def _message(kind: str, message_id: int = 1) -> Inbound:
    return Inbound(ConnId(7), MessageType.REGULAR, message_id, kind, b"")


def test_the_first_part_of_a_kind_names_the_room() -> None:
    routes = Routes({"gossip": GOSSIP, "search_response": SEARCH})
    rumour, answer = _message("gossip:bc:new_tx"), _message("search_response:block")
    assert routes.sort([rumour, answer]) == [
        (GOSSIP, Received((rumour,))),
        (SEARCH, Received((answer,))),
    ]


def test_a_whole_kind_names_its_room_before_the_first_part_of_it_does() -> None:
    routes = Routes({"search": SEARCH, "search:block": GOSSIP})
    own, other, longer = map(_message, ("search:block", "search:blocks", "search:block:x"))
    assert routes.sort([other, own, longer, own]) == [
        (SEARCH, Received((other, longer))),
        (GOSSIP, Received((own, own))),
    ]


def test_a_room_of_several_kinds_gets_one_batch_of_them_all() -> None:
    routes = Routes({"gossip": GOSSIP, "search": SEARCH, "search_response": SEARCH})
    messages = [_message(kind) for kind in ("search:x", "gossip:a", "search_response:x")]
    first, second = routes.sort(messages)
    assert first == (SEARCH, Received((messages[0], messages[2])))
    assert second == (GOSSIP, Received((messages[1],)))


def test_a_room_gets_one_batch_in_order() -> None:
    routes = Routes({"gossip": GOSSIP, "search_response": SEARCH})
    kinds = ("gossip:a", "gossip:b", "search_response:x", "gossip:a")
    messages = [_message(kind, number) for number, kind in enumerate(kinds)]
    first, second = routes.sort(messages)
    assert first == (GOSSIP, Received((messages[0], messages[1], messages[3])))
    assert second == (SEARCH, Received((messages[2],)))


def test_kinds_of_nobody_are_counted_by_name() -> None:
    routes = Routes({"gossip": GOSSIP})
    assert routes.sort([_message("foo:bar"), _message("gossipx"), _message("foo:bar")]) == []
    assert routes.unknown_kinds == (("foo:bar", 2), ("gossipx", 1))


def test_invented_kinds_fill_one_counter() -> None:
    routes = Routes({})
    routes.sort([_message(f"kind{number}") for number in range(MAX_UNKNOWN_KINDS + 10)])
    counts = dict(routes.unknown_kinds)
    assert len(counts) == MAX_UNKNOWN_KINDS + 1
    assert counts[OTHER_KINDS] == 10
