"""How much a peer may say in kinds that no room judges (WIRE: gossip, chat).

What nobody judges costs its sender nothing, so each peer has an allowance: of what is passed on for it, and
of what listeners hear of it.
"""

from __future__ import annotations

from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerUnlinked
from actors.runtime.pace import Bucket

RELAYS_PER_S = 5
RELAY_BURST = 5
"""WIRE: gossip, chat."""
HEARD_PER_S = 100
HEARD_BURST = 500
"""Half of what may wait for a reader (ADMIN_API): no single peer makes one fall behind."""


class _Allowance:
    def __init__(self, now_s: float) -> None:
        self.relays = Bucket(RELAYS_PER_S, RELAY_BURST, now_s)
        self.heard = Bucket(HEARD_PER_S, HEARD_BURST, now_s)


class Allowances:
    """One for each peer that has said such things, for as long as it is a peer."""

    def __init__(self) -> None:
        self._of: dict[PeerId, _Allowance] = {}

    def may_be_heard(self, peer: PeerId, now_s: float) -> bool:
        """Take one of what listeners hear."""
        return self._allowance(peer, now_s).heard.take(now_s)

    def may_be_relayed(self, peer: PeerId, now_s: float) -> bool:
        """Take one of what is passed on."""
        return self._allowance(peer, now_s).relays.take(now_s)

    def apply(self, event: PeerEvent) -> None:
        """Forget who is no peer any more."""
        if isinstance(event, LinksReset):
            linked = {link.peer for link in event.links}
            self._of = {peer: kept for peer, kept in self._of.items() if peer in linked}
        elif isinstance(event, PeerUnlinked) and event.outbound is None:
            self._of.pop(event.peer, None)

    def _allowance(self, peer: PeerId, now_s: float) -> _Allowance:
        allowance = self._of.get(peer)
        if allowance is None:
            allowance = self._of[peer] = _Allowance(now_s)
        return allowance
