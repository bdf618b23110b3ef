"""The peers room falls, and everybody stays who he was; the roll mends what was missed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from actors.messaging.messages import CallRoll, Disconnect, LinksNow, OpenGate, OpenLink, Respond
from actors.peers.adoption import Company
from actors.peers.messages import (
    Classify,
    LinksReset,
    ListBans,
    PeerKind,
    PeerLinked,
    PeerUnlinked,
    Poisoned,
)
from actors.runtime.address import ActorDownError
from actors.tcp.messages import CloseReason, Connected, ConnId
from tests.support.peers_stage import BOB, CAROL, PeersStage, gone

NEW = ConnId(900)


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def stage(company: Company) -> PeersStage:
    return PeersStage(company=company)


def begin_again(stage: PeersStage) -> list[Any]:
    """Fall, and what the next incarnation tells messaging and the rooms at once."""
    stage.out.take()
    stage.player.fall_and_rise()
    return stage.out.take()


def up(conn: ConnId, *, remote: str = "10.0.0.7:4", token: int | None = None) -> Connected:
    return Connected(conn, token is not None, remote, token)


def roll(stage: PeersStage, *links: OpenLink) -> list[Any]:
    return stage.tell(LinksNow(links))


def test_a_fall_costs_nobody_his_place(stage: PeersStage) -> None:
    outbound, inbound = stage.joined(BOB), stage.greeted(CAROL)
    stage.tell(Classify(BOB, PeerKind.TROUPE, "troupe/1", 12))
    before = stage.table()
    told = begin_again(stage)
    links = (
        PeerLinked(BOB, outbound, True, first=True),
        PeerLinked(CAROL, inbound, False, first=True),
    )
    assert told[:4] == [LinksReset(links), *links, CallRoll()]
    assert stage.table() == before


def test_a_hello_is_not_said_again(stage: PeersStage) -> None:
    conn = stage.greeted(BOB)
    begin_again(stage)
    assert roll(stage, OpenLink(up(conn), BOB)) == [OpenGate(conn, BOB)]
    assert set(stage.table()) == {BOB}


def test_who_has_not_said_hello_yet_may_say_it_to_the_next_incarnation(stage: PeersStage) -> None:
    conn = stage.accepted("10.0.0.2:50000")
    begin_again(stage)
    roll(stage, OpenLink(up(conn), ""))
    (answer, *_) = stage.hello(conn, BOB)
    assert isinstance(answer, Respond)
    assert set(stage.table()) == {BOB}


def test_a_dial_ends_with_who_dialed(stage: PeersStage) -> None:
    answer, hello = stage.dialed(BOB)
    begin_again(stage)
    assert isinstance(answer.exception(0), ActorDownError)
    told = roll(stage, OpenLink(up(hello.conn, remote=BOB, token=hello.token), ""))
    assert told == [Disconnect(hello.conn, CloseReason.LOCAL)]


def test_the_roll_forgets_who_is_gone(stage: PeersStage) -> None:
    conn = stage.greeted(BOB)
    assert roll(stage) == [PeerUnlinked(BOB, conn, None)]
    assert stage.table() == {}


def test_the_roll_greets_who_is_new(stage: PeersStage) -> None:
    assert roll(stage, OpenLink(up(NEW), "")) == []
    stage.hello(NEW, BOB)
    assert set(stage.table()) == {BOB}


def test_the_roll_parts_with_peers_of_a_forgotten_company(
    stage: PeersStage, company: Company
) -> None:
    conn = stage.greeted(BOB)
    stage.player.fell()
    company.clear()
    stage.player.start()
    assert roll(stage, OpenLink(up(conn), BOB)) == [Disconnect(conn, CloseReason.LOCAL)]
    assert stage.table() == {}


def test_a_roll_that_changes_nothing_tells_nobody_anything_new(stage: PeersStage) -> None:
    conn = stage.greeted(BOB)
    for _ in range(2):
        assert roll(stage, OpenLink(up(conn), BOB)) == [OpenGate(conn, BOB)]


def test_whoever_messaging_forgot_and_tells_anew_stays_a_peer(
    stage: PeersStage, company: Company
) -> None:
    conns = [stage.joined(BOB), stage.greeted(CAROL)]
    anew = [company.open[conn] for conn in conns]
    roll_call = LinksNow(tuple(OpenLink(each, "") for each in anew))
    gates = [OpenGate(conn, peer) for conn, peer in zip(conns, (BOB, CAROL), strict=True)]
    assert stage.tell(*anew, roll_call) == gates
    assert set(stage.table()) == {BOB, CAROL}


def test_who_left_while_nobody_played_is_gone_for_the_next_incarnation(stage: PeersStage) -> None:
    conn = stage.greeted(BOB)
    stage.player.fell()
    stage.peers.tell(gone(conn))
    stage.player.start()
    assert stage.table() == {}


def test_bans_of_the_last_seconds_outlive_a_fall(stage: PeersStage) -> None:
    conns = [stage.greeted(BOB), stage.greeted(CAROL)]
    for _ in range(2):
        stage.tell(Poisoned(conns[0]))
    begin_again(stage)
    assert [each.target for each in stage.ask(ListBans()).result()] == ["10.0.0.2"]


def test_the_second_poison_of_one_host_bans_it_also_after_it_left_and_a_fall(
    stage: PeersStage,
) -> None:
    first = stage.greeted(BOB)
    stage.tell(Poisoned(first), gone(first))
    begin_again(stage)
    second = stage.greeted("10.0.0.2:8001")
    stage.tell(gone(second), Poisoned(second))
    assert [each.target for each in stage.ask(ListBans()).result()] == ["10.0.0.2"]


def test_poison_before_a_hello_counts_for_its_host(stage: PeersStage) -> None:
    for port in (1, 2):
        conn = stage.accepted(f"10.0.0.2:{port}")
        told = stage.tell(Poisoned(conn))
        assert (Disconnect(conn, CloseReason.BANNED) in told) == (port == 2)
    assert [each.target for each in stage.ask(ListBans()).result()] == ["10.0.0.2"]


def test_on_loopback_a_stranger_with_poison_loses_his_connection_and_nobody_else(
    stage: PeersStage,
) -> None:
    innocent, guilty = stage.greeted("127.0.0.1:7000"), stage.accepted("127.0.0.1:50001")
    assert stage.tell(Poisoned(guilty)) == [Disconnect(guilty, CloseReason.BANNED)]
    assert stage.ask(ListBans()).result() == ()
    assert stage.table()["127.0.0.1:7000"].conns == (innocent,)
