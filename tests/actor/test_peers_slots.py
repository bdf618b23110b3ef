"""The peers actor alone: places for those whom it dials, and duplicate connections that count as one."""

from __future__ import annotations

from actors.messaging.messages import Disconnect, Respond, Response
from actors.peers.hosts import MAX_SOUGHT_PER_HOST
from actors.peers.messages import (
    Brought,
    ConnectOutcome,
    ConnectPeer,
    GetSlots,
    PeerId,
    Slots,
)
from actors.peers.slots import MAX_OUTBOUND_KEPT
from actors.tcp.messages import CloseReason, Connected, ConnId, Idle
from tests.support.peers_stage import BOB, BOOT, CAROL, PeersStage, gone


def slots(stage: PeersStage) -> Slots:
    answer = stage.ask(GetSlots()).result()
    assert isinstance(answer, Slots)
    return answer


def is_accepted(stage: PeersStage, address: str) -> bool:
    conn = stage.accepted("127.0.0.1:50000")
    (answer,) = [each for each in stage.hello(conn, address) if isinstance(each, Respond)]
    return answer.payload.startswith(b"\x01")


def test_the_places_are_told() -> None:
    stage = PeersStage(max_peers=10)
    stage.greeted(CAROL)
    stage.joined(BOB)
    stage.dialed(BOOT)
    assert slots(stage) == Slots(
        outbound=1,
        inbound=1,
        wanted=5,
        wanted_outbound=5,
        target=10,
        limit=20,
        dialing=slots(stage).dialing,
        known=2,
    )
    assert slots(stage).dialing >= 1


def test_whoever_dials_us_cannot_take_every_place() -> None:
    stage = PeersStage(max_peers=10, maintain_every_s=1e6)
    accepted = [is_accepted(stage, f"127.0.0.1:{port}") for port in range(1, 31)]
    assert accepted == [True] * 15 + [False] * 15
    assert slots(stage).inbound == 15
    stage.joined(BOB)
    assert not is_accepted(stage, "127.0.0.1:40")
    assert (slots(stage).outbound, slots(stage).inbound) == (1, 15)


def test_outbound_peers_are_sought_when_all_that_came_dialed_us() -> None:
    stage = PeersStage(max_peers=40)
    for port in range(1, 31):
        stage.greeted(f"127.0.0.1:{port}")
    stage.dials()
    conn = stage.joined(BOB)
    others = ",".join(f"10.1.0.{number}:1" for number in range(1, 40)).encode()
    (asked,) = stage.tell(Idle(conn))
    stage.tell(Response(asked.token, conn, others))
    stage.pump.run_for(5.0)
    dials = stage.dials()
    assert len(dials) == MAX_OUTBOUND_KEPT - 1
    for dial in dials:
        stage.connected(dial, f"{dial.host}:{dial.port}")
    stage.pump.run_for(60.0)
    assert stage.dials() == []
    assert slots(stage).outbound == MAX_OUTBOUND_KEPT


def told(stage: PeersStage, conn: ConnId, *listed: str) -> None:
    """A peer answers the question for its peers."""
    (asked,) = stage.tell(Idle(conn))
    stage.tell(Response(asked.token, conn, ",".join(listed).encode()))
    stage.pump.run_for(5.0)


def test_whoever_lists_many_ports_of_one_host_gets_few_of_the_places_for_whom_we_dial() -> None:
    stage = PeersStage(bootstrap=("10.6.6.6:2", "10.6.6.6:3", "10.6.6.6:4"))
    assert len(stage.dials()) == 3
    liar = stage.joined("10.6.6.6:1")
    told(stage, liar, *(f"10.6.6.6:{port}" for port in range(5, 100)), "10.1.0.1:1")
    assert [dial.host for dial in stage.dials()] == ["10.1.0.1"]


def test_of_a_host_as_many_are_dialed_as_may_be_and_another_when_one_is_gone() -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    told(stage, conn, *(f"10.1.0.1:{port}" for port in range(1, 9)))
    dials = stage.dials()
    assert len(dials) == MAX_SOUGHT_PER_HOST
    conns = [stage.connected(dial, f"{dial.host}:{dial.port}") for dial in dials]
    stage.pump.run_for(60.0)
    assert stage.dials() == []
    stage.tell(gone(conns[0]))
    stage.pump.run_for(5.0)
    assert len(stage.dials()) == 1


def test_names_of_one_host_are_parted_with_before_they_are_greeted() -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    told(stage, conn, *(f"n{number}.example:1" for number in range(MAX_SOUGHT_PER_HOST + 1)))
    *dials, last = stage.dials()
    for dial in dials:
        stage.connected(dial, "10.6.6.6:1")
    one_too_many = Connected(ConnId(999), initiated=True, remote="10.6.6.6:1", token=last.token)
    assert stage.tell(one_too_many) == [Disconnect(ConnId(999), CloseReason.LOCAL)]
    assert slots(stage).outbound == 1 + MAX_SOUGHT_PER_HOST


def test_an_operator_gets_whom_he_names_wherever_they_are() -> None:
    stage = PeersStage()
    for port in range(1, 3 + MAX_SOUGHT_PER_HOST):
        stage.joined(f"10.1.0.1:{port}")
    assert slots(stage).outbound == 2 + MAX_SOUGHT_PER_HOST


def test_on_loopback_where_all_have_one_host_as_many_as_are_wanted_are_dialed() -> None:
    stage = PeersStage()
    conn = stage.joined("127.0.0.1:1")
    told(stage, conn, *(f"127.0.0.1:{port}" for port in range(2, 20)))
    assert len(stage.dials()) == MAX_OUTBOUND_KEPT


def test_trimming_parts_with_inbound_peers_before_the_wanted_outbound_ones() -> None:
    stage = PeersStage(max_peers=4)
    for number in range(2, 7):
        stage.greeted(f"10.2.0.{number}:1")
    stage.joined(BOB)
    stage.joined(CAROL)
    stage.pump.run_for(5.0)
    assert set(stage.table()) == {"10.2.0.2:1", "10.2.0.3:1", BOB, CAROL}


# -- duplicates (WIRE: nodes in the field, 1) -----------------------------------------------------


def test_a_field_node_on_two_connections_takes_one_place_and_keeps_both() -> None:
    stage = PeersStage(max_peers=2)
    both = (stage.greeted(BOB), stage.greeted(BOB))
    for number in range(2, 8):
        stage.greeted(f"10.2.0.{number}:1")
        stage.greeted(f"10.2.0.{number}:1")
        stage.pump.run_for(5.0)
    assert stage.table()[BOB].conns == both
    assert len(stage.table()) == 2
    assert slots(stage).inbound == 2


def test_whoever_is_trimmed_loses_all_connections_and_nobody_loses_one() -> None:
    stage = PeersStage(max_peers=1)
    stage.greeted(BOB)
    pair = {stage.greeted(CAROL), stage.greeted(CAROL)}
    stage.out.take()
    stage.pump.run_for(5.0)
    assert {each.conn for each in stage.out.of(Disconnect)} == pair
    assert {each.reason for each in stage.out.of(Disconnect)} == {CloseReason.EVICTED}


def test_the_second_hello_of_a_peer_is_accepted_when_all_places_are_taken() -> None:
    stage = PeersStage(max_peers=1, maintain_every_s=1e6)
    assert is_accepted(stage, "127.0.0.1:1")
    assert is_accepted(stage, "127.0.0.1:2")
    assert not is_accepted(stage, "127.0.0.1:3")
    assert is_accepted(stage, "127.0.0.1:2")


def test_we_do_not_dial_who_is_there_nor_close_what_we_have_for_it() -> None:
    stage = PeersStage(bootstrap=(BOB,))
    (dial,) = stage.dials()
    theirs = (stage.greeted(BOB), stage.greeted(BOB))
    ours = stage.connected(dial, BOB)
    stage.out.take()
    stage.pump.run_for(600.0)
    assert stage.out.of(Disconnect) == []
    assert stage.dials() == []
    assert stage.table()[BOB].conns == (*theirs, ours)
    assert stage.ask(ConnectPeer(BOB)).result() is ConnectOutcome.ALREADY_CONNECTED
    stage.tell(gone(ours))
    assert slots(stage).inbound == 1


# -- who makes room -------------------------------------------------------------------------------


def test_a_newcomer_of_another_network_finds_a_place_though_a_crowd_has_taken_all() -> None:
    stage = PeersStage(max_peers=10, maintain_every_s=1e6)
    for number in range(2, 40):
        stage.greeted(f"10.2.0.{number}:1")
    assert slots(stage).inbound == 15
    conn = stage.accepted("10.0.0.2:50000")
    told = stage.hello(conn, BOB)
    assert [each.reason for each in told if isinstance(each, Disconnect)] == [CloseReason.EVICTED]
    assert BOB in stage.table()
    assert slots(stage).inbound == 15
    assert not is_accepted(stage, "127.0.0.1:7000"), "nobody on this machine is crowded out"


def test_who_brought_a_block_outlives_a_flood_and_who_came_before_it_as_well() -> None:
    stage = PeersStage(max_peers=10, maintain_every_s=5.0)
    early = [f"10.{number}.0.1:1" for number in range(20, 24)]
    for address in early:
        stage.greeted(address)
    stage.greeted("10.2.9.9:1")
    stage.tell(Brought((PeerId("10.2.9.9:1"),), is_block=True))
    for turn in range(30):
        for number in range(2, 30):
            stage.greeted(f"10.2.{turn}.{number}:1")
        stage.pump.run_for(5.0)
    assert set(stage.table()) >= {*early, "10.2.9.9:1"}


def test_news_of_a_peer_that_is_none_mean_nothing() -> None:
    stage = PeersStage()
    stage.tell(Brought((BOB, CAROL), is_block=False))
    assert stage.table() == {}
