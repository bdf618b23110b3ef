"""What a process says that it has in use: each runs in a process of its own, where nothing else comes and goes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.peers import table
from actors.runtime import events
from actors.runtime.clock import FakeClock
from admin import logs
from tests.support import weighed
from tests.support.process import ENVIRONMENT
from tests.support.weighed import Weight, read

pytestmark = pytest.mark.skipif(
    not weighed.is_possible(), reason="no process can be weighed on this system"
)

KEPT = 15_000
OBJECT_BYTES = 144
"""Of ``bytes(100)``: a head of 33 and 100, rounded up to 16."""
LARGE_BYTES = 3_000_000
SLACK_BYTES = 50_000
"""What looking takes."""


def weights(script: str) -> list[Weight]:
    """What the script put into ``seen``."""
    begin = "import json\nfrom tests.support.weighed import weigh\nweigh()\nseen = []\n"
    ended = subprocess.run(
        (sys.executable, "-c", f"{begin}{script}\nprint(json.dumps(seen))"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return [Weight(*one) for one in json.loads(ended.stdout)]


def grew(weights: list[Weight]) -> list[int]:
    return [each.held_bytes - weights[0].held_bytes for each in weights]


def test_objects_that_are_kept_are_in_use_also_where_others_were_freed() -> None:
    script = f"""
freed = [bytes(100) for _ in range(20 * {KEPT})]
del freed
seen.append(weigh())
kept = [bytes(100) for _ in range({KEPT})]
seen.append(weigh())
del kept
seen.append(weigh())
"""
    _, kept, gone = grew(weights(script))
    least = KEPT * (OBJECT_BYTES + 8)  # and the list's place for each
    assert least <= kept < 1.1 * least
    assert abs(gone) < SLACK_BYTES


def test_what_is_large_is_in_use_until_it_is_freed() -> None:
    script = f"""
seen.append(weigh())
kept = bytearray({LARGE_BYTES})
parts = [bytearray({LARGE_BYTES} // 100) for _ in range(100)]
seen.append(weigh())
del kept, parts
seen.append(weigh())
"""
    _, kept, gone = grew(weights(script))
    assert 2 * LARGE_BYTES <= kept < 2 * LARGE_BYTES + SLACK_BYTES
    assert abs(gone) < SLACK_BYTES


def test_garbage_is_not_in_use() -> None:
    script = f"""
gc = __import__("gc")
gc.disable()
seen.append(weigh())
for _ in range({KEPT}):
    circle = [bytes(100)]
    circle.append(circle)
del circle
seen.append(weigh())
"""
    _, after = grew(weights(script))
    assert abs(after) < SLACK_BYTES


def test_pages_of_a_database_are_counted_apart() -> None:
    script = f"""
import sqlite3
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE rows (bytes BLOB)")
seen.append(weigh())
database.execute("INSERT INTO rows VALUES (zeroblob({LARGE_BYTES}))")
seen.append(weigh())
"""
    before, after = weights(script)
    assert after.page_bytes - before.page_bytes > LARGE_BYTES
    assert after.c_bytes - before.c_bytes > LARGE_BYTES
    assert abs(after.held_bytes - before.held_bytes) < LARGE_BYTES / 10


def test_pages_that_are_taken_while_it_looks_are_not_missing_from_what_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By another thread, behind the count that they are a part of."""
    c_bytes, page_bytes = iter((100, 140)), iter((10, 50, 50, 50))
    monkeypatch.setattr(weighed, "_c_bytes", lambda: next(c_bytes))
    monkeypatch.setattr(weighed, "_page_bytes", lambda: next(page_bytes))
    weight = weighed.weigh()
    assert weight.c_bytes - weight.page_bytes == 90


def test_a_weight_is_read_as_it_was_written(tmp_path: Path) -> None:
    weight = Weight(1.5, 2, 30, 4)
    (tmp_path / "it").write_text(json.dumps(weight))
    assert read(tmp_path / "it") == weight
    assert weight.held_bytes == 28


def test_a_node_that_weighs_itself_keeps_few_events_records_and_peers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "KEPT_EVENTS", events.KEPT_EVENTS)  # put back afterwards
    monkeypatch.setattr(logs, "KEPT_RECORDS", logs.KEPT_RECORDS)
    monkeypatch.setattr(table, "MAX_GONE", table.MAX_GONE)
    weighed.keep_less()
    actor = events.EventsActor("it", FakeClock())
    for number in range(2 * weighed.KEPT_EVENTS):
        actor.on_receive(events.Happened(number))
    kept = actor.on_receive(events.ListKept(limit=10 * weighed.KEPT_EVENTS))
    assert isinstance(kept, events.Kept)
    assert len(kept.events) == weighed.KEPT_EVENTS
    assert (logs.KEPT_RECORDS, table.MAX_GONE) == (weighed.KEPT_RECORDS, weighed.KEPT_PEERS)
