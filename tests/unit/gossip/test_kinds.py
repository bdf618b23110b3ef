"""Who handles a kind, and how long its payloads may be."""

import pytest

from actors.gossip.kinds import DEFAULT_LIMIT_BYTES, Kinds, salt_of
from actors.gossip.messages import GossipReceived
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox


def address(name: str) -> Address[GossipReceived]:
    return Address(Mailbox(name, lambda: 0.0))


KINDS = Kinds(
    {"bc:new_tx": address("mempool"), "search": address("search"), "search:x": address("x")},
    {"bc:new_tx": 1024, "search": 99},
)


@pytest.mark.parametrize(
    ("wire_kind", "handler", "limit_bytes"),
    [
        ("gossip:bc:new_tx", "mempool", 1024),
        ("gossip:search:block", "search", 99),
        ("gossip:search:x", "x", 99),
        ("gossip:search", "search", 99),
    ],
)
def test_a_kind_goes_to_its_own_handler_or_its_familys(
    wire_kind: str, handler: str, limit_bytes: int
) -> None:
    kind = KINDS.on_wire(wire_kind)
    assert kind is not None
    assert (kind.handler.name, kind.limit_bytes) == (handler, limit_bytes)
    assert "gossip:" + kind.name == wire_kind


def test_a_kind_without_a_limit_has_the_default() -> None:
    kind = Kinds({"chat": address("chat")}, {}).on_wire("gossip:chat")
    assert kind is not None
    assert kind.limit_bytes == DEFAULT_LIMIT_BYTES


@pytest.mark.parametrize("wire_kind", ["gossip:bc:new_block", "gossip:bc", "gossip:", "bc:new_tx"])
def test_a_kind_that_nobody_handles_is_none(wire_kind: str) -> None:
    assert KINDS.on_wire(wire_kind) is None


def test_no_payload_turns_one_kinds_salt_into_anothers() -> None:
    assert salt_of("gossip:a") + b"b" != salt_of("gossip:ab")
    assert b"\0" not in salt_of("gossip:a")[:-1]
