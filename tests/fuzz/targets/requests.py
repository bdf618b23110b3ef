"""The admin API: whatever is asked, a call ends with a documented status, and no actor falls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from actors.ledger.types import Block, Transaction
from actors.messaging.codec import encode
from actors.messaging.messages import MessageType
from admin.permissions import PERMISSIONS
from tests.fuzz.door import Door, prepare
from tests.fuzz.draw import Draw
from tests.fuzz.forms import Forms
from tests.fuzz.house import House
from tests.fuzz.money import NETWORKS, addresses, person, signed
from tests.support.ledger import child

NAME = "main"
NETWORK = replace(NETWORKS[NAME], allow_generate=True)
METHODS = tuple(sorted(PERMISSIONS))
PEER = "10.0.0.2:1"
BACKUP = "/troupe.admin.v1.ChainService/CreateBackup"


ACTORS = ("chain", "reader", "peers", "tcp", "supervisor", "mempool")


def one_input(data: bytes) -> None:
    prepared()
    draw, forms, wallet = Draw(data), Forms(texts(), raws()), person(NAME, 0)

    def hear(response: Any) -> None:
        if token := getattr(response, "next_page_token", ""):
            forms.heard.append(token)

    with (
        closing(House(NETWORK, wallet, chain())) as house,
        closing(Door(house, NETWORK, wallet, hear)) as door,
    ):
        conn = house.wire.accept("10.0.0.2:5000")
        house.wire.hand_on(conn, [encode(MessageType.REQUEST, 1, "p2p:hello", PEER.encode())])
        house.pump.run_until_idle()
        door.call_all(calls(draw, forms))
        house.check(NETWORK, settle_s=1.0)


def calls(draw: Draw, forms: Forms) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Methods, each with a request or, for an upload, some; of any bytes, or filled in."""
    while draw:
        method = draw.pick(METHODS)
        rpc = descriptor(method)
        count = 1 + (draw.below(3) if rpc.client_streaming else 0)
        requests = [
            draw.blob()
            if draw.below(8) == 1
            else forms.draw(draw, rpc.input_type).SerializeToString()
            for _ in range(count)
        ]
        if method != BACKUP or not any(b"/" in request for request in requests):
            yield method, requests  # a fuzzer writes files nowhere but in its scratch folder


@cache
def descriptor(method: str) -> MethodDescriptor:
    service, _, name = method[1:].partition("/")
    found: Any = descriptor_pool.Default().FindServiceByName(service)
    return found.methods_by_name[name]  # type: ignore[no-any-return]


@cache
def chain() -> tuple[Block, ...]:
    """The wallet's rewards, and some of it paid."""
    first = child(NETWORK.genesis.ref, addresses(NAME)[0])
    second = child(first.ref, addresses(NAME)[0], [signed(NAME, 0, 1, 0, 1)])
    return first, second, child(second.ref, addresses(NAME)[2])


@cache
def prepared() -> Path:
    """The file that the long jobs read."""
    return prepare(NETWORK, chain())


@cache
def raws() -> tuple[bytes, ...]:
    """What requests carry as bytes."""
    tip = chain()[-1]
    news = (child(tip.ref, addresses(NAME)[1]), child(chain()[0].ref, addresses(NAME)[1]))
    items: list[Block | Transaction] = [*chain(), *news, NETWORK.genesis]
    items += [signed(NAME, 0, 1, nonce, 1) for nonce in range(4)]
    return (*(each.raw for each in items), tip.hash, b"", b"\0" * 16)


@cache
def texts() -> Mapping[str, Sequence[str]]:
    """What their strings say, by a part of the field's name."""
    people = tuple(address.hex() for address in addresses(NAME))
    hashes = tuple(block.hash.hex() for block in (*chain(), NETWORK.genesis))
    payment = signed(NAME, 0, 1, 0, 1)
    odd = ("", "9" * 30, "x" * 2_000, "a/b", "..", "\u0663", "\ud7ff\U0010ffff", "\0", " ", "-1")
    words = ("foo", "chat", "bc:new_tx", "search:block", "file", "block", "p2p:get_peers", "true")
    hosts = (PEER, "10.0.0.9:1", "127.0.0.1", "127.0.0.1:5", "[::1]:7", "host.example:1")
    settings = ("threads", "coinbase", "mine", "log_level", "listen")
    return {
        "": (*odd, *words, *hosts, *people, *hashes, payment.raw.decode(), NETWORK.name),
        "address": (*hosts, *people),
        "target": hosts,
        "hash": hashes,
        "id": (payment.id.hex(), *hashes, "one"),
        "recipient": people,
        "coinbase": people,
        "sender": people,
        "name": (*ACTORS, *settings, "actors.chain", "admin"),
        "value": ("2", "true", "debug", people[0]),
        "path": ("a.db", "b.db", "../x"),
        "permission": ("chain:read", "auth:write", "node:write"),
        "kind": words,
        "raw": (payment.raw.decode(),),
        "text": words,
    }
