"""Open questions and answers: an answer settles what it answers, for whom was asked, once."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from actors.peers.messages import PeerId
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
from actors.search.messages import StartSearch
from actors.search.routes import (
    BLOCK,
    ID_BYTES,
    OwnRoute,
    RelayedRoute,
    Route,
    Routes,
    is_answer,
    is_question,
)
from actors.tcp.messages import ConnId
from tests.fuzz.draw import Draw

PEERS = tuple(PeerId(f"peer{index}:1") for index in range(4))
KINDS = (BLOCK, "file")
ROOM: Address[Any] = Address(Mailbox("room", lambda: 0.0))
LIFETIME_S = 30.0


def one_input(data: bytes) -> None:
    draw = Draw(data)
    routes, open_, now_s = Routes(), dict[bytes, Route](), 0.0
    while draw:
        kind = draw.pick(KINDS)
        match draw.below(4):
            case 0:
                ask(draw, routes, open_, kind, now_s)
            case 1:
                answer(draw, routes, open_, kind)
            case 2:
                now_s += draw.below(40)
                routes.expire(now_s)
                for search_id, route in tuple(open_.items()):
                    if isinstance(route, RelayedRoute) and route.until_s <= now_s:
                        del open_[search_id]
            case _:
                is_question(kind, draw.blob())
        assert all(search_id in routes for search_id in open_)


def ask(draw: Draw, routes: Routes, open_: dict[bytes, Route], kind: str, now_s: float) -> None:
    """A question of ours or of a peer; whose answer is known is told apart by its hash."""
    search_id = draw.take(2).ljust(ID_BYTES, b"\0")
    if search_id in open_:
        return
    question = sha256(bytes([draw.below(4)])).digest()
    asked = frozenset(PEERS[: draw.below(5)])
    if draw.below(2):
        search = StartSearch(1, kind, question, ROOM)
        own = OwnRoute(search_id, kind, question, asked, search)
        assert routes.open_own(own)
        open_[search_id] = own
        return
    until_s = now_s + LIFETIME_S
    relayed = RelayedRoute(search_id, kind, question, asked, draw.pick(PEERS), ConnId(1), until_s)
    routes.remember(relayed)
    open_[search_id] = relayed


def answer(draw: Draw, routes: Routes, open_: dict[bytes, Route], kind: str) -> None:
    """A response with or without its id, right or wrong, from anybody."""
    peer = draw.pick(PEERS)
    head = draw.take(2).ljust(ID_BYTES, b"\0") if draw.below(2) else b""
    payload = head + (bytes([draw.below(4)]) if draw.below(2) else draw.blob())
    found, settled = routes.take_answer(kind, payload, peer)
    for route in settled:
        assert route.kind == kind
        assert is_answer(kind, route.question, found)
        assert route.went_to(peer)
        assert not isinstance(route, RelayedRoute) or route.asker != peer
    _, again = routes.take_answer(kind, payload, peer)
    assert again == []
    for route in settled:
        if isinstance(route, OwnRoute):
            assert route.id not in routes
            del open_[route.id]
