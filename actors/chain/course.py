"""A branch on its way to us, and the questions about it that are out. Values; the shell is `download`."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.ledger.types import BlockRef
from actors.peers.messages import PeerId
from actors.runtime.clock import Timer
from actors.tcp.messages import ConnId


@dataclass(slots=True, eq=False)
class Course:
    """A branch that is followed, batch after batch, with all peers that are known to stand on it.

    Only the last block received names the next batch, so one is on its way at a time, but several peers
    may have been asked for it.

    Attributes:
        members: Who sent or continued the last block, with the batches in a row in which each had
            nothing new.
        last: The last block received.
        room_bytes: What the last answer left unused though its sender claimed more.
        short: That sender: it is the next to be asked, and its first block must not have fitted.
        asked: The tokens of the questions for the next batch.
        halted: The operator does not follow it, as it seems: it ends when the last batch is imported.
    """

    members: dict[PeerId, int] = field(default_factory=dict)
    last: BlockRef | None = None
    room_bytes: int = 0
    short: PeerId | None = None
    asked: set[int] = field(default_factory=set)
    halted: bool = False

    def is_of(self, peer: PeerId) -> bool:
        """Whether nobody but this peer is known to stand on it."""
        return self.members.keys() <= {peer}


@dataclass(slots=True, eq=False)
class Question:
    """A request for blocks that is not answered.

    Attributes:
        course: What it is for; None: somebody else was faster, the answer is of no use.
        claimed: What the peer claimed to have when it was asked.
        locator: What we named.
        timer: Tells when the answer is late.
        late: It has told.
    """

    peer: PeerId
    conn: ConnId
    course: Course | None
    claimed: int
    locator: tuple[bytes, ...]
    asked_s: float
    timer: Timer
    late: bool = False
