"""The peers actor alone: whom it bans it neither keeps, nor lets in, nor dials."""

from __future__ import annotations

import pytest

from actors.messaging.messages import Disconnect, Respond, Response
from actors.peers.messages import (
    Ban,
    Banned,
    BanRefusal,
    ConnectOutcome,
    ConnectPeer,
    CreateBan,
    DeleteBan,
    KnownAddress,
    ListAddresses,
    ListBans,
    PeerId,
)
from actors.tcp.messages import CloseReason, Connected, ConnectFailed, ConnId
from tests.support.peers_stage import BOB, BOOT, CAROL, PeersStage

BOBS_IP = "10.0.0.2"
LOCAL = PeerId("127.0.0.1:7101")


def ban(stage: PeersStage, target: str, duration_s: float = 600.0) -> Banned:
    made = stage.ask(CreateBan(target, duration_s, "floods")).result()
    assert isinstance(made, Banned)
    return made


def closed(stage: PeersStage) -> list[tuple[ConnId, CloseReason]]:
    return [(each.conn, each.reason) for each in stage.out.of(Disconnect)]


def rejected(stage: PeersStage, conn: ConnId, address: str) -> bool:
    (answer,) = [each for each in stage.hello(conn, address) if isinstance(each, Respond)]
    return answer.payload.startswith(b"\x00")


def test_a_ban_closes_every_connection_of_the_host_and_no_other() -> None:
    stage = PeersStage()
    mine = [stage.joined(BOB), stage.greeted("10.0.0.2:8001"), stage.accepted("10.0.0.2:50001")]
    stage.joined(CAROL)
    stage.out.take()
    assert ban(stage, BOBS_IP).closed == 3
    assert sorted(closed(stage)) == sorted((conn, CloseReason.BANNED) for conn in mine)
    assert set(stage.table()) == {CAROL}


def test_a_banned_host_is_turned_away_before_its_hello() -> None:
    stage = PeersStage()
    ban(stage, BOBS_IP)
    stage.out.take()
    came = Connected(ConnId(50), initiated=False, remote="10.0.0.2:50000", token=None)
    assert stage.tell(came) == [Disconnect(ConnId(50), CloseReason.BANNED)]
    assert stage.hello(ConnId(50), BOB) == []


def test_on_loopback_one_node_is_banned_and_the_others_are_not() -> None:
    stage = PeersStage()
    stage.greeted(LOCAL)
    other = stage.greeted("127.0.0.1:7102")
    assert ban(stage, "localhost:7101").closed == 1
    assert stage.table()["127.0.0.1:7102"].conns == (other,)
    assert rejected(stage, stage.accepted("127.0.0.1:50002"), LOCAL)
    assert not rejected(stage, stage.accepted("127.0.0.1:50003"), "127.0.0.1:7103")


def test_nobody_becomes_a_peer_under_a_banned_address() -> None:
    stage = PeersStage()
    ban(stage, BOBS_IP)
    assert rejected(stage, stage.accepted("10.0.0.3:50000"), BOB)


def test_a_banned_address_is_not_dialed_until_the_ban_is_over() -> None:
    stage = PeersStage(bootstrap=(BOOT, BOB))
    stage.tell(*(ConnectFailed(dial.token, CloseReason.REFUSED) for dial in stage.dials()))
    ban(stage, BOBS_IP, 300.0)
    assert stage.ask(ConnectPeer(BOB)).result() is ConnectOutcome.BANNED
    stage.pump.run_for(299.0)
    assert {dial.host for dial in stage.dials()} == {"10.0.0.9"}
    stage.pump.run_for(7.0)
    assert "10.0.0.2" in {dial.host for dial in stage.dials()}


def test_a_name_that_leads_to_a_banned_host_is_hung_up_on() -> None:
    stage = PeersStage()
    ban(stage, BOBS_IP)
    answer = stage.ask(ConnectPeer("bob.example:8000"))
    (dial,) = stage.dials()
    up = Connected(ConnId(50), initiated=True, remote="10.0.0.2:8000", token=dial.token)
    assert stage.tell(up) == [Disconnect(ConnId(50), CloseReason.BANNED)]
    assert answer.result() is ConnectOutcome.BANNED


def test_a_dial_that_awaits_its_hello_ends_with_the_ban() -> None:
    stage = PeersStage()
    answer, hello = stage.dialed(BOB)
    assert ban(stage, BOBS_IP).closed == 1
    assert answer.result() is ConnectOutcome.NO_ANSWER
    stage.tell(Response(hello.token, hello.conn, b"\x01"))
    assert stage.table() == {}


def test_a_lifted_ban_lets_them_in_again() -> None:
    stage = PeersStage()
    ban(stage, BOBS_IP)
    assert stage.ask(DeleteBan(BOBS_IP)).result() is True
    assert stage.ask(DeleteBan(BOBS_IP)).result() is False
    assert stage.ask(DeleteBan("bob")).result() is BanRefusal.BAD_TARGET
    assert stage.joined(BOB) in stage.table()[BOB].conns


def test_bans_survive_a_fall_and_a_restart_on_their_file() -> None:
    stage = PeersStage()
    made = ban(stage, BOBS_IP).ban
    stage.player.fell()
    stage.player.start()
    assert stage.ask(ListBans()).result() == (made,)
    stage.ask(DeleteBan(BOBS_IP))
    stage.player.stop()
    stage.player.start()
    assert stage.ask(ListBans()).result() == ()


def test_a_full_disk_does_not_undo_a_ban(caplog: pytest.LogCaptureFixture) -> None:
    stage = PeersStage()
    stage.bans.full = True
    ban(stage, BOBS_IP)
    assert [each.target for each in stage.ask(ListBans()).result()] == [BOBS_IP]
    assert "could not be saved" in caplog.text


def test_what_cannot_be_banned_closes_nothing() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    assert stage.ask(CreateBan("bob", 60.0, "")).result() is BanRefusal.BAD_TARGET
    assert set(stage.table()) == {BOB}
    assert stage.bans.saves == 0


def test_a_ban_says_since_when_and_until_when() -> None:
    stage = PeersStage()
    wall_s = stage.clock.wall_s()
    assert ban(stage, BOBS_IP, 60.0).ban == Ban(BOBS_IP, "floods", wall_s, wall_s + 60.0)  # type: ignore[arg-type]


def test_the_address_book_shows_what_is_known_of_each_address() -> None:
    stage = PeersStage(bootstrap=(BOOT,))
    (dial,) = stage.dials()
    stage.tell(ConnectFailed(dial.token, CloseReason.REFUSED))
    stage.joined(BOB)
    stage.greeted(CAROL)
    ban(stage, "10.0.0.3")
    known: dict[str, KnownAddress] = {
        each.address: each for each in stage.ask(ListAddresses()).result()
    }
    wall_s = stage.clock.wall_s()
    assert {name: each.source.value for name, each in known.items()} == {
        BOOT: "configured",
        BOB: "operator",
        CAROL: "hello",
    }
    boot, bob, carol = known[BOOT], known[BOB], known[CAROL]
    assert (boot.failures, boot.last_success_s, boot.connected) == (1, None, False)
    assert boot.next_dial_s is not None
    assert wall_s < boot.next_dial_s <= wall_s + 2.0
    assert (bob.last_success_s, bob.next_dial_s, bob.connected) == (wall_s, None, True)
    assert (carol.connected, carol.banned) == (False, True)
