"""What a peer may ask of us, and through us (WIRE: limits, searches)."""

from __future__ import annotations

from actors.config import RateSettings
from actors.runtime.pace import Bucket


class Allowance:
    """Of one peer."""

    def __init__(self, rates: RateSettings, now_s: float) -> None:
        self.look_ups = Bucket(rates.look_ups_per_s, rates.look_up_burst, now_s)
        self.relays = Bucket(rates.search_relays_per_s, rates.search_relay_burst, now_s)
