"""Calls that must be refused, many of them: none is answered, nothing is left behind."""

from __future__ import annotations

import gc

import pytest
from troupe.admin.v1 import chain_service_pb2, chain_service_pb2_grpc

from admin.guard import Guard
from tests.support.abuse import Abuse
from tests.support.admin_stage import WAIT_S, AdminStage

CALLS = 400


def test_whatever_is_no_call_of_ours_is_refused_and_leaves_nothing(
    stage: AdminStage, caplog: pytest.LogCaptureFixture
) -> None:
    with Abuse(stage.address, stage.token()) as abuse:
        outcomes = abuse.run(CALLS)
    assert outcomes.total() == CALLS
    assert {"TOKEN_INVALID", "TOKEN_MISSING", "RESOURCE_EXHAUSTED", "FIELD_INVALID"} < set(outcomes)
    chain = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    assert chain.GetChain(chain_service_pb2.GetChainRequest()).chain.supply == 50_000
    guards = [each for each in gc.get_objects() if isinstance(each, Guard)]
    (guard,) = [each for each in guards if each._tokens.find(stage.token())]
    deadline_s = stage.clock.now_s() + WAIT_S
    while len(guard._places):  # a call leaves its place a moment after its answer
        assert stage.clock.now_s() < deadline_s
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
    assert not any(script.told for script in stage.rooms.values() if script is not stage.chain)
