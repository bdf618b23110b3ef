"""What is refused is logged once per burst: a line when it begins, and the count when it is over.

A line for each refused call would make the log a weapon: it costs more than the call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from troupe.admin.v1 import errors_pb2

from actors.runtime.clock import Clock
from admin.errors import ReasonValue, Refusal

log = logging.getLogger(__name__)

QUIET_S = 10.0
"""A burst is over once nothing of its kind came for so long."""

WATCHED: Final = frozenset(
    {
        errors_pb2.ERROR_REASON_TOKEN_MISSING,
        errors_pb2.ERROR_REASON_TOKEN_INVALID,
        errors_pb2.ERROR_REASON_TOKEN_EXPIRED,
        errors_pb2.ERROR_REASON_PERMISSION_MISSING,
        errors_pb2.ERROR_REASON_METHOD_DENIED,
        errors_pb2.ERROR_REASON_TOO_MANY_STREAMS,
        errors_pb2.ERROR_REASON_SLOW_CONSUMER,
        errors_pb2.ERROR_REASON_UPLOAD_STALLED,
    }
)
"""What a well-made client in good order does not meet. What a user asks in vain is no news for the log."""


@dataclass(slots=True)
class _Burst:
    begun_s: float
    last_s: float
    count: int = 0


class Bursts:
    """At most one burst of each reason at a time. Only on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bursts: dict[ReasonValue, _Burst] = {}

    def note(self, refusal: Refusal, method: str, peer: Callable[[], str]) -> None:
        """Count a refused call; ``peer`` is gRPC's name of the caller, asked for at a burst's begin alone."""
        if refusal.reason not in WATCHED:
            return
        now_s = self._clock.now_s()
        burst = self._bursts.get(refusal.reason)
        if burst is None:
            burst = self._bursts[refusal.reason] = _Burst(now_s, now_s)
            log.warning(
                "calls are refused with %s, the first from %s: %s",
                refusal.reason_name,
                host_of(peer()),
                method,
            )
        burst.count += 1
        burst.last_s = now_s

    def look(self) -> None:
        """Tell of the bursts that are over."""
        now_s = self._clock.now_s()
        for reason, burst in tuple(self._bursts.items()):
            if now_s - burst.last_s < QUIET_S:
                continue
            del self._bursts[reason]
            if burst.count > 1:
                name = errors_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")
                taken_s = burst.last_s - burst.begun_s
                log.warning("%d calls were refused with %s in %.1f s", burst.count, name, taken_s)


def host_of(peer: str) -> str:
    """The host in gRPC's name of a caller: ``ipv4:192.0.2.1:50000``, ``ipv6:%5B::1%5D:50000``."""
    return unquote(peer).partition(":")[2].rpartition(":")[0] or peer
