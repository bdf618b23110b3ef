"""Who can be banned, who is covered by a ban, and what outlives a restart."""

from __future__ import annotations

import itertools

import pytest

from actors.peers.bans import (
    KEPT_FOR_OPERATOR,
    MAX_BANS,
    SCORE_BAN_S,
    BanList,
    culprit_of,
    parse_target,
    target_of,
)
from actors.peers.messages import Ban, BanRefusal, PeerId

NOW_S, WALL_S = 100.0, 1_700_000_000.0


def ban(bans: BanList, target: str, duration_s: float = 600.0, *, now_s: float = NOW_S) -> object:
    return bans.create(target, duration_s, "floods", now_s=now_s, wall_s=WALL_S)


def covers(bans: BanList, address: str, *, now_s: float = NOW_S) -> bool:
    return bans.covers(PeerId(address), now_s=now_s)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8::0:7", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1:7101", "127.0.0.1:7101"),
        ("localhost:7101", "127.0.0.1:7101"),
        ("[::1]:7101", "[::1]:7101"),
    ],
)
def test_an_ip_or_a_node_on_loopback_can_be_banned(text: str, target: str) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1",
        "::1",
        "192.0.2.7:7000",
        "node.example",
        "node.example:7000",
        "127.0.0.1:0",
        "2001:db8::/32",
        "2001:db8::7/64",
        "192.0.2.7/64",
        "[2001:db8::7]",
        "fe80::1%eth0",
        "fe80::1%a\nb\t9",
    ],
)
def test_all_of_loopback_a_port_elsewhere_or_a_name_cannot(text: str) -> None:
    assert parse_target(text) is None
    assert ban(BanList(), text) is BanRefusal.BAD_TARGET
    assert BanList().delete(text, now_s=NOW_S) is BanRefusal.BAD_TARGET


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("192.0.2.7:7000", "192.0.2.7"),
        ("[2001:db8::7]:7000", "2001:db8::/64"),
        ("[fe80::1%eth0]:7000", "fe80::1"),
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("localhost:7000", "127.0.0.1:7000"),
        ("node.example:7000", None),
    ],
)
def test_a_node_is_banned_by_its_ip_and_on_loopback_by_its_address(
    address: str, target: str | None
) -> None:
    assert target_of(PeerId(address)) == target


def test_a_banned_ip_covers_all_its_ports_and_nobody_else() -> None:
    bans = BanList()
    ban(bans, "192.0.2.7")
    assert covers(bans, "192.0.2.7:1")
    assert bans.bars("192.0.2.7:50000", now_s=NOW_S)
    assert not covers(bans, "192.0.2.8:1")
    assert not bans.bars("192.0.2.8:1", now_s=NOW_S)


def test_a_banned_ipv6_covers_its_64_in_which_its_owner_has_all_addresses() -> None:
    bans = BanList()
    ban(bans, "2001:db8::7")
    assert covers(bans, "[2001:db8::8]:1")
    assert bans.bars("[2001:db8::9:9:9]:50000", now_s=NOW_S)
    assert not covers(bans, "[2001:db8:0:1::7]:1")
    assert bans.delete("2001:db8::8", now_s=NOW_S) is True


def test_a_banned_node_on_loopback_is_known_by_its_address_and_not_by_its_socket() -> None:
    bans = BanList()
    ban(bans, "127.0.0.1:7101")
    assert covers(bans, "localhost:7101")
    assert not covers(bans, "127.0.0.1:7102")
    assert not bans.bars("127.0.0.1:7101", now_s=NOW_S)


def test_a_ban_ends_by_itself() -> None:
    bans = BanList()
    ban(bans, "192.0.2.7", 10.0)
    assert covers(bans, "192.0.2.7:1", now_s=NOW_S + 9.9)
    assert not covers(bans, "192.0.2.7:1", now_s=NOW_S + 10)
    assert bans.listing(now_s=NOW_S + 10, wall_s=WALL_S + 10) == ()
    assert bans.delete("192.0.2.7", now_s=NOW_S + 10) is False


def test_banning_anew_replaces_duration_and_reason() -> None:
    bans = BanList()
    ban(bans, "192.0.2.7", 10.0)
    again = bans.create("192.0.2.7", 50.0, "again", now_s=NOW_S + 5, wall_s=WALL_S + 5)
    assert again == Ban(parse_target("192.0.2.7"), "again", WALL_S + 5, WALL_S + 55)  # type: ignore[arg-type]
    assert bans.listing(now_s=NOW_S + 5, wall_s=WALL_S + 5) == (again,)


def test_a_lifted_ban_covers_nobody() -> None:
    bans = BanList()
    ban(bans, "192.0.2.7")
    assert bans.delete("192.0.2.7", now_s=NOW_S) is True
    assert not covers(bans, "192.0.2.7:1")
    assert bans.delete("192.0.2.7", now_s=NOW_S) is False


def test_a_full_list_takes_no_more_until_one_is_over() -> None:
    bans = BanList()
    for number in range(MAX_BANS):
        ban(bans, f"10.0.{number // 250}.{number % 250}", 10.0 + number)
    assert ban(bans, "192.0.2.7") is BanRefusal.TOO_MANY
    assert isinstance(ban(bans, "10.0.0.0", 10.0), Ban)
    assert isinstance(ban(bans, "192.0.2.7", now_s=NOW_S + 10.0), Ban)


def test_saved_bans_come_back_with_the_time_that_they_have_left() -> None:
    bans, later = BanList(), BanList()
    ban(bans, "192.0.2.7", 100.0)
    ban(bans, "127.0.0.1:7101", 10.0)
    lines = list(bans.lines(now_s=NOW_S, wall_s=WALL_S))
    later.load(lines, now_s=3.0, wall_s=WALL_S + 40.0)
    assert later.listing(now_s=3.0, wall_s=WALL_S + 40.0) == (
        Ban(parse_target("192.0.2.7"), "floods", WALL_S, WALL_S + 100.0),  # type: ignore[arg-type]
    )
    assert covers(later, "192.0.2.7:1", now_s=62.9)
    assert not covers(later, "192.0.2.7:1", now_s=63.1)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"192.0.2.7",
        b"node\t1700000600\t1\tx",
        b"192.0.2.7\tsoon\t1\tx",
        b"192.0.2.7\t1700000600\t1\tx\ty",
        b"\xff\t1700000600\t1\tx",
        b"192.0.2.7\tnan\t1\tx",
        b"192.0.2.7\tinf\t1\tx",
        b"192.0.2.7\t1700000600\tnan\tx",
        b"192.0.2.7\t1800000000\t1\tx",
    ],
)
def test_lines_that_are_no_bans_are_left_out(line: bytes) -> None:
    bans = BanList()
    bans.load([line, b"192.0.2.9\t1700000600\t1700000000\tx"], now_s=0.0, wall_s=WALL_S)
    (kept,) = bans.listing(now_s=0.0, wall_s=WALL_S)
    assert kept.target == "192.0.2.9"


def test_no_more_than_the_limit_are_loaded() -> None:
    lines = [f"10.{n // 250}.0.{n % 250}\t1700000600\t1\tx".encode() for n in range(MAX_BANS + 9)]
    bans = BanList()
    bans.load(lines, now_s=0.0, wall_s=WALL_S)
    assert len(bans.listing(now_s=0.0, wall_s=WALL_S)) == MAX_BANS


# -- for a score ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "host", "banned"),
    [
        ("192.0.2.7:7000", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:7000", "192.0.2.9", "192.0.2.9"),
        ("node.example:7000", "192.0.2.9", "192.0.2.9"),
        ("node.example:7000", "[2001:db8::7]", "2001:db8::/64"),
        ("127.0.0.1:7000", "192.0.2.9", "192.0.2.9"),
        ("127.0.0.1:7000", "127.0.0.1", "127.0.0.1:7000"),
        ("localhost:7000", "127.0.0.1", "127.0.0.1:7000"),
        ("192.0.2.7:7000", "127.0.0.1", None),
        ("node.example:7000", "[::1]", None),
    ],
)
def test_a_peer_answers_with_its_ip_and_never_with_one_that_it_claims(
    peer: str, host: str, banned: str | None
) -> None:
    assert culprit_of(PeerId(peer), host) == banned


def punish(bans: BanList, target: str, *, now_s: float = NOW_S) -> Ban | None:
    parsed = parse_target(target)
    assert parsed is not None
    return bans.punish(parsed, "lies", now_s=now_s, wall_s=WALL_S)


def test_a_ban_for_a_score_lasts_ten_minutes() -> None:
    bans = BanList()
    made = punish(bans, "192.0.2.7")
    assert made is not None
    assert (made.reason, made.until_s - made.created_s) == ("lies", SCORE_BAN_S)
    assert covers(bans, "192.0.2.7:1", now_s=NOW_S + SCORE_BAN_S - 1)
    assert not covers(bans, "192.0.2.7:1", now_s=NOW_S + SCORE_BAN_S)


def test_a_score_does_not_shorten_a_ban_of_the_operator() -> None:
    bans = BanList()
    made = ban(bans, "192.0.2.7", 86_400.0)
    assert punish(bans, "192.0.2.7") is None
    assert bans.listing(now_s=NOW_S, wall_s=WALL_S) == (made,)
    assert punish(bans, "192.0.2.7", now_s=NOW_S + 86_400.0) is not None


def test_misbehaving_hosts_leave_the_operator_room_for_bans() -> None:
    bans = BanList()
    made = [punish(bans, f"10.0.{n // 250}.{n % 250}") for n in range(MAX_BANS)]
    assert [each is not None for each in made].count(True) == MAX_BANS - KEPT_FOR_OPERATOR
    assert isinstance(ban(bans, "192.0.2.7"), Ban)


def test_of_an_endless_file_no_more_lines_are_read_than_there_may_be_bans() -> None:
    endless = itertools.repeat(b"nonsense")
    assert BanList().load(endless, now_s=NOW_S, wall_s=WALL_S) == MAX_BANS


def test_lines_that_are_no_bans_are_counted_and_those_that_are_over_are_not() -> None:
    lines = [b"noise", b"192.0.2.9\t1600000600\t1600000000\tover", b"192.0.2.9\tnan\t1\tx"]
    assert BanList().load(lines, now_s=0.0, wall_s=WALL_S) == 2
