"""The numbers of the kinds, as outsiders see them."""

from __future__ import annotations

from actors.gossip.audience import Audience
from actors.gossip.counts import Counts, Tally
from actors.gossip.kinds import Kinds
from actors.gossip.messages import KindInfo


def kind_infos(tally: Tally, kinds: Kinds, audience: Audience) -> tuple[KindInfo, ...]:
    """Each kind that was counted or is subscribed to, by name; last those that share a count, if any."""
    counted = dict(tally)
    silent = {name: Counts() for name in audience.named() - counted.keys()}
    infos = []
    for name, counts in sorted((counted | silent).items()):
        kind = kinds.named(name)
        handled, subscribers = kind.handler is not None, audience.subscribers(name)
        infos.append(_info(name, counts, handled, kind.limit_bytes, subscribers))
    if tally.others != Counts():
        infos.append(_info("", tally.others, handled=False, limit_bytes=0, subscribers=0))
    return tuple(infos)


def _info(name: str, counts: Counts, handled: bool, limit_bytes: int, subscribers: int) -> KindInfo:
    return KindInfo(
        kind=name,
        is_handled=handled,
        limit_bytes=limit_bytes,
        subscribers=subscribers,
        received=counts.received,
        duplicates=counts.duplicates,
        dropped=counts.dropped,
        relayed=counts.relayed,
        published=counts.published,
    )
