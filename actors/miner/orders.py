"""What the miner was last told to do: outlives an incarnation, so that a restarted one goes on."""

from __future__ import annotations

from dataclasses import dataclass

from actors.config import MinerSettings


@dataclass(slots=True)
class MiningOrders:
    """Held by the composition root; read and written by the miner in office alone."""

    settings: MinerSettings
