"""A hundred streams of a real node each receive every event of a run of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from troupe.admin.v1 import event_pb2

from actors.ledger.keys import ED25519
from tests.support.ledger import key
from tests.support.process import NodeProcess, easy_network_file

STREAMS = 100
BLOCKS = 50
ELSEWHERE = key(ED25519, "elsewhere").public.hex()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path / "node", "--network-file", str(easy_network_file(tmp_path))) as node:
        yield node


def to_the_payment(stream: Iterator[Any]) -> list[event_pb2.Event]:
    """The events of a stream until a transaction was sent."""
    events = []
    for response in stream:
        events.append(response.event)
        if response.event.type == event_pb2.EVENT_TYPE_TRANSACTION_ADDED:
            break
    return events


def test_a_hundred_streams_each_receive_every_event_of_a_run_of_blocks(node: NodeProcess) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(node.events()) for _ in range(STREAMS)]
        for stream in streams:
            assert next(stream).event.type == event_pb2.EVENT_TYPE_WATCH_STARTED
        before = node.height()
        node.generate(BLOCKS)
        node.transfer(ELSEWHERE, 1)
        first = to_the_payment(streams[0])
        sequences = [event.sequence for event in first]
        assert sequences == list(range(sequences[0], sequences[0] + len(first)))
        connected = [block.number for event in first for block in event.tip_changed.connected]
        assert connected == list(range(before + 1, before + BLOCKS + 1))
        assert [to_the_payment(stream) == first for stream in streams[1:]] == [True] * (STREAMS - 1)
