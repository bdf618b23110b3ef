"""`troupe repair`: a new store from the blocks of a damaged one, each of them executed again.

What can be read of the old file is taken out of it (`salvage`) and judged as if a peer had sent it, so that
nothing of it is taken on trust; what stands on a block that was lost waits in the new file, as in a walk back,
and is connected when a peer has sent that one. The old file is kept. Must not live here: locks, and what is
shown.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from actors.chain.importer import Importer
from actors.chain.messages import SteerOutcome
from actors.chain.salvage import salvage
from actors.chain.schema import StoreError, open_to_look
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.chain.sync import MAX_PENDING_BLOCKS
from actors.chain.wire import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.state import check_header
from actors.ledger.types import Block, BlockRef
from actors.ledger.violation import Violation
from actors.runtime.files import sync_directory

DRAFT_SUFFIX = ".repair"
"""What a repair that was cut off leaves ends so, and the next one begins with taking it away."""
READY_SUFFIX = ".repaired"
"""From when a new store bears this name, it is the one: whoever comes next puts it in place."""
ASIDE = ".damaged-"
"""Behind the name of a file that was repaired; a number follows."""
LOG = "-wal"
_BESIDE = ("", "-journal", LOG, "-shm")
"""How the files of one store end."""


@dataclass(frozen=True, slots=True)
class Step:
    """So many pages are read, or so many blocks connected, out of so many. Value."""

    unit: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a store. Value.

    Attributes:
        tip: Of the new store.
        connected: Blocks in it, genesis not counted.
        waiting: Blocks that stand on one that was lost; they are connected when a peer has sent it.
        marks: Blocks that the operator invalidated, and are so still.
        lost_marks: How many of these marks could not be kept; None: it cannot be read how many there were.
    """

    tip: BlockRef
    connected: int
    waiting: int
    marks: int
    lost_marks: int | None


def rebuild(
    source: Path, draft: Path, network: Network, signatures: Signatures
) -> Generator[Step, None, Rebuilt]:
    """Make a new store at ``draft`` from what can be read of ``source``, which is not changed.

    Raises:
        StoreError: The new one cannot be written.
        OSError: The old one cannot even be opened.
    """
    remove(draft)
    with closing(Store.open(draft, network)) as store:
        importer = Importer(store, network, signatures)
        yield from _take_out(source, store, importer, network)
        yield from _connect(store, importer)
        kept, lost = _mark_again(source, importer)
        tip = store.tip()
        connected = tip.number + store.side_blocks()
        store.take_up_log()
        return Rebuilt(tip, connected, store.pending_count(), kept, lost)


def put_in_place(draft: Path, target: Path) -> Path:
    """Let a finished draft take the place of the store that it was made from; where that is kept.

    Wherever it is cut off, there is the whole of the old store at ``target``, or the new one awaits
    :func:`finish`.

    Raises:
        OSError: It cannot be done; the old one stands.
        StoreError: As of :func:`finish`.
    """
    aside = _aside(target, _times_kept(target) + 1)
    try:
        os.link(target, aside)
    except OSError:  # not every file system can give a file two names
        _copy_whole(target, aside)
    draft.replace(ready_at(target))
    sync_directory(target.parent)
    finish(target)
    return aside


def ready_at(target: Path) -> Path:
    """Where a new store is while it waits to be put in place; most of the time there is none."""
    return target.with_name(target.name + READY_SUFFIX)


def finish(target: Path) -> None:
    """Put a new store in place that is ready, also if the repair was cut off at that. Nobody has it open.

    Raises:
        StoreError: It cannot be done now; the next try goes on with it.
    """
    log = Path(f"{target}{LOG}")
    try:
        if log.exists() and log.stat().st_size > 0:
            log.rename(f"{_aside(target, _times_kept(target))}{LOG}")
        # SQLite would read it back into whatever bears its store's name.
        log.unlink(missing_ok=True)
        Path(f"{target}-shm").unlink(missing_ok=True)
        sync_directory(target.parent)
        ready_at(target).replace(target)
        sync_directory(target.parent)
    except OSError as error:
        message = f"cannot put the repaired chain at {target}: {error.strerror}"
        raise StoreError(message) from error


def remove(draft: Path) -> None:
    """Take away a draft that is not wanted, and what SQLite has beside it."""
    for end in _BESIDE:
        Path(f"{draft}{end}").unlink(missing_ok=True)


def _copy_whole(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
        with target.open("rb") as copy:
            os.fsync(copy.fileno())
    except OSError:
        target.unlink(missing_ok=True)  # half of a file is nothing kept, and takes room
        raise


def _aside(target: Path, number: int) -> Path:
    return target.with_name(f"{target.name}{ASIDE}{number}")


def _times_kept(target: Path) -> int:
    """The number of the last store that was kept; 0: none was."""
    ends = (path.name.removeprefix(target.name + ASIDE) for path in target.parent.iterdir())
    return max((int(end) for end in ends if end.isdecimal()), default=0)


def _take_out(
    source: Path, store: Store, importer: Importer, network: Network
) -> Generator[Step, None, None]:
    """Let every block with its proof of work wait in the new store; what follows is connected when many do."""
    for looked in salvage(source):
        blocks = (decode_block(raw) for raw in looked.raws)
        sound = [b for b in blocks if not isinstance(b, Violation) and _has_work(network, b)]
        if store.pending_count() + len(sound) > MAX_PENDING_BLOCKS:
            yield from _connect(store, importer)
        with store.unhurried(), store.transaction():
            for block in sound:
                if store.header(block.hash) is None:
                    store.add_pending(block)
        yield Step("pages", looked.done, looked.total)


def _has_work(network: Network, block: Block) -> bool:
    return block.number > 0 and check_header(network, block) is None


def _connect(store: Store, importer: Importer) -> Generator[Step, None, None]:
    """Import what stands on a block of the new store, and what stands on that, parents first."""
    total, done = store.pending_count(), 0
    roots = (store.pending_header(root) for root in store.pending_roots())
    bases = deque(
        dict.fromkeys(root.parent_hash for root in roots if root and store.header(root.parent_hash))
    )
    while bases:
        batch: list[Block] = []
        size_bytes = 0
        while bases and len(batch) < MAX_BATCH_BLOCKS and size_bytes < MAX_BATCH_BYTES:
            children = store.pending_children(bases.popleft())
            bases.extend(child.hash for child in children)
            batch += children
            size_bytes += sum(len(child.raw) for child in children)
        if batch:
            with store.unhurried():
                importer.add(batch)
            done += len(batch)
            yield Step("blocks", done, total)


def _mark_again(source: Path, importer: Importer) -> tuple[int, int | None]:
    """Put the operator's marks on the new store; how many, and how many are lost."""
    marks = _marks_of(source)
    if marks is None:
        return 0, None
    outcomes = [importer.invalidate(mark).outcome for mark in marks]
    done = sum(outcome in {SteerOutcome.DONE, SteerOutcome.UNCHANGED} for outcome in outcomes)
    return done, len(outcomes) - done


def _marks_of(source: Path) -> Iterable[bytes] | None:
    """The blocks that the operator invalidated; None: that cannot be read."""
    with suppress(sqlite3.Error, StoreError):
        with closing(open_to_look(source)) as connection:
            rows = connection.execute("SELECT hash FROM invalidated").fetchall()
        return [mark for (mark,) in rows]
    return None
