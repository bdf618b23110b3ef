"""How fast a peer may do something (WIRE: limits).

Lives here: a token bucket that can also run into debt. Must not live here: what is done about it.
"""

from __future__ import annotations


class Bucket:
    """Up to ``burst`` tokens, filled at ``rate`` a second; full at first."""

    def __init__(self, rate: float, burst: int, now_s: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens = float(burst)
        self._filled_s = now_s

    def take(self, now_s: float, tokens: int = 1) -> bool:
        """So many tokens, if they are there."""
        self._fill(now_s)
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def owe(self, tokens: int, now_s: float) -> float:
        """So many tokens in any case; the seconds until they would have been there."""
        self._fill(now_s)
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._rate)

    def _fill(self, now_s: float) -> None:
        gained = (now_s - self._filled_s) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_s = now_s
