"""How a room shows an outsider what passes through it, as it passes (live traces, subscriptions).

The outsider brings a sink; the room calls it on its own thread, so both methods must hand over and return
at once. A room keeps a bounded number of sinks and, when it goes down, says so to each.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)


class Sink(Protocol[T_contra]):
    """The outsider's end. Its identity is its token: the same object is followed once."""

    def offer(self, item: T_contra) -> None:
        """Something passed."""

    def lost(self) -> None:
        """Nothing more comes: the room goes down, and forgets its sinks."""
