"""The peers actor alone: asking others whom they know, and dialing only where that is wanted."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from actors.messaging.messages import Disconnect, Response, SendRequest
from actors.peers.crawler import ANSWER_S, MAX_CRAWLS, MAX_DIALED, MAX_DIALING
from actors.peers.messages import Crawl, CreateBan, ListAddresses, NodeState, PeerId, Topology
from actors.runtime.address import ActorDownError
from actors.tcp.messages import CloseReason, Connect, Connected, ConnectFailed, ConnId
from tests.support.peers_stage import BOB, CAROL, OWN, PeersStage

DAVE = PeerId("10.0.0.4:8000")


def crawl(stage: PeersStage, depth: int = 1) -> tuple[Future[Any], list[SendRequest]]:
    """A crawl, and the questions that it begins with."""
    stage.out.take()
    answer = stage.ask(Crawl(depth, 200, 5.0))
    return answer, [each for each in stage.out.take() if isinstance(each, SendRequest)]


def learnt(answer: Future[Any]) -> Topology:
    topology = answer.result(timeout=0)
    assert isinstance(topology, Topology)
    return topology


def states(topology: Topology) -> dict[str, NodeState]:
    return {node.address: node.state for node in topology.nodes}


def test_each_peer_is_asked_over_its_connection_and_nobody_is_dialed() -> None:
    stage = PeersStage()
    bob, carol = stage.joined(BOB), stage.joined(CAROL)
    answer, asked = crawl(stage)
    assert [(each.conn, each.kind, each.timeout_s) for each in asked] == [
        (conn, "p2p:get_peers", ANSWER_S) for conn in (bob, carol)
    ]
    stage.tell(Response(asked[0].token, bob, f"{OWN},{DAVE}".encode()))
    assert not answer.done()
    stage.tell(Response(asked[1].token, carol, None))
    topology = learnt(answer)
    assert states(topology) == {
        OWN: NodeState.SELF,
        BOB: NodeState.ANSWERED,
        CAROL: NodeState.NO_ANSWER,
        DAVE: NodeState.NOT_ASKED,
    }
    assert {(edge.source, edge.target) for edge in topology.edges} == {
        (OWN, BOB),
        (OWN, CAROL),
        (BOB, OWN),
        (BOB, DAVE),
    }
    assert not topology.truncated
    assert stage.dials() == []


def test_what_is_learnt_does_not_change_whom_the_node_dials() -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    answer, (asked,) = crawl(stage)
    stage.tell(Response(asked.token, conn, DAVE.encode()))
    assert answer.done()
    assert {each.address for each in stage.ask(ListAddresses()).result()} == {BOB}


def deep(stage: PeersStage) -> tuple[Future[Any], Connect]:
    """A crawl that has heard of Dave, and the dial that follows."""
    conn = stage.joined(BOB)
    answer, (asked,) = crawl(stage, depth=2)
    stage.tell(Response(asked.token, conn, DAVE.encode()))
    (dial,) = stage.dials()
    assert (dial.host, dial.port) == ("10.0.0.4", 8000)
    return answer, dial


def test_where_it_is_wanted_others_are_dialed_asked_and_hung_up_on() -> None:
    stage = PeersStage()
    answer, dial = deep(stage)
    conn = ConnId(70)
    (question,) = stage.tell(Connected(conn, initiated=True, remote=DAVE, token=dial.token))
    assert (question.conn, question.kind) == (conn, "p2p:get_peers")
    assert stage.tell(Response(question.token, conn, b"10.0.0.5:1")) == [
        Disconnect(conn, CloseReason.LOCAL)
    ]
    topology = learnt(answer)
    assert states(topology)[DAVE] is NodeState.ANSWERED
    assert [node.distance for node in topology.nodes] == [0, 1, 2, 3]
    assert set(stage.table()) == {BOB}


def test_one_that_cannot_be_dialed_is_shown_as_such() -> None:
    stage = PeersStage()
    answer, dial = deep(stage)
    stage.tell(ConnectFailed(dial.token, CloseReason.REFUSED))
    assert states(learnt(answer))[DAVE] is NodeState.UNREACHABLE


def test_when_the_time_is_over_what_is_known_is_the_answer() -> None:
    stage = PeersStage()
    answer, dial = deep(stage)
    conn = ConnId(70)
    stage.tell(Connected(conn, initiated=True, remote=DAVE, token=dial.token))
    stage.out.take()
    stage.pump.run_for(5.0)
    topology = learnt(answer)
    assert topology.truncated
    assert states(topology)[DAVE] is NodeState.NOT_ASKED
    assert Disconnect(conn, CloseReason.LOCAL) in stage.out.take()


def test_a_dial_that_comes_up_after_the_end_is_hung_up_on() -> None:
    stage = PeersStage()
    _, dial = deep(stage)
    stage.pump.run_for(5.0)
    late = Connected(ConnId(70), initiated=True, remote=DAVE, token=dial.token)
    assert stage.tell(late) == [Disconnect(ConnId(70), CloseReason.LOCAL)]


def test_a_banned_address_is_not_dialed_by_a_crawl() -> None:
    stage = PeersStage()
    stage.ask(CreateBan("10.0.0.4", 60.0, ""))
    conn = stage.joined(BOB)
    answer, (asked,) = crawl(stage, depth=2)
    stage.tell(Response(asked.token, conn, DAVE.encode()))
    assert stage.dials() == []
    assert states(learnt(answer))[DAVE] is NodeState.NOT_ASKED


def test_a_crawl_dials_a_few_at_a_time_and_not_without_end() -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    answer, (asked,) = crawl(stage, depth=2)
    listed = ",".join(f"10.1.0.{number}:1" for number in range(1, MAX_DIALED + 11))
    stage.tell(Response(asked.token, conn, listed.encode()))
    dialed = 0
    while dials := stage.dials():
        assert len(dials) <= MAX_DIALING
        dialed += len(dials)
        stage.tell(*(ConnectFailed(dial.token, CloseReason.REFUSED) for dial in dials))
    assert dialed == MAX_DIALED
    assert learnt(answer).truncated


def test_there_are_never_too_many_crawls_at_a_time() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    first = [crawl(stage)[0] for _ in range(MAX_CRAWLS)]
    assert crawl(stage)[0].result(timeout=0) is None
    stage.pump.run_for(5.0)
    assert all(learnt(answer).truncated for answer in first)
    assert not crawl(stage)[0].done()


def test_without_peers_the_answer_is_this_node_alone() -> None:
    answer, asked = crawl(PeersStage())
    assert asked == []
    assert states(learnt(answer)) == {OWN: NodeState.SELF}


@pytest.mark.parametrize("end", ["fell", "stop"])
def test_whoever_waits_for_a_crawl_is_let_down_by_its_end(end: str) -> None:
    stage = PeersStage()
    stage.joined(BOB)
    answer, _ = crawl(stage)
    getattr(stage.player, end)()
    assert isinstance(answer.exception(timeout=0), ActorDownError)
