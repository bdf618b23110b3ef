"""What the mempools have verified, no chain verifies again when a block brings it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.ledger import state
from actors.simulation.world import World


def test_blocks_of_pooled_transactions_verify_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(5, nodes=2)
    world.start()
    world.nodes[0].mine()
    world.run_for(60.0)
    assert world.nodes[0].tip().number > 1, "somebody can pay"
    verified: list[bytes] = []

    def count(network: Any, transaction: Any, **options: Any) -> Any:
        verified.append(transaction.id)
        return check(network, transaction, **options)

    check = state.check_transaction
    for user in ("actors.ledger.state", "actors.chain.signatures"):
        monkeypatch.setattr(f"{user}.check_transaction", count)
    for _ in range(5):
        world.nodes[0].pay(world.nodes[1].key.public, 1)
    world.run_for(60.0)
    assert world.run_until_agreed(60.0)
    included = [tx for block in world.nodes[1].blocks() for tx in block.transactions]
    assert len(included) == 5
    assert verified == []
    monkeypatch.undo()
    world.check()
