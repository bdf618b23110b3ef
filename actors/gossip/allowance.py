"""How much a peer may say in kinds that no room judges (WIRE: gossip, chat).

What nobody judges costs its sender nothing, so each peer has an allowance: of what is passed on for it, and
of what listeners hear of it.
"""

from __future__ import annotations

from actors.config import RateSettings
from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerUnlinked
from actors.runtime.pace import Bucket


class _Allowance:
    def __init__(self, rates: RateSettings, now_s: float) -> None:
        self.relays = Bucket(rates.talk_relays_per_s, rates.talk_relay_burst, now_s)
        self.heard = Bucket(rates.talk_heard_per_s, rates.talk_heard_burst, now_s)


class Allowances:
    """One for each peer that has said such things, for as long as it is a peer."""

    def __init__(self, rates: RateSettings) -> None:
        self._rates = rates
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
            allowance = self._of[peer] = _Allowance(self._rates, now_s)
        return allowance
