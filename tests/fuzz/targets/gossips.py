"""Gossip: what was seen is known as long as it must be, and a line of chat is text from somebody."""

from __future__ import annotations

from actors.gossip.kinds import CHAT, Kinds, family_of, is_well_formed, salt_of
from actors.gossip.seen import SeenKeys
from tests.fuzz.draw import Draw

CAPACITY, LIFETIME_S = 8, 30.0


def one_input(data: bytes) -> None:
    draw = Draw(data)
    name, payload = draw.blob().decode("utf-8", "replace"), draw.blob()
    kind = Kinds({}, {"search": 100, CHAT: 50}).named(name)
    assert kind.limit_bytes in (100, 50, 4096)
    assert name.startswith(family_of(name))
    assert salt_of(name).endswith(b"\0")
    if is_well_formed(CHAT, payload):
        sender, zero, text = payload.partition(b"\0")
        assert sender.decode()
        assert zero + text.decode().encode() == payload[len(sender) :]
    remember(draw)


def remember(draw: Draw) -> None:
    """Against a list of what came when: nothing is forgotten that has its time and place."""
    seen, told, now_s = SeenKeys(CAPACITY, LIFETIME_S), dict[bytes, float](), 0.0
    while draw:
        now_s += draw.below(12)
        seen.expire(now_s)
        told = {key: at_s for key, at_s in told.items() if at_s > now_s - LIFETIME_S}
        keys = [draw.take(1) or b"\0" for _ in range(draw.below(6))]
        expected = []
        for key in keys:
            expected.append(key not in told)
            if key not in told:
                if len(told) == CAPACITY:
                    del told[next(iter(told))]
                told[key] = now_s
        assert seen.add_all(keys, now_s) == expected
        assert set(seen.keys()) == set(told)
        assert len(seen) == len(told) <= CAPACITY
