from __future__ import annotations

import click
import pytest

from admin.cli.params import (
    AdminAddress,
    BlockName,
    Hex,
    HostName,
    HostPort,
    Kind,
    NoneOrAtLeast,
    NumberRange,
    split_host_port,
)


def accepts(kind: Kind, text: str) -> object:
    try:
        return kind.convert(text, None, None)
    except click.BadParameter:
        return None


@pytest.mark.parametrize(
    "text", ["127.0.0.1:18750", "0.0.0.0:1", "node.example:65535", "localhost:80", "a-b.c:1"]
)
def test_an_address_is_a_host_and_a_port(text: str) -> None:
    assert accepts(HostPort(any_port=False), text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:08"),
        *("256.0.0.1:80", "1.2.3.4.5 :80", "a b:80", "-a:80", "a:+5", "a:٣", "[::1]:80", "a:1\n"),
        "x" * 254 + ":80",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert accepts(HostPort(any_port=True), text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10", 10), (str(2**63 - 1), 2**63 - 1)]
    + [(text, None) for text in ("9", "1", "-1", "-10", str(2**63), "ten", "")],
)
def test_a_number_can_be_none_or_at_least_so_much(text: str, number: int | None) -> None:
    assert accepts(NoneOrAtLeast(10), text) == number


def test_port_0_is_for_listening_only() -> None:
    assert accepts(HostPort(any_port=True), "127.0.0.1:0") == "127.0.0.1:0"
    assert accepts(HostPort(any_port=False), "127.0.0.1:0") is None


def test_an_admin_address_is_a_host_and_a_port() -> None:
    for text in ("127.0.0.1:0", "[::1]:5", "localhost:5", "0.0.0.0:5", "node.example:5"):
        assert accepts(AdminAddress(), text) == text
    for text in ("", "127.0.0.1", "::1:5", "a b:5", ":5", "256.0.0.1:5", "127.0.0.1:x"):
        assert accepts(AdminAddress(), text) is None


def test_a_host_is_a_name_or_an_ip_address() -> None:
    for text in ("node.example", "localhost", "192.0.2.1", "::1"):
        assert accepts(HostName(), text) == text
    for text in ("", "a b", "256.0.0.1", "[::1]", "*.example", "-a"):
        assert accepts(HostName(), text) is None


@pytest.mark.parametrize("text", ["nan", "-nan", "-0.1", "30.1", "inf", "one"])
def test_what_is_no_number_within_its_bounds_is_refused(text: str) -> None:
    assert accepts(NumberRange(0, 30), "30") == 30.0
    assert accepts(NumberRange(0, 30), text) is None


def test_hex_is_lower_case_and_of_whole_bytes() -> None:
    assert accepts(Hex(), "00ff") == "00ff"
    for text in ("", "0", "0F", "0x00", "zz", " 00", "00\n", "00" * 513):
        assert accepts(Hex(), text) is None
    assert accepts(Hex(digits=4), "00ff") == "00ff"
    assert accepts(Hex(digits=4), "00") is None


def test_a_block_is_named_by_number_hash_or_as_the_tip() -> None:
    assert accepts(BlockName(), "12") == 12
    assert accepts(BlockName(), "tip") == "tip"
    assert accepts(BlockName(), "1" * 64) == "1" * 64
    for text in ("-1", "012", "abc", "F" * 64, "1" * 63, str(2**63), ""):
        assert accepts(BlockName(), text) is None


def test_an_address_is_split_at_its_last_colon() -> None:
    assert split_host_port("127.0.0.1:18750") == ("127.0.0.1", 18750)
