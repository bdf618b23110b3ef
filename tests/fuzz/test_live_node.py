"""A short run of wrong frames through a real node, and the grammar that they come from."""

from __future__ import annotations

import random
from collections import Counter

from actors.tcp.framing import FrameDecoder
from tests.fuzz.grammar import MAX_FRAME_BYTES, Grammar
from tests.soak.frames import EASY, hold_out
from tests.support.ledger import key

FRAMES, CONNECTIONS = 20_000, 6


def test_a_node_holds_out_against_twenty_thousand_wrong_frames() -> None:
    said: list[str] = []
    hold_out(FRAMES, CONNECTIONS, 1, said.append)
    assert any("handled" in line for line in said)


def grammar() -> Grammar:
    return Grammar(random.Random(2), EASY, key(EASY.scheme, "payer"))


def test_a_batch_has_the_frames_that_it_counts_however_often_it_is_renewed() -> None:
    batch = grammar().batch(300, crimes=5)
    rng, seen = random.Random(3), set[bytes]()
    for _ in range(3):
        frames = FrameDecoder(MAX_FRAME_BYTES).feed(batch.renew(rng))
        assert len(frames) == batch.counts.total() == 300
        seen.update(frames)
    assert len(seen) > 500, "most frames are others each time"


def test_every_kind_of_frame_is_made() -> None:
    made = grammar()
    counts: Counter[str] = Counter()
    for _ in range(20):
        counts += made.batch(256, crimes=8).counts
    assert set(counts) == set(made.labels)
