"""Which text is an address, and how lists of them are read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.peers.addresses import (
    MAX_LIST_BYTES,
    MAX_LIST_READ,
    MAX_LIST_SENT,
    join_address,
    parse_address,
    read_peer_list,
    require_address,
    split_address,
    write_peer_list,
)
from actors.peers.messages import PeerId
from tests.support.vectors import workshop

LONGEST_NAME = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

names = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9-]{0,8}[a-z])?", fullmatch=True)
hosts = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), names, st.just("node_1")
)
ports = st.integers(min_value=1, max_value=65_535)
near_misses = st.text(alphabet="0123456789abfx.:[]-_%,/@ \x00\u0661\uff11", max_size=40)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("127.0.0.1:11122", "127.0.0.1:11122"),
        ("10.0.0.1:00080", "10.0.0.1:80"),
        ("Node-1.Example:1", "node-1.example:1"),
        ("node_b:65535", "node_b:65535"),
        ("4chan:80", "4chan:80"),
        ("[::1]:80", "[::1]:80"),
        ("[2001:DB8:0::1]:80", "[2001:db8::1]:80"),
        (f"{LONGEST_NAME}:1", f"{LONGEST_NAME}:1"),
    ],
)
def test_an_address_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_address(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:99999",
        "host:000080",
        "host:+80",
        "host:-1",
        "host: 80",
        " host:80",
        "host:80\n",
        "host:80,",
        "host:\u0661\u0662",
        "h\u00f6st:80",
        "::1:80",
        "[::1]80",
        "[1.2.3.4]:80",
        "[fe80::1%eth0]:80",
        "[]:80",
        "1.2.3:80",
        "1.2.3.256:80",
        "01.2.3.4:80",
        "127.1:80",
        "1.2.3.0x4:80",
        "2130706433:80",
        "-a:80",
        "a-:80",
        "a..b:80",
        "a.:80",
        ".a:80",
        "a" * 64 + ":80",
        f"{LONGEST_NAME}x:1",
        "user@host:80",
        "host/path:80",
        "\x00:80",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_address(text) is None


@given(st.one_of(st.text(), near_misses, hosts.map(lambda host: f"{host}:1")))
def test_any_text_is_an_address_in_canonical_form_or_none(text: str) -> None:
    address = parse_address(text)
    if address is not None:
        assert parse_address(address) == address
        assert join_address(*split_address(address)) == address


@given(hosts, ports)
def test_an_address_splits_into_what_it_was_joined_from(host: str, port: int) -> None:
    address = join_address(host, port)
    assert parse_address(address) == address
    assert split_address(address) == (host, port)


def test_a_setting_that_is_no_address_is_an_error_that_quotes_it() -> None:
    assert require_address("LOCALHOST:1") == "localhost:1"
    with pytest.raises(ValueError, match="'nowhere'"):
        require_address("nowhere")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_peer_list(payload: bytes) -> None:
    for address in read_peer_list(payload):
        assert parse_address(address) == address


@given(st.lists(st.builds(join_address, hosts, ports), unique=True, max_size=MAX_LIST_SENT))
def test_a_written_list_reads_as_what_the_field_can_split(addresses: list[PeerId]) -> None:
    payload = write_peer_list(addresses)
    sendable = tuple(address for address in addresses if address.count(":") == 1)
    assert read_peer_list(payload) == sendable
    assert all(entry.count(b":") == 1 for entry in payload.split(b",") if payload)


def test_a_malformed_entry_leaves_the_others() -> None:
    assert read_peer_list(b"a:1,,b,\xff:1,b:2,a:1,c:0,") == ("a:1", "b:2")


def test_an_empty_list_is_empty_both_ways() -> None:
    assert read_peer_list(b"") == ()
    assert write_peer_list([]) == b""


def test_at_most_a_hundred_entries_are_read() -> None:
    entries = [b"h:%d" % port for port in range(1, MAX_LIST_READ + 50)]
    assert read_peer_list(b",".join(entries)) == tuple(f"h:{n}" for n in range(1, 101))


def test_an_overlong_list_is_not_read() -> None:
    assert read_peer_list(b"a:1," + b"," * MAX_LIST_BYTES) == ()


def test_at_most_eighty_entries_are_sent() -> None:
    payload = write_peer_list(PeerId(f"10.0.0.1:{port}") for port in range(1, 200))
    assert len(payload.split(b",")) == MAX_LIST_SENT == 80


def test_the_lists_of_the_vectors_read_and_write() -> None:
    checked = 0
    for vector in workshop()["frames"]:
        fields = vector["fields"]
        peers = fields.get("peers")
        if not isinstance(peers, list):
            continue
        payload = bytes.fromhex(vector["frame"])[10:][1 if "accepted" in fields else 0 :]
        assert read_peer_list(payload) == tuple(peers)
        assert write_peer_list(map(PeerId, peers)) == payload
        checked += 1
    assert checked >= 4
