"""The peers actor alone: how many peers it keeps, whom it dials again, what becomes of a fall."""

import pytest

from actors.messaging.messages import Disconnect, OpenGate, Response, SendRequest
from actors.peers.book import REST_S
from actors.peers.dialer import MAX_SEEKING
from actors.peers.messages import (
    ConnectOutcome,
    ConnectPeer,
    DisconnectPeer,
    DropPeer,
    LinksReset,
    PeerLinked,
    PeerUnlinked,
)
from actors.runtime.address import ActorDownError
from actors.tcp.messages import CloseReason, Connected, ConnectFailed, ConnId, Idle
from tests.support.peers_stage import BOB, BOOT, CAROL, PeersStage, gone


def dialed_hosts(stage: PeersStage) -> list[str]:
    return [dial.host for dial in stage.dials()]


def refuse_all(stage: PeersStage) -> int:
    dials = stage.dials()
    stage.tell(*(ConnectFailed(dial.token, CloseReason.REFUSED) for dial in dials))
    return len(dials)


def test_at_start_the_rooms_forget_all_links_and_the_bootstrap_is_dialed() -> None:
    stage = PeersStage(bootstrap=(BOOT, BOB))
    assert stage.out.take() == [LinksReset()]
    assert sorted(dialed_hosts(stage)) == ["10.0.0.2", "10.0.0.9"]


@pytest.mark.parametrize("settings", [{"bootstrap": ("nowhere",)}, {"bootstrap": ("h:0",)}])
def test_settings_without_an_address_do_not_make_an_actor(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="host:port"):
        PeersStage(**settings)


def test_a_bootstrap_address_is_redialed_for_ever_ever_more_slowly() -> None:
    stage = PeersStage(bootstrap=(BOOT,))
    per_minute = []
    for _ in range(60):
        dials = 0
        for _ in range(60):
            dials += refuse_all(stage)
            stage.pump.run_for(1.0)
        per_minute.append(dials)
    assert per_minute[0] in range(5, 9)
    assert 50 <= sum(per_minute[5:]) <= 104  # every 32 to 64 s


def test_a_lost_peer_is_dialed_again_soon() -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    stage.tell(gone(conn))
    stage.dials()
    stage.pump.run_for(2.0)
    assert dialed_hosts(stage) == ["10.0.0.2"]


def test_a_peer_that_said_hello_to_us_is_dialed_when_it_is_lost() -> None:
    stage = PeersStage()
    stage.tell(gone(stage.greeted(BOB)))
    stage.pump.run_for(5.0)
    assert dialed_hosts(stage) == ["10.0.0.2"]


@pytest.mark.parametrize("part", [DisconnectPeer(BOB), DropPeer(BOB, CloseReason.OTHER_NETWORK)])
def test_a_peer_that_we_parted_with_is_left_alone_for_ten_minutes(
    part: DisconnectPeer | DropPeer,
) -> None:
    stage = PeersStage(bootstrap=(BOB,))
    stage.joined(BOB)
    stage.tell(part)
    stage.pump.run_for(REST_S - 1)
    assert dialed_hosts(stage) == []
    stage.pump.run_for(6.0)
    assert dialed_hosts(stage) == ["10.0.0.2"]


def test_an_operator_may_dial_a_peer_that_is_left_alone() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.ask(DisconnectPeer(BOB))
    assert stage.joined(BOB) in stage.table()[BOB].conns


def test_it_seeks_half_of_the_peers_it_may_have() -> None:
    stage = PeersStage(max_peers=5)
    stage.joined(BOB)
    listed = ",".join(f"10.1.0.1:{port}" for port in range(1, 40))
    (asked,) = stage.tell(Idle(ConnId(1)))
    stage.tell(Response(asked.token, ConnId(1), listed.encode()))
    stage.pump.run_for(60.0)
    dials = stage.dials()
    assert len(dials) == 2
    for number, dial in enumerate(dials, start=50):
        remote = f"{dial.host}:{dial.port}"
        (hello,) = stage.tell(Connected(ConnId(number), True, remote, dial.token))
        stage.tell(Response(hello.token, hello.conn, b"\x01"))
    stage.pump.run_for(60.0)
    assert stage.dials() == []
    assert len(stage.table()) == 3


def test_it_does_not_dial_everybody_at_once() -> None:
    stage = PeersStage(bootstrap=tuple(f"10.1.0.1:{port}" for port in range(1, 30)))
    assert len(stage.dials()) == MAX_SEEKING


def test_while_it_seeks_it_asks_a_peer_for_more() -> None:
    stage = PeersStage(max_peers=4)
    conn = stage.joined(BOB)
    stage.out.take()
    stage.pump.run_for(5.0)
    (asked,) = stage.out.take()
    assert (asked.conn, asked.kind) == (conn, "p2p:get_peers")
    stage.joined(CAROL)
    stage.out.take()
    stage.pump.run_for(60.0)
    assert stage.out.of(SendRequest) == []


def test_above_the_maximum_the_youngest_go_but_never_a_bootstrap_peer() -> None:
    stage = PeersStage(max_peers=2, bootstrap=(BOOT,))
    conns = [stage.greeted(peer) for peer in (BOB, CAROL, "10.0.0.4:1")]
    stage.joined(BOOT)
    stage.out.take()
    stage.pump.run_for(5.0)
    assert set(stage.table()) == {BOB, BOOT}
    assert stage.out.of(Disconnect) == [
        Disconnect(conns[2], CloseReason.EVICTED),
        Disconnect(conns[1], CloseReason.EVICTED),
    ]


# -- falls --------------------------------------------------------------------------------------


def test_whoever_waits_for_a_dial_is_let_down_by_a_fall() -> None:
    stage = PeersStage()
    answer, _ = stage.dialed(BOB)
    stage.player.fell()
    assert isinstance(answer.exception(), ActorDownError)


def test_whoever_waits_for_a_dial_is_let_down_by_a_stop() -> None:
    stage = PeersStage()
    answer, _ = stage.dialed(BOB)
    stage.player.stop()
    assert isinstance(answer.exception(), ActorDownError)


def test_a_restarted_actor_starts_without_links_and_dials_again() -> None:
    stage = PeersStage(bootstrap=(BOOT,))
    stage.greeted(BOB)
    stage.player.fell()
    stage.dials()
    stage.out.take()
    stage.player.start()
    assert stage.out.take() == [LinksReset()]
    assert stage.table() == {}
    assert dialed_hosts(stage) == ["10.0.0.9"]


def test_what_an_earlier_incarnation_began_means_nothing_to_the_next() -> None:
    stage = PeersStage()
    linked = stage.greeted(BOB)
    _, hello = stage.dialed(CAROL)
    stage.player.fell()
    stage.player.start()
    stage.ask(ConnectPeer(CAROL))
    late = Connected(ConnId(70), initiated=True, remote=CAROL, token=hello.token)
    assert stage.tell(late, Response(hello.token, hello.conn, b"\x01"), gone(linked)) == [
        Disconnect(ConnId(70), CloseReason.LOCAL)
    ]


def test_an_earlier_incarnations_timer_does_not_maintain_twice() -> None:
    stage = PeersStage()
    for _ in range(3):
        stage.player.fell()
        stage.player.start()
    stage.greeted(BOB)
    stage.out.take()
    stage.pump.run_for(50.0)
    assert len(stage.out.of(SendRequest)) == 10


def test_its_links_are_announced_once_each_whatever_happens() -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    answer = stage.ask(ConnectPeer(BOB))
    stage.tell(gone(conn), gone(conn))
    bodies = [happened.body for happened in stage.events.take()]
    assert bodies == [
        PeerLinked(BOB, conn, initiated=True, first=True),
        PeerUnlinked(BOB, conn, None),
    ]
    assert answer.result() is ConnectOutcome.ALREADY_CONNECTED
    assert OpenGate(conn, BOB) not in stage.out.take()
