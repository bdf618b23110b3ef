"""A node that is killed at any moment has on its disk what it had told of, and nothing that is not so.

The long run of it: ``python -m tests.soak.cuts``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.chain.store import Store
from tests.support.cuts import Cuts, DivergedError
from tests.support.disk import Call, Disk, read_record
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
        assert any("chain.db" in end for end in cuts.tally.ends)


def test_a_node_whose_power_is_cut_has_what_it_had_told_of(tmp_path: Path) -> None:
    with closing(Cuts(tmp_path, seed=4, power=True)) as cuts:
        cuts.run(10)
        cuts.finish()


def test_a_balance_that_is_not_by_the_rules_is_noticed(cuts: Cuts) -> None:
    cuts.finish()
    with closing(Store.open(cuts.data_dir / "chain.db", STORY_NETWORK)) as store:
        store._db.execute("UPDATE accounts SET balance = balance + 1")
    with pytest.raises(DivergedError, match="not those of the rules"):
        cuts.look()


def test_a_confirmed_block_that_is_gone_is_noticed(cuts: Cuts) -> None:
    cuts.finish()
    path = cuts.data_dir / "chain.db"
    with closing(Store.open(path, STORY_NETWORK)) as store, store.transaction():
        store.disconnect_above(store.tip().number - 1)
    with pytest.raises(DivergedError, match="had told of"):
        cuts.look()


def test_a_key_that_is_another_one_is_noticed(cuts: Cuts) -> None:
    cuts.finish()
    (cuts.data_dir / "wallet.key").write_text("00" * 32)
    with pytest.raises(DivergedError, match="its key"):
        cuts.look()


# -- what a power cut may leave, by the record of the calls ------------------------------------------


def left(calls: list[Call], before: dict[str, bytes]) -> list[dict[str, bytes]]:
    """The contents that a hundred power cuts leave, each once."""
    disk = Disk("/d", before)
    disk.play(iter(calls))
    found: list[dict[str, bytes]] = []
    for seed in range(100):
        content = disk.after_cut(random.Random(seed))
        if content not in found:
            found.append(content)
    return found


def test_what_is_synced_stays() -> None:
    calls = [Call("w", "/d/a", 0, b"new"), Call("s", "/d/a", 0, b"")]
    assert left(calls, {"a": b"old"}) == [{"a": b"new"}]


def test_what_is_not_synced_may_be_gone() -> None:
    found = left([Call("w", "/d/a", 0, b"new")], {"a": b"old"})
    assert sorted(content["a"] for content in found) == [b"new", b"old"]


def test_any_sectors_of_a_write_may_be_there() -> None:
    found = left([Call("w", "/d/a", 0, b"n" * 1024)], {"a": b"o" * 1024})
    halves = {(content["a"][:512], content["a"][512:]) for content in found}
    new, old = b"n" * 512, b"o" * 512
    assert halves == {(new, new), (new, old), (old, new), (old, old)}


def test_a_name_stays_once_its_directory_is_synced() -> None:
    made = [Call("w", "/d/a", 0, b"new"), Call("s", "/d/a", 0, b"")]
    assert {} in left(made, {})
    assert left([*made, Call("s", "/d", 0, b"")], {}) == [{"a": b"new"}]


def test_a_renamed_file_is_the_old_or_the_new_one() -> None:
    calls = [
        Call("w", "/d/a.new", 0, b"new"),
        Call("s", "/d/a.new", 0, b""),
        Call("r", "/d/a.new", 0, b"/d/a"),
    ]
    assert {content["a"] for content in left(calls, {"a": b"old"})} == {b"old", b"new"}


def test_a_record_that_breaks_off_ends_before_the_last_call() -> None:
    record = b"w 3 2 /d/a\nxys 0 0 /d/a\nw 0 5 /d/a\nabc"
    assert list(read_record(record)) == [
        Call("w", "/d/a", 3, b"xy"),
        Call("s", "/d/a", 0, b""),
    ]
