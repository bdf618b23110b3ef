"""A node that is killed at any moment has on its disk what it had told of, and nothing that is not so.

The long run of it: ``python -m tests.soak.cuts``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.chain.store import Store
from tests.support.cuts import Cuts, DivergedError
from tests.support.story import STORY_NETWORK

CYCLES = 25


@pytest.fixture
def cuts(tmp_path: Path) -> Iterator[Cuts]:
    with closing(Cuts(tmp_path, seed=3)) as made:
        yield made


def test_a_node_killed_at_random_points_never_differs_from_its_control(cuts: Cuts) -> None:
    cuts.run(CYCLES)
    cuts.finish()
    assert cuts.tally.told > CYCLES
    assert cuts.forks > 0
    if cuts.shim is not None:
        assert cuts.tally.phases["opening"]
        assert any("chain.db" in end for end in cuts.tally.ends)


def test_a_balance_that_is_not_by_the_rules_is_noticed(cuts: Cuts) -> None:
    cuts.finish()
    with closing(Store.open(cuts.data_dir / "chain.db", STORY_NETWORK)) as store:
        store._db.execute("UPDATE accounts SET balance = balance + 1")
    with pytest.raises(DivergedError, match="not those of the rules"):
        cuts.look()


def test_a_confirmed_block_that_is_gone_is_noticed(cuts: Cuts) -> None:
    cuts.finish()
    with (
        closing(Store.open(cuts.data_dir / "chain.db", STORY_NETWORK)) as store,
        store.transaction(),
    ):
        store.disconnect_above(store.tip().number - 1)
    with pytest.raises(DivergedError, match="had told of"):
        cuts.look()
