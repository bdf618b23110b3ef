"""Addresses, peer lists and what is banned: one spelling each, and what is written can be read."""

from __future__ import annotations

from actors.peers.addresses import (
    MAX_LIST_BYTES,
    MAX_LIST_READ,
    MAX_LIST_SENT,
    MAX_NAME_CHARS,
    MAX_PORT,
    host_of,
    is_peer_list,
    join_address,
    parse_address,
    read_peer_list,
    split_address,
    write_peer_list,
)
from actors.peers.bans import culprit_of, parse_target, target_of
from actors.peers.messages import PeerId


def one_input(data: bytes) -> None:
    peers = read_peer_list(data)
    assert len(peers) == len(set(peers)) <= MAX_LIST_READ
    assert not peers or len(data) <= MAX_LIST_BYTES
    entries = data.split(b",")[:MAX_LIST_READ] if data else []
    parsed = [parse_address(entry.decode("ascii", "replace")) for entry in entries]
    if len(data) <= MAX_LIST_BYTES:
        assert is_peer_list(data) == (None not in parsed)
        assert peers == tuple(dict.fromkeys(peer for peer in parsed if peer is not None))
    for peer in peers:
        examine(peer)
    readable = [peer for peer in peers if not peer.startswith("[")]
    written = write_peer_list(peers)
    assert read_peer_list(written) == tuple(readable[:MAX_LIST_SENT])
    assert is_peer_list(written)
    aim(data.decode("utf-8", "replace"))


def examine(peer: PeerId) -> None:
    """A canonical address is its own spelling, and so are its parts."""
    assert parse_address(peer) == peer
    host, port = split_address(peer)
    assert join_address(host, port) == peer
    assert 1 <= port <= MAX_PORT
    assert len(host) <= MAX_NAME_CHARS
    target = target_of(peer)
    assert target is None or parse_target(target) == target
    culprit = culprit_of(peer, host_of(peer))
    assert culprit is None or parse_target(culprit) == culprit


def aim(text: str) -> None:
    """What an operator names is refused, or has one spelling."""
    target = parse_target(text)
    assert target is None or parse_target(target) == target
