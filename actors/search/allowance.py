"""What a peer may ask of us, and through us (WIRE: limits, searches)."""

from __future__ import annotations

from actors.runtime.pace import Bucket

LOOK_UPS_PER_S = 2_000
"""WIRE: limits, searches: answered from our store."""
LOOK_UP_BURST = 256
"""What one connection's read credit lets in at once (WIRE: limits, requests in flight)."""
RELAYS_PER_S = 5
RELAY_BURST = 50
"""WIRE: limits, searches: relayed."""


class Allowance:
    """Of one peer."""

    def __init__(self, now_s: float) -> None:
        self.look_ups = Bucket(LOOK_UPS_PER_S, LOOK_UP_BURST, now_s)
        self.relays = Bucket(RELAYS_PER_S, RELAY_BURST, now_s)
