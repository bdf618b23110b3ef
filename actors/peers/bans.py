"""Bans: with whom this node has nothing to do, and until when (WIRE: limits, score).

A ban is on an IP address, whatever the port, of IPv6 on the /64 that it is in, since who has one address
there has all; on loopback, where all nodes have the same one, it is on the address that a node advertises. Lives here: what can be banned, the list, its text form. Must not live
here: files, or the closing of connections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from actors.peers.addresses import join_address, parse_address, split_address
from actors.peers.messages import Ban, BanRefusal, BanTarget, PeerId
from actors.runtime.hosts import HOST_BITS_V6, Reach, host_key, literal, reach

MAX_BANS = 1_000
"""Made by hand, or one for each misbehaving host: whoever has more of those needs a firewall."""
KEPT_FOR_OPERATOR = 100
"""Of those: misbehaving hosts, however many, do not keep an operator from banning."""
SCORE_BAN_S = 600.0
"""WIRE: limits, score."""
MAX_BAN_S = 365 * 24 * 3600
"""What is to be kept away for longer is a firewall's business, too."""
_FIELDS = 4

_LOCALHOST = "localhost"
_WHOLE_HOST_V6 = f"/{HOST_BITS_V6}"
_SEPARATOR = "\t"  # in no target, and not printable, hence in no reason
_ZONE = "%"
"""Behind it an IPv6 literal names an interface of this machine, with any characters (RFC 4007)."""


def parse_target(text: str) -> BanTarget | None:
    """What a user names to be banned, in canonical form; None: it cannot be."""
    ip = None if _ZONE in text or "[" in text else literal(text.removesuffix(_WHOLE_HOST_V6))
    if ip is not None:
        key = host_key(str(ip))
        whole = text.endswith(_WHOLE_HOST_V6)
        return None if ip.is_loopback or (whole and key != text) else BanTarget(key)
    address = parse_address(text)
    target = None if address is None else target_of(address)
    return target if target is not None and is_on_loopback(target) else None


def target_of(address: PeerId) -> BanTarget | None:
    """What is banned with the node at an address: its IP, of IPv6 its /64, or on loopback the very
    address; None where only a look-up of its name could tell.
    """
    host, port = split_address(address)
    ip = literal("127.0.0.1" if host == _LOCALHOST else host)
    if ip is None:
        return None
    return BanTarget(join_address(str(ip), port) if ip.is_loopback else host_key(str(ip)))


def host_target(remote: str) -> BanTarget | None:
    """What is banned for the misdeeds of whoever is at the other end of a socket, before it said who it is;
    None on loopback, where all have one IP.
    """
    target = target_of(PeerId(remote))
    return None if target is None or is_on_loopback(target) else target


def culprit_of(peer: PeerId, host: str) -> BanTarget | None:
    """What is banned for the misdeeds of a peer at ``host``: its IP, never one that it only claims; on
    loopback its address, as advertised or dialed. None: its address is a name, and it is on loopback.
    """
    if reach(host) is Reach.MACHINE:
        target = target_of(peer)
        return target if target is not None and is_on_loopback(target) else None
    return target_of(PeerId(f"{host}:0"))


def is_on_loopback(target: BanTarget) -> bool:
    """Whether it names one node, and not all of an IP."""
    return not target.endswith(_WHOLE_HOST_V6) and literal(target) is None


@dataclass(frozen=True, slots=True)
class _Entry:
    reason: str
    created_s: float
    """Unix time."""
    until_s: float
    """On the clock that never goes back."""


class BanList:
    """At most `MAX_BANS` at a time. Times are arguments: ``now_s`` of the clock that never goes back, by
    which bans end; ``wall_s`` for people and for what is saved.
    """

    def __init__(self) -> None:
        self._entries: dict[BanTarget, _Entry] = {}

    def create(
        self, text: str, duration_s: float, reason: str, *, now_s: float, wall_s: float
    ) -> Ban | BanRefusal:
        """Ban for so long from now on; what is banned already gets this duration and reason."""
        target = parse_target(text)
        if target is None:
            return BanRefusal.BAD_TARGET
        self._expire(now_s)
        if target not in self._entries and len(self._entries) >= MAX_BANS:
            return BanRefusal.TOO_MANY
        self._entries[target] = _Entry(reason, wall_s, now_s + duration_s)
        return Ban(target, reason, wall_s, wall_s + duration_s)

    def punish(self, target: BanTarget, reason: str, *, now_s: float, wall_s: float) -> Ban | None:
        """Ban for a score; None where the list is full, or a ban is in force: that may be the longer."""
        self._expire(now_s)
        if target in self._entries or len(self._entries) >= MAX_BANS - KEPT_FOR_OPERATOR:
            return None
        self._entries[target] = _Entry(reason, wall_s, now_s + SCORE_BAN_S)
        return Ban(target, reason, wall_s, wall_s + SCORE_BAN_S)

    def delete(self, text: str, *, now_s: float) -> bool | BanRefusal:
        """Lift a ban; False: there is none."""
        target = parse_target(text)
        if target is None:
            return BanRefusal.BAD_TARGET
        self._expire(now_s)
        return self._entries.pop(target, None) is not None

    def covers(self, address: PeerId, *, now_s: float) -> bool:
        """Whether the node at this address, as dialed or advertised, is banned."""
        target = target_of(address) if self._entries else None
        return target is not None and self.holds(target, now_s=now_s)

    def bars(self, remote: str, *, now_s: float) -> bool:
        """Whether whoever connects from this socket, ``ip:port``, is banned, whatever he advertises.

        Nobody on loopback: his port is the system's choice.
        """
        target = target_of(PeerId(remote)) if self._entries else None
        return target is not None and not is_on_loopback(target) and self.holds(target, now_s=now_s)

    def listing(self, *, now_s: float, wall_s: float) -> tuple[Ban, ...]:
        """The bans in force."""
        self._expire(now_s)
        return tuple(
            Ban(target, entry.reason, entry.created_s, wall_s + entry.until_s - now_s)
            for target, entry in self._entries.items()
        )

    def lines(self, *, now_s: float, wall_s: float) -> Iterator[bytes]:
        """The bans in force as text, for :meth:`load`."""
        for ban in self.listing(now_s=now_s, wall_s=wall_s):
            fields = (ban.target, f"{ban.until_s:.3f}", f"{ban.created_s:.3f}", ban.reason)
            yield _SEPARATOR.join(fields).encode()

    def load(self, lines: Iterable[bytes], *, now_s: float, wall_s: float) -> int:
        """Take in saved bans that are not over; how many lines are no ban. More than there may be are not
        even read: what else the file holds is not ours.
        """
        bad = 0
        for line in islice(lines, MAX_BANS):
            ban = _read(line)
            if ban is None or ban.until_s - wall_s > MAX_BAN_S:
                bad += 1
            elif ban.until_s > wall_s:
                until_s = now_s + ban.until_s - wall_s
                self._entries[ban.target] = _Entry(ban.reason, ban.created_s, until_s)
        return bad

    def holds(self, target: BanTarget, *, now_s: float) -> bool:
        """Whether there is a ban on just that."""
        entry = self._entries.get(target)
        return entry is not None and entry.until_s > now_s

    def _expire(self, now_s: float) -> None:
        for target in [each for each in self._entries if not self.holds(each, now_s=now_s)]:
            del self._entries[target]


def _read(line: bytes) -> Ban | None:
    fields = line.decode(errors="replace").split(_SEPARATOR)
    if len(fields) != _FIELDS:
        return None
    text, until, created, reason = fields
    target = parse_target(text)
    try:
        until_s, created_s = float(until), float(created)
    except ValueError:
        return None
    if target is None or not 0 <= created_s <= until_s < float("inf"):
        return None
    return Ban(target, reason, created_s, until_s)
