"""The reader among peers that ask for much: each has its turn, and who left is not served."""

from __future__ import annotations

import sqlite3

import pytest

from actors.chain import wire
from actors.chain.asking import ANSWERS_A_TURN
from actors.chain.importer import Importer
from actors.chain.reader import ReaderActor
from actors.chain.store import Store
from actors.messaging.messages import (
    ANSWER_BUDGET_BYTES,
    Done,
    Inbound,
    MessageType,
    Received,
    RespondBatch,
)
from actors.peers.messages import LinksReset, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.tcp.messages import ConnId
from tests.support.chains import EASY, mine_chain
from tests.support.player import Player
from tests.support.probe import Probe

FLOOD = 256
"""Requests: what one connection's read credit lets in."""
FROM_GENESIS = wire.encode_locator((EASY.genesis.hash,))
GREEDY, HONEST = PeerId("6.6.6.6:1"), PeerId("8.8.8.8:1")
ONE, TWO, THREE, OTHER = map(ConnId, (1, 2, 3, 9))


class Stage:
    """A reader of a short chain; nothing is handled before `run`."""

    def __init__(self, blocks: int = 3) -> None:
        self.pump = Pump(1, FakeClock())
        self.out, self.peers = Probe(self.pump, "messaging"), Probe(self.pump, "peers")
        self.store = Store.open(None, EASY)
        Importer(self.store, EASY).add(mine_chain(EASY, EASY.genesis.ref, blocks))
        self.player = Player(
            self.pump,
            "reader",
            lambda me: ReaderActor(
                store=self.store.reader(),
                me=me,
                messaging=self.out.address,
                peers=self.peers.address,
                supervisor=self.peers.address,
            ),
        )

    def asks(self, conn: ConnId, count: int, payload: bytes = FROM_GENESIS) -> None:
        kind, request = wire.GET_BLOCKS_KIND, MessageType.REQUEST
        inbound = (Inbound(conn, request, number, kind, payload) for number in range(count))
        self.player.address.tell(Received(tuple(inbound)))

    def linked(self, peer: PeerId, *conns: ConnId) -> None:
        for conn in conns:
            self.player.address.tell(PeerLinked(peer, conn, initiated=False, first=True))

    def run(self) -> list[object]:
        """What messaging is told, in order."""
        self.pump.run_until_idle()
        return self.out.take()


def answers_to(told: list[object]) -> list[tuple[ConnId, int]]:
    return [(each.conn, len(each.answers)) for each in told if isinstance(each, RespondBatch)]


def credit(told: list[object], conn: ConnId) -> int:
    """How many requests of a connection are dealt with."""
    answered = sum(count for each, count in answers_to(told) if each == conn)
    return answered + sum(e.messages for e in told if isinstance(e, Done) and e.conn == conn)


def test_an_honest_peer_waits_for_a_few_answers_of_a_flood_and_not_for_all() -> None:
    stage = Stage()
    stage.asks(ONE, FLOOD)
    stage.asks(OTHER, 1)
    told = stage.run()
    before = answers_to(told).index((OTHER, 1))
    assert sum(count for _, count in answers_to(told)[:before]) <= 2 * ANSWERS_A_TURN
    assert credit(told, ONE) == FLOOD


def test_a_peer_with_several_connections_has_one_turn_for_all_of_them() -> None:
    stage = Stage()
    stage.linked(GREEDY, ONE, TWO, THREE)
    stage.linked(HONEST, OTHER)
    for conn in (ONE, TWO, THREE):
        stage.asks(conn, FLOOD)
    stage.asks(OTHER, 2 * ANSWERS_A_TURN)
    told = answers_to(stage.run())
    last = max(place for place, (conn, _) in enumerate(told) if conn == OTHER)
    greedy = sum(count for conn, count in told[:last] if conn != OTHER)
    assert greedy <= 4 * ANSWERS_A_TURN


def test_every_request_gives_its_credit_back_whatever_it_says() -> None:
    stage = Stage()
    stage.asks(ONE, FLOOD, b"rubbish")
    stage.asks(TWO, FLOOD)
    told = stage.run()
    assert (credit(told, ONE), credit(told, TWO)) == (FLOOD, FLOOD)


def test_a_peer_that_is_gone_is_served_no_more() -> None:
    stage = Stage()
    stage.linked(GREEDY, ONE, TWO)
    stage.asks(ONE, FLOOD)
    stage.asks(TWO, FLOOD)
    stage.player.address.tell(PeerUnlinked(GREEDY, ONE, TWO))
    stage.player.address.tell(PeerUnlinked(GREEDY, TWO, None))
    stage.asks(OTHER, 1)
    told = stage.run()
    assert sum(count for conn, count in answers_to(told) if conn != OTHER) <= ANSWERS_A_TURN
    assert (OTHER, 1) in answers_to(told)
    assert (credit(told, ONE), credit(told, TWO)) == (FLOOD, FLOOD)


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_is_gone_leaves_nothing_to_do_though_its_peer_has_another(
    reset: bool,
) -> None:
    """Who comes and goes while one link of his stays would have us serve what nobody reads, without end."""
    stage = Stage()
    stage.linked(GREEDY, ONE)
    conns = [ConnId(100 + number) for number in range(20)]
    stays = PeerLinked(GREEDY, ONE, initiated=False, first=True)
    for conn in conns:
        stage.linked(GREEDY, conn)
        stage.asks(conn, FLOOD)
        gone = LinksReset((stays,)) if reset else PeerUnlinked(GREEDY, conn, ONE)
        stage.player.address.tell(gone)
    stage.asks(ONE, FLOOD)
    told = stage.run()
    answered = answers_to(told)
    assert sum(count for conn, count in answered if conn != ONE) <= len(conns) * ANSWERS_A_TURN
    assert sum(count for conn, count in answered if conn == ONE) == FLOOD
    assert {credit(told, conn) for conn in conns} == {FLOOD}


def test_after_a_reset_of_links_only_those_that_are_told_are_served() -> None:
    stage = Stage()
    stage.linked(GREEDY, ONE)
    stage.linked(HONEST, OTHER)
    for conn in (ONE, OTHER):
        stage.asks(conn, FLOOD)
    still = PeerLinked(HONEST, OTHER, initiated=False, first=True)
    stage.player.address.tell(LinksReset((still,)))
    told = stage.run()
    served = {conn: sum(n for c, n in answers_to(told) if c == conn) for conn in (ONE, OTHER)}
    assert served[ONE] <= 2 * ANSWERS_A_TURN
    assert (served[OTHER], credit(told, ONE)) == (FLOOD, FLOOD)


def test_one_batch_is_answered_within_its_budget_however_many_turns_it_has() -> None:
    stage = Stage(blocks=60)
    stage.asks(ONE, 20 * FLOOD)
    told = stage.run()
    answered = [answer for e in told if isinstance(e, RespondBatch) for _, answer in e.answers]
    size_bytes = sum(map(len, answered))
    assert ANSWER_BUDGET_BYTES <= size_bytes < ANSWER_BUDGET_BYTES + len(answered[0])
    assert credit(told, ONE) == 20 * FLOOD


def test_what_an_incarnation_that_falls_leaves_is_answered_by_the_next() -> None:
    stage = Stage()
    stage.asks(ONE, FLOOD)
    stage.player.fell()
    stage.player.start()
    told = stage.out.take()
    assert sum(count for _, count in answers_to(told)) == FLOOD


def test_a_disk_that_fails_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    def fails(_self: object, _request: bytes) -> bytes:
        message = "disk I/O error"
        raise sqlite3.OperationalError(message)

    monkeypatch.setattr("actors.chain.serving.Serving.blocks_after", fails)
    for conn in (ONE, TWO):
        stage.asks(conn, FLOOD)
    told = stage.run()
    assert (credit(told, ONE), credit(told, TWO)) == (FLOOD, FLOOD)
    assert answers_to(told) == []
    monkeypatch.undo()
    stage.asks(ONE, 1)
    assert answers_to(stage.run()) == [(ONE, 1)]


def test_it_asks_for_the_links_at_start() -> None:
    stage = Stage()
    assert stage.peers.take() == [Resync(stage.player.address)]
