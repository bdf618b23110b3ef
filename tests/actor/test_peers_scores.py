"""The peers actor alone: misdeeds add up to a ban, whoever tells of them and whenever."""

from __future__ import annotations

import pytest

from actors.messaging.messages import Disconnect, Respond, Response
from actors.peers.messages import (
    Ban,
    Classify,
    ConnectionMisbehaved,
    CreateBan,
    DeleteBan,
    ListBans,
    Misbehaved,
    PeerId,
    PeerKind,
)
from actors.runtime.restraint import LINES_AT_ONCE
from actors.tcp.messages import CloseReason, Connected, ConnId, Idle
from tests.support.peers_stage import BOB, BOOT, CAROL, PeersStage, gone

ONE, OTHER = PeerId("127.0.0.1:7101"), PeerId("127.0.0.1:7102")
BAD = "a bad signature"


def misdeed(peer: str, points: int = 20, reason: str = BAD) -> Misbehaved:
    return Misbehaved(PeerId(peer), points, reason)


def closed(told: list[object]) -> list[tuple[ConnId, CloseReason]]:
    return [(each.conn, each.reason) for each in told if isinstance(each, Disconnect)]


def bans(stage: PeersStage) -> dict[str, Ban]:
    return {each.target: each for each in stage.ask(ListBans()).result()}


def test_a_misdeed_shows_and_fades() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.joined(CAROL)
    stage.tell(misdeed(BOB), misdeed(BOB))
    assert (stage.table()[BOB].score, stage.table()[CAROL].score) == (40.0, 0.0)
    stage.pump.run_for(60.0)
    assert stage.table()[BOB].score == pytest.approx(20.0)


def test_at_a_hundred_points_a_peer_is_banned_for_ten_minutes_with_the_reason() -> None:
    stage = PeersStage()
    conns = [stage.joined(BOB), stage.greeted(BOB)]
    stage.joined(CAROL)
    stage.tell(*[misdeed(BOB)] * 4)
    assert bans(stage) == {}
    assert sorted(closed(stage.tell(misdeed(BOB)))) == [
        (conn, CloseReason.BANNED) for conn in conns
    ]
    assert set(stage.table()) == {CAROL}
    made = bans(stage)["10.0.0.2"]
    assert (made.reason, made.until_s - made.created_s) == (BAD, 600.0)
    came = Connected(ConnId(90), initiated=False, remote="10.0.0.2:50009", token=None)
    assert stage.tell(came) == [Disconnect(ConnId(90), CloseReason.BANNED)]


def test_misdeeds_with_time_between_them_are_forgiven() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    for _ in range(20):
        stage.tell(misdeed(BOB))
        stage.pump.run_for(30.0)
    assert set(stage.table()) == {BOB}


def test_who_goes_on_like_that_is_banned_all_the_same() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    for _ in range(40):
        stage.tell(misdeed(BOB))
        stage.pump.run_for(30.0)
    assert set(bans(stage)) == {"10.0.0.2"}


def test_who_is_only_slow_is_not_banned_in_hours() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    for _ in range(400):
        stage.tell(misdeed(BOB, 10, "no answer"))
        stage.pump.run_for(30.0)
    assert bans(stage) == {}


def test_a_fall_of_ours_pardons_nobody() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.joined(CAROL)
    stage.tell(misdeed(BOB, 90), misdeed(CAROL, 100))
    stage.player.fall_and_rise()
    assert set(bans(stage)) == {"10.0.0.3"}, "made a moment before, and saved in the fall"
    stage.greeted(BOB)
    assert stage.table()[BOB].score == 90.0


@pytest.mark.parametrize(
    ("kind", "score"), [(PeerKind.TROUPE, 20.0), (PeerKind.LEGACY, 0.0), (PeerKind.UNKNOWN, 0.0)]
)
def test_what_the_field_may_pass_on_counts_for_one_of_ours_alone(
    kind: PeerKind, score: float
) -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    stage.tell(Classify(BOB, kind, None, None))
    stage.tell(ConnectionMisbehaved(conn, 20, "an invalid block", ours_only=True))
    assert stage.table()[BOB].score == score


def test_five_times_twenty_within_a_moment_are_a_hundred() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    for _ in range(5):
        stage.tell(misdeed(BOB))
        stage.pump.run_for(0.01)
    assert set(bans(stage)) == {"10.0.0.2"}


def test_on_loopback_one_node_answers_for_itself_alone() -> None:
    stage = PeersStage()
    stage.greeted(ONE)
    stage.greeted(OTHER)
    stage.tell(misdeed(ONE, 100))
    assert set(stage.table()) == {OTHER}
    assert set(bans(stage)) == {ONE}
    conn = stage.accepted("127.0.0.1:50001")
    (answer,) = [each for each in stage.hello(conn, ONE) if isinstance(each, Respond)]
    assert answer.payload.startswith(b"\x00")


def test_whoever_claims_another_address_pays_with_his_own() -> None:
    stage = PeersStage()
    stage.greeted(BOOT, "6.6.6.6:50000")
    stage.tell(misdeed(BOOT, 100))
    assert set(bans(stage)) == {"6.6.6.6"}
    assert stage.joined(BOOT) in stage.table()[BOOT].conns


def test_whoever_reconnects_under_another_name_takes_his_points_along() -> None:
    stage = PeersStage()
    conn = stage.greeted(BOB)
    stage.tell(misdeed(BOB, 90), gone(conn))
    stage.greeted("10.0.0.2:8001")
    assert stage.table()["10.0.0.2:8001"].score == 90.0
    stage.tell(misdeed("10.0.0.2:8001", 10))
    assert set(bans(stage)) == {"10.0.0.2"}


def test_what_is_found_out_after_a_peer_left_still_counts() -> None:
    stage = PeersStage()
    conn = stage.greeted(BOOT, "6.6.6.6:50000")
    stage.tell(gone(conn), misdeed(BOOT, 100))
    assert set(bans(stage)) == {"6.6.6.6"}


def test_the_owner_of_a_name_does_not_pay_for_who_claimed_it_a_moment_ago() -> None:
    stage = PeersStage()
    stage.greeted(BOOT, "6.6.6.6:50000")
    stage.joined(BOOT)
    stage.tell(misdeed(BOOT, 100))
    assert bans(stage) == {}
    stage.pump.run_for(5.0)
    stage.tell(misdeed(BOOT, 100))
    assert set(bans(stage)) == {"10.0.0.9"}


def test_a_peer_that_never_was_is_nobodys_fault() -> None:
    stage = PeersStage()
    stage.tell(misdeed(BOB, 100))
    assert bans(stage) == {}


def test_who_cannot_be_banned_is_parted_with_each_time() -> None:
    stage = PeersStage()
    for _ in range(2):
        conn = stage.greeted("bob.example:8000", "127.0.0.1:50000")
        told = stage.tell(misdeed("bob.example:8000", 100))
        assert closed(told) == [(conn, CloseReason.BANNED)]
    assert bans(stage) == {}


def test_points_that_arrive_late_do_not_shorten_a_ban_of_the_operator() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.ask(CreateBan("10.0.0.2", 86_400.0, "floods"))
    stage.tell(misdeed(BOB, 100))
    assert bans(stage)["10.0.0.2"].reason == "floods"


def test_a_ban_that_the_operator_lifts_leaves_no_points() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.tell(misdeed(BOB, 100))
    assert stage.ask(DeleteBan("10.0.0.2")).result() is True
    stage.joined(BOB)
    assert stage.table()[BOB].score == 0.0


def test_a_flood_of_the_same_is_logged_once_with_the_peer_and_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.tell(*[misdeed(BOB, 1)] * 50, misdeed(BOB, 1, "a late answer"))
    told = [record.getMessage() for record in caplog.records if BAD in record.getMessage()]
    assert len(told) == 1
    assert BOB in told[0]
    assert "a late answer" in caplog.text


def test_a_ban_for_a_score_survives_a_fall_and_a_stop() -> None:
    for end in ("fell", "stop"):
        stage = PeersStage()
        stage.joined(BOB)
        stage.tell(misdeed(BOB, 100))
        stage.pump.run_for(5.0)
        getattr(stage.player, end)()
        stage.player.start()
        assert set(bans(stage)) == {"10.0.0.2"}


def test_an_orderly_stop_saves_a_ban_made_just_now() -> None:
    stage = PeersStage()
    stage.joined(BOB)
    stage.tell(misdeed(BOB, 100))
    assert stage.bans.saves == 0
    stage.player.stop()
    assert stage.bans.saves == 1


def test_the_worst_score_is_the_first_to_go() -> None:
    stage = PeersStage(max_peers=2)
    for peer in (BOB, CAROL, BOOT):
        stage.greeted(peer)
    stage.tell(misdeed(BOB, 30))
    stage.pump.run_for(5.0)
    assert set(stage.table()) == {CAROL, BOOT}


@pytest.mark.parametrize(
    ("kind", "payload", "score"),
    [
        (PeerKind.TROUPE, b"10.0.0.3:1,nonsense", 5.0),
        (PeerKind.TROUPE, b"10.0.0.3:1,", 5.0),
        (PeerKind.TROUPE, b"10.0.0.3:1", 0.0),
        (PeerKind.TROUPE, b"", 0.0),
        (PeerKind.LEGACY, b"10.0.0.3:1,nonsense", 0.0),
        (PeerKind.UNKNOWN, b"10.0.0.3:1,nonsense", 0.0),
    ],
)
def test_a_malformed_list_counts_for_one_of_ours_alone(
    kind: PeerKind, payload: bytes, score: float
) -> None:
    stage = PeersStage()
    conn = stage.joined(BOB)
    stage.tell(Classify(BOB, kind, None, None))
    (asked,) = stage.tell(Idle(conn))
    stage.tell(Response(asked.token, conn, payload))
    assert stage.table()[BOB].score == score


# -- who is known only by a connection ----------------------------------------------------------


def test_a_connection_that_misbehaves_costs_its_peer_the_points() -> None:
    stage = PeersStage()
    conn = stage.greeted(BOB)
    stage.tell(ConnectionMisbehaved(conn, 30, "an unasked response"))
    assert stage.table()[BOB].score == pytest.approx(30)


def test_a_connection_of_nobody_yet_is_closed() -> None:
    stage = PeersStage()
    conn = stage.accepted("10.0.0.2:50000")
    told = stage.tell(ConnectionMisbehaved(conn, 10, "an unasked response"))
    assert told == [Disconnect(conn, CloseReason.PROTOCOL)]


def test_a_connection_that_is_over_costs_nobody_anything() -> None:
    stage = PeersStage()
    conn = stage.greeted(BOB)
    stage.tell(gone(conn))
    assert stage.tell(ConnectionMisbehaved(conn, 100, "an unasked response")) == []
    assert stage.table() == {}


def test_a_thousand_hosts_that_misbehave_and_are_banned_are_told_in_a_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = PeersStage(max_peers=1_000)
    for number in range(300):
        peer = f"10.1.{number // 100}.{number % 100 + 1}:8000"
        stage.greeted(peer)
        stage.tell(misdeed(peer, points=100))
    assert len(bans(stage)) == 300
    assert len(caplog.messages) == 2 * LINES_AT_ONCE
