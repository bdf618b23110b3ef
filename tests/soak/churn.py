"""What befalls a fleet: each deed takes a seeded choice, and what it needs of the clock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from troupe.admin.v1 import (
    actor_service_pb2,
    actor_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
)

from tests.soak.fleet import Fleet, Member
from tests.support.process import NodeProcess

Deed = Callable[[Fleet, random.Random], None]

MAX_DOWN_S = 4.0
PARTED_S = 15
"""Some blocks on each side."""
ACTORS: Final = ("gossip", "search", "mempool", "miner", "chain", "reader", "peers", "events")
LOOK_EVERY_S = 0.5
TIE_S = 20.0
"""Nodes that have had no news for so long and differ are tied: the next block decides."""


def kill(fleet: Fleet, chance: random.Random) -> None:
    """``kill -9``, and up again."""
    member = _mortal(fleet, chance)
    member.end(NodeProcess.kill)
    _up_again(member, chance)


def stop(fleet: Fleet, chance: random.Random) -> None:
    """An end in order, and up again."""
    member = _mortal(fleet, chance)
    code = member.end(NodeProcess.stop)
    assert code == 0, (member.number, code, member.said)
    _up_again(member, chance)


def disconnect(fleet: Fleet, chance: random.Random) -> None:
    """Two nodes part, and one of them connects again."""
    one, other = chance.sample(fleet.members, 2)
    assert one.node is not None, "all are up between two deeds"
    peers = peer_service_pb2_grpc.PeerServiceStub
    request = peer_service_pb2.DisconnectPeerRequest(address=other.address)
    fleet.call(one.node, peers, "DisconnectPeer", request)
    again = peer_service_pb2.ConnectPeerRequest(address=other.address)
    fleet.call(one.node, peers, "ConnectPeer", again)


def restart(fleet: Fleet, chance: random.Random) -> None:
    """One actor of a node whose memory is not measured: it would give its database pages back, and take them
    again, which feigns a slope or hides one.
    """
    request = actor_service_pb2.RestartActorRequest(name=chance.choice(ACTORS))
    node = _mortal(fleet, chance).node
    assert node is not None, "all are up between two deeds"
    fleet.call(node, actor_service_pb2_grpc.ActorServiceStub, "RestartActor", request)


def part(fleet: Fleet, chance: random.Random) -> None:
    """Two halves, each with a miner that does not die, ban each other for a while."""
    first, second, *others = fleet.members
    chance.shuffle(others)
    half = len(others) // 2
    left, right = [first, *others[:half]], [second, *others[half:]]
    for ours, theirs in ((left, right), (right, left)):
        for one in ours:
            for other in theirs:
                _ban(fleet, one, other)


DEEDS: Final[tuple[tuple[str, Deed], ...]] = (
    ("killed", kill),
    ("stopped", stop),
    ("disconnected", disconnect),
    ("actor restarted", restart),
)


def heal(fleet: Fleet, patience_s: float) -> set[str]:
    """Let the bans end and the miners rest; the tips that there are once it is one, or patience is over."""
    for one in fleet.members:
        for other in fleet.members:
            _lift(fleet, one, other)
    for node in fleet.up:
        node.rest()
    begun_s = changed_s = time.monotonic()
    tips: set[str] = set()
    while time.monotonic() < begun_s + patience_s:
        before, tips = tips, {node.tip_hash() for node in fleet.up}
        if len(tips) == 1:
            break
        if tips != before:
            changed_s = time.monotonic()
        elif time.monotonic() > changed_s + TIE_S:
            fleet.up[0].generate(1)
        time.sleep(LOOK_EVERY_S)
    return tips


def _mortal(fleet: Fleet, chance: random.Random) -> Member:
    mortals = [member for member in fleet.members if not member.steady]
    return chance.choice(mortals or fleet.members)


def _up_again(member: Member, chance: random.Random) -> None:
    time.sleep(chance.uniform(0, MAX_DOWN_S))
    member.start()


def _ban(fleet: Fleet, one: Member, other: Member) -> None:
    assert one.node is not None, "all are up between two deeds"
    request = peer_service_pb2.CreateBanRequest(target=other.address, duration_s=PARTED_S)
    fleet.call(one.node, peer_service_pb2_grpc.PeerServiceStub, "CreateBan", request)


def _lift(fleet: Fleet, one: Member, other: Member) -> None:
    assert one.node is not None, "all are up between two deeds"
    request = peer_service_pb2.DeleteBanRequest(target=other.address)
    if one is not other:
        fleet.call(one.node, peer_service_pb2_grpc.PeerServiceStub, "DeleteBan", request)
