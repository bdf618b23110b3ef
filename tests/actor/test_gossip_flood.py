"""The gossip actor when more rumours await a verdict than there is room for."""

from __future__ import annotations

import pytest

from actors.gossip import docket
from actors.gossip.actor import VERDICT_TIMEOUT_S
from actors.gossip.docket import KEPT_PARTS
from actors.gossip.messages import Decision
from tests.actor.test_gossip_actor import BLOCK, TX, Stage, credit, received, rumour

KEPT = 2
MOST = KEPT * KEPT_PARTS


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Room for few rumours; the mempool judges transactions, the chain blocks."""
    monkeypatch.setattr(docket, "MAX_AWAITING", MOST)
    monkeypatch.setattr(docket, "LEAST_ROOM", 0)
    return Stage()


def hear(stage: Stage, *bodies: int, kind: str = TX) -> int:
    """How many of these a handler is asked about."""
    stage.tell(received(*(rumour(b"%d" % body, kind=kind) for body in bodies)))
    return len(stage.items())


def test_a_flood_of_transactions_leaves_room_for_blocks(stage: Stage) -> None:
    assert hear(stage, *range(2 * MOST)) == MOST - KEPT
    assert hear(stage, *range(2 * MOST), kind=BLOCK) == KEPT
    assert stage.info().awaiting_verdict == MOST


def test_blocks_alone_leave_room_for_transactions(stage: Stage) -> None:
    assert hear(stage, *range(2 * MOST), kind=BLOCK) == MOST - KEPT
    assert hear(stage, *range(2 * MOST)) == KEPT


def test_what_is_judged_makes_room_for_as_many(stage: Stage) -> None:
    stage.tell(received(*(rumour(b"%d" % body) for body in range(2 * MOST))))
    stage.judge(Decision.DROP)
    assert stage.info().awaiting_verdict == 0
    assert hear(stage, *range(100, 100 + 2 * MOST)) == MOST - KEPT


def test_what_is_never_judged_makes_room_in_a_minute(stage: Stage) -> None:
    hear(stage, *range(2 * MOST))
    stage.pump.run_for(2 * VERDICT_TIMEOUT_S)
    assert hear(stage, *range(100, 100 + 2 * MOST)) == MOST - KEPT


def test_what_there_is_no_room_for_is_not_heard_and_its_credit_returns(stage: Stage) -> None:
    told = stage.tell(received(*(rumour(b"%d" % body) for body in range(2 * MOST))))
    assert credit(told) == {1: MOST + KEPT}
    stage.judge(Decision.DROP)
    assert hear(stage, 2 * MOST - 1) == 1
