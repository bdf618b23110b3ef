"""What the miner was last told to do: outlives an incarnation, so that a restarted one goes on."""

from __future__ import annotations

from dataclasses import dataclass

from actors.config import MinerSettings


@dataclass(slots=True)
class MiningOrders:
    """Held by the composition root; read and written by the miner in office alone."""

    settings: MinerSettings
    last_job_id: int = 0
    """Of the jobs for the engine: what an incarnation left in the mailbox is none of the next one's."""
