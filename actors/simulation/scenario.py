"""What is to be played: the settings of a simulated run. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

MAX_NODES = 2_000
"""Each takes a megabyte and its share of one processor."""
MAX_MINUTES = 10_080.0
"""A week."""


class Trouble(Enum):
    """What may befall the nodes, while it lasts or at once."""

    PARTITION = "partition"
    """Some nodes are cut off from the others."""
    CRASH = "crash"
    """A node loses its power in the middle of what it does, and starts again later."""
    DISK_FAULT = "disk-fault"
    """A node's disk is full, fails to read, or reports a commit as failed that it has kept."""
    FALL = "fall"
    """An actor of a node falls over a message."""


@dataclass(frozen=True, slots=True)
class Window:
    """When and to whom, in seconds from the start; ``nodes`` empty: drawn from the seed. Value."""

    start_s: float
    end_s: float
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Troubles:
    """Of one kind: those with a time, and as many more at times drawn from the seed. Value."""

    drawn: int = 0
    windows: tuple[Window, ...] = ()


NO_TROUBLES = Troubles()


@dataclass(frozen=True, slots=True)
class Scenario:
    """All settings of a run; with the version of the program they say everything that happens. Value.

    Attributes:
        nodes: How many.
        minutes: For how long, before all faults are healed and the nodes have to agree.
        blocks: End as soon as all honest nodes have so many; None: when the time is over.
        block_every_s: On average, while all nodes mine.
        difficulty: Leading zero hex digits of a block hash: work for the machine that plays, no more.
        miners: How many of the nodes mine; None: all.
        power: Hash power of the first nodes; that of all others is 1.
        loss: Of all sends, the share whose packet is lost and sent again.
        kb_per_s: What a node can send, in units of 1,000 bytes; 0: any amount at once.
        transactions_per_s: On average, all nodes together.
        liars: How many of the nodes lie.
        lies: About what; empty: drawn from the seed for each of them.
        legacy: How many of the honest nodes know no extension, like the nodes in the field.
        troubles: Of each kind that is wanted.
    """

    nodes: int = 5
    seed: int = 1
    minutes: float = 10.0
    blocks: int | None = None
    block_every_s: float = 8.0
    difficulty: int = 1
    miners: int | None = None
    power: tuple[float, ...] = ()
    loss: float = 0.0
    kb_per_s: float = 1_250.0
    transactions_per_s: float = 0.2
    liars: int = 0
    lies: tuple[str, ...] = ()
    legacy: int = 0
    troubles: dict[Trouble, Troubles] = field(default_factory=dict)

    def of(self, trouble: Trouble) -> Troubles:
        """Those of one kind."""
        return self.troubles.get(trouble, NO_TROUBLES)
