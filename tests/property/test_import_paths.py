"""Whatever way blocks take into the store, the store is the same: at once or one by one, by the short way
or the long one, with remembered accounts or without, with all of the history or the newest part.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.chain.accounts import RecentAccounts
from actors.chain.importer import Imported, Importer
from actors.chain.schema import UnwritableError, open_store
from actors.chain.signatures import Passed
from actors.chain.store import Reader, Store
from actors.ledger.codec import make_transaction
from actors.ledger.types import Block, BlockRef, Transaction
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, transfer, workless

GENESIS = EASY.genesis
KEYS = (ALICE, BOB, CAROL)
ADDRESSES = tuple(key.public for key in KEYS)

Shape = list[tuple[int, int, int]]
# A tree: how far back among the blocks so far each one's parent is, its miner, and what is in it.
shapes = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 9)), max_size=16)
cuts = st.lists(st.integers(0, 4), max_size=16)
words = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 16)), max_size=4)


@dataclass(frozen=True)
class Blocks:
    """Blocks that arrive together."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Word:
    """The operator invalidates a block, or takes that back."""

    invalidate: bool
    block: Block


Event = Blocks | Word


def contents(kind: int, seed: int) -> list[Transaction]:
    """Transactions that may or may not be valid where they are; of the last kind, forged."""
    if kind < 5:
        return []
    payer, payee = KEYS[seed % 3], KEYS[(seed + 1) % 3]
    if kind == 9:
        return [make_transaction(payer.public, payee.public, 0, 0, b"\1" * 64)]
    return [transfer(payer, payee.public, nonce, 30 * kind) for nonce in range(kind - 4)]


def grow(shape: Shape) -> list[Block]:
    """Blocks, each after its parent, and after itself at times."""
    blocks, arrivals = [GENESIS], []
    for seed, (back, miner, kind) in enumerate(shape):
        at = blocks[max(0, len(blocks) - 1 - max(0, back - 2))]
        if kind == 4:
            arrivals.append(workless(EASY, at.ref))
            arrivals.append(blocks[-1])
            continue
        coinbase = ADDRESSES[miner]
        made = mine(EASY, at.ref, coinbase, contents(kind, seed), first_nonce=1_000 * seed)
        blocks.append(made)
        arrivals.append(made)
    return arrivals


def events(shape: Shape, sizes: Sequence[int], said: Sequence[tuple[int, int]]) -> list[Event]:
    """The blocks in parts of these sizes, with the operator's words between them."""
    arrivals, found = grow(shape), list[Event]()
    known = list(arrivals)
    waiting = list(said)
    for size in [*sizes, len(arrivals)]:
        part, arrivals = tuple(arrivals[: size + 1]), arrivals[size + 1 :]
        if part:
            found.append(Blocks(part))
        if waiting and known:
            kind, index = waiting.pop()
            found.append(Word(kind > 0, known[index % len(known)]))
    return found


def singly(history: Sequence[Event]) -> Iterator[Event]:
    """The same, each block for itself."""
    for event in history:
        if isinstance(event, Blocks):
            yield from (Blocks((block,)) for block in event.blocks)
        else:
            yield event


class LongWay(Importer):
    """Takes no short way."""

    def _extend(self, _blocks: Sequence[Block], _passed: Passed) -> Imported | None:
        return None


def build(keep: int = 0) -> Store:
    """A store in memory that keeps so much history, however little, and remembers few accounts."""
    store = Store(open_store(None, EASY), None, EASY, keep)
    store._accounts = RecentAccounts(2)
    return store


def play(importer: Importer, history: Sequence[Event]) -> list[object]:
    """What came of each event."""
    results: list[object] = []
    for event in history:
        match event:
            case Blocks(blocks):
                results.append(importer.add(blocks))
            case Word(invalidate, block):
                word = importer.invalidate if invalidate else importer.reconsider
                results.append(word(block.hash))
    return results


TABLES = ("canonical", "accounts", "transactions", "tips", "invalidated", "blocks")


def rows(store: Store, table: str) -> list[tuple[object, ...]]:
    return sorted(store._db.execute(f"SELECT * FROM {table}").fetchall())


def tables(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {table: rows(store, table) for table in TABLES}


def statuses(store: Store) -> list[int]:
    return [status for (status,) in store._db.execute("SELECT status FROM blocks ORDER BY id")]


def marks(store: Store) -> set[bytes]:
    return {block_hash for (block_hash,) in store._db.execute("SELECT hash FROM invalidated")}


def invalid(store: Store) -> set[bytes]:
    """The blocks that are known to break a rule: the operator's mark is not put on them."""
    statement = "SELECT hash FROM blocks WHERE status = 2"
    return {block_hash for (block_hash,) in store._db.execute(statement)}


@settings(deadline=None, max_examples=150)
@given(shapes, cuts, words)
def test_the_short_way_and_the_long_one_end_alike_in_everything(
    shape: Shape, sizes: list[int], said: list[tuple[int, int]]
) -> None:
    history = events(shape, sizes, said)
    short, long = build(), build()
    assert play(Importer(short, EASY), history) == play(LongWay(long, EASY), history)
    assert tables(short) == tables(long)


# Where a block was never executed, as a longer branch came with it, nothing is known of it.
ALIKE = {(a, b) for a, b in product(range(5), repeat=2) if a == b or {a, b} & {0, 3}}


@settings(deadline=None, max_examples=150)
@given(shapes, cuts, words)
@example([(0, 0, 5), (3, 0, 0), (0, 0, 0)], [], [(1, 0)])  # the invalid one is never executed
def test_batches_end_as_the_same_blocks_one_by_one(
    shape: Shape, sizes: list[int], said: list[tuple[int, int]]
) -> None:
    history = events(shape, sizes, said)
    batched, single = build(), build()
    play(Importer(batched, EASY), history)
    play(LongWay(single, EASY), list(singly(history)))
    for table in ("canonical", "accounts", "transactions", "tips"):
        assert rows(batched, table) == rows(single, table), table
    assert marks(batched) ^ marks(single) <= invalid(batched) | invalid(single)
    pairs = zip(statuses(batched), statuses(single), strict=True)
    assert set(pairs) <= ALIKE


@settings(deadline=None, max_examples=100)
@given(shapes, cuts, words, st.data())
def test_what_is_remembered_is_what_is_stored_whatever_happened(
    shape: Shape, sizes: list[int], said: list[tuple[int, int]], data: st.DataObject
) -> None:
    store = build()
    importer, plain = Importer(store, EASY), Reader(store._db, shared=True)
    for event in events(shape, sizes, said):
        if isinstance(event, Blocks):
            how = data.draw(st.sampled_from(("rehearsal", "no room", "fault", "done")))
            attempt(how, importer, store, event.blocks)
            same(store, plain)
        play(importer, [event])
        same(store, plain)


def attempt(how: str, importer: Importer, store: Store, blocks: Sequence[Block]) -> None:
    """Take blocks and end otherwise than well."""
    if how == "rehearsal":
        importer.add(blocks, keep=False)
    elif how == "no room":
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with contextlib.suppress(UnwritableError):
            importer.add(blocks)
        store._db.execute("PRAGMA max_page_count = 1000000")
    elif how == "fault":
        with contextlib.suppress(ZeroDivisionError), store.transaction():
            if store.tip().number > 0:
                store.disconnect_above(store.tip().number - 1)
            for address in ADDRESSES:
                store.account(address)
            raise ZeroDivisionError


def same(store: Store, plain: Reader) -> None:
    assert store.tip() == plain.tip()
    for address in ADDRESSES:
        assert store.account(address) == plain.account(address)


def needed(versions: list[tuple[object, ...]], start: int) -> list[tuple[object, ...]]:
    """Those of all versions that a block from ``start`` on needs."""
    newest: dict[object, tuple[object, ...]] = {}
    later = []
    for version in versions:  # sorted: by address, then height
        assert isinstance(version[1], int)
        if version[1] <= start:
            newest[version[0]] = version
        else:
            later.append(version)
    return sorted([*newest.values(), *later])


@pytest.mark.parametrize("keep", [1, 3])
@settings(deadline=None, max_examples=100)
@given(shapes, cuts, words)
def test_a_short_history_changes_no_decision_and_keeps_what_its_blocks_need(
    keep: int, shape: Shape, sizes: list[int], said: list[tuple[int, int]]
) -> None:
    history = events(shape, sizes, said)
    short, full = build(keep), build()
    assert play(Importer(short, EASY), history) == play(Importer(full, EASY), history)
    agree_but_for_history(short, full)
    assert short.history_start() >= short.tip().number - keep


def agree_but_for_history(short: Store, full: Store) -> None:
    for table in ("canonical", "transactions", "tips", "invalidated", "blocks"):
        assert rows(short, table) == rows(full, table), table
    start, tip = short.history_start(), short.tip()
    assert start <= tip.number
    assert rows(short, "accounts") == needed(rows(full, "accounts"), start)
    for address, height in product(ADDRESSES, range(start, tip.number + 1)):
        assert short.account_at(address, height) == full.account_at(address, height)


Duel = list[tuple[int, int, int, int]]
# Branches that overtake one another: how deep below the head so far one forks, by how much it gets longer, its
# miner, and which of its blocks pays what nobody has (if there are so many).
duels = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 2), st.integers(0, 30)),
    min_size=1,
    max_size=6,
)


def fight(duel: Duel) -> list[tuple[Block, ...]]:
    """The branches, each of blocks that pay out of the rewards on their own branch."""
    line, paid = [GENESIS], [dict.fromkeys(ADDRESSES, 0)]
    branches = []
    for seed, (deep, more, miner, broken) in enumerate(duel):
        fork = max(0, len(line) - 1 - deep)
        length = len(line) - 1 - fork + more
        line, paid = line[: fork + 1], paid[: fork + 1]
        for index in range(length):
            payer = KEYS[(miner + index) % 3]
            nonce = paid[-1][payer.public]
            earned = sum(block.coinbase == payer.public for block in line[1:])
            amount = 10**9 if index == broken else 1
            pays = [transfer(payer, ADDRESSES[miner], nonce, amount)] if earned > nonce else []
            at, coinbase = line[-1].ref, ADDRESSES[(miner + index // 3) % 3]
            line.append(mine(EASY, at, coinbase, pays, first_nonce=1_000 * seed))
            paid.append({**paid[-1], payer.public: nonce + len(pays)})
        branches.append(tuple(line[fork + 1 :]))
    return branches


@pytest.mark.parametrize("keep", [1, 4])
@settings(deadline=None, max_examples=60)
@given(duels, st.sampled_from((1, 4, 99)), words)
def test_a_reorganisation_below_the_history_ends_as_with_all_of_it(
    keep: int, duel: Duel, size: int, said: list[tuple[int, int]]
) -> None:
    blocks = [block for branch in fight(duel) for block in branch]
    history: list[Event] = [
        Blocks(tuple(blocks[at : at + size])) for at in range(0, len(blocks), size)
    ]
    history += [Word(kind > 0, blocks[index % len(blocks)]) for kind, index in said if blocks]
    short, full = build(keep), build()
    assert play(Importer(short, EASY), history) == play(Importer(full, EASY), history)
    agree_but_for_history(short, full)


@settings(deadline=None, max_examples=50)
@given(shapes, st.integers(1, 4), st.integers(1, 4))
def test_history_is_shortened_afterwards_as_it_would_have_been_from_the_start(
    shape: Shape, first: int, second: int
) -> None:
    blocks = grow(shape)
    store = build()
    Importer(store, EASY).add(blocks)
    everything = rows(store, "accounts")
    for keep in (first, second):
        store._keep = keep
        store.catch_up_history()
    start = max(0, store.tip().number - min(first, second))
    assert store.history_start() == start
    assert rows(store, "accounts") == needed(everything, start)


def test_blocks_are_told_apart_by_these_events() -> None:
    """The events above do reach what they are for: side branches, faults, and runs on the tip."""
    arrivals = grow([(0, 0, 0), (0, 1, 5), (3, 2, 0), (0, 2, 0), (0, 0, 9), (0, 0, 4)])
    assert len({block.hash for block in arrivals}) == len(arrivals) - 1
    assert BlockRef(3, arrivals[3].hash) == arrivals[3].ref
