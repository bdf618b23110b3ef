"""Who handles a kind, and how long its payloads may be."""

import pytest

from actors.gossip.kinds import DEFAULT_LIMIT_BYTES, Kinds, is_well_formed, salt_of
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
    ("name", "handler", "limit_bytes"),
    [
        ("bc:new_tx", "mempool", 1024),
        ("search:block", "search", 99),
        ("search:x", "x", 99),
        ("search", "search", 99),
    ],
)
def test_a_kind_goes_to_its_own_handler_or_its_familys(
    name: str, handler: str, limit_bytes: int
) -> None:
    kind = KINDS.named(name)
    assert kind.handler is not None
    assert (kind.name, kind.handler.name, kind.limit_bytes) == (name, handler, limit_bytes)


@pytest.mark.parametrize("name", ["bc:new_block", "bc", "", "gossip:bc:new_tx", "chat"])
def test_a_kind_that_nobody_handles_has_no_handler_and_the_default_limit(name: str) -> None:
    kind = KINDS.named(name)
    assert (kind.handler, kind.limit_bytes) == (None, DEFAULT_LIMIT_BYTES)


@pytest.mark.parametrize(
    ("payload", "well_formed"),
    [
        (b"ada\0hello", True),
        (b"ada\0", True),
        (b"ada\0one\0two", True),
        ("ad\u00e4\0\u2603".encode(), True),
        (b"hello", False),
        (b"\0hello", False),
        (b"", False),
        (b"\xff\0hello", False),
        (b"ada\0\xff", False),
    ],
)
def test_chat_is_a_sender_a_zero_and_a_text(payload: bytes, well_formed: bool) -> None:
    assert is_well_formed("chat", payload) is well_formed
    assert is_well_formed("other", payload)


def test_no_payload_turns_one_kinds_salt_into_anothers() -> None:
    assert salt_of("gossip:a") + b"b" != salt_of("gossip:ab")
    assert b"\0" not in salt_of("gossip:a")[:-1]
