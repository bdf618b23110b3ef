"""A stage with a real store beside its scripted rooms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.chain.importer import Importer
from actors.chain.messages import GetChain
from actors.chain.store import Store
from tests.support.admin_stage import AdminStage, chain_info, staged
from tests.support.chains import EASY
from tests.support.stored_chain import CHAIN, ChainServiceStub


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "chain.db", EASY)
    Importer(opened, EASY).add(CHAIN)
    yield opened
    opened.close()


@pytest.fixture
def stage(tmp_path: Path, store: Store) -> Iterator[AdminStage]:
    with staged(tmp_path, network=EASY) as running:
        running.chain.answer(GetChain, chain_info(store.tip()))
        yield running


@pytest.fixture
def stub(stage: AdminStage) -> ChainServiceStub:
    return stage.stub(ChainServiceStub)
