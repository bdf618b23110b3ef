"""What the tcp room tells itself."""

from __future__ import annotations

from dataclasses import dataclass

from actors.tcp.dialing import Dial


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Deadlines are to be checked; an incarnation knows its own one from a former one's. Tell."""


@dataclass(frozen=True, slots=True)
class AcceptAgain:
    """The doorway's pause is over. Tell."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A host name's address, None if it has none. Tell."""

    dial: Dial
    ip: str | None


Private = Sweep | AcceptAgain | Resolved
