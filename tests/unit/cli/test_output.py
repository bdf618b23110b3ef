from __future__ import annotations

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from troupe.admin.v1.event_pb2 import Event, EventType, WatchStarted
from troupe.admin.v1.ledger_pb2 import Block, Transaction
from troupe.admin.v1.node_service_pb2 import NODE_STATE_READY, Node, NodeState

from admin.cli.options import Format
from admin.cli.output import Columns, Facts, Output, as_data


def test_a_field_at_its_default_is_there_and_an_absent_one_is_null() -> None:
    data = as_data(Node(state=NODE_STATE_READY, peer_count=0))
    assert data["peer_count"] == 0
    assert data["mining"] is None
    assert data["tip"] is None
    assert data["state_reasons"] == []
    assert data["uptime_s"] == 0.0


def test_an_enum_is_a_word_and_an_unknown_one_its_number() -> None:
    assert as_data(Node(state=NODE_STATE_READY))["state"] == "ready"
    unknown: NodeState.ValueType = 77  # type: ignore[assignment]
    assert as_data(Node(state=unknown))["state"] == "77"


def test_integers_stay_exact() -> None:
    data = as_data(Block(nonce=2**64 - 1))
    assert json.loads(json.dumps(data))["nonce"] == 2**64 - 1


def test_raw_bytes_are_the_text_that_they_are() -> None:
    assert as_data(Transaction(raw=b"ab,cd,0,1,ef"))["raw"] == "ab,cd,0,1,ef"
    assert as_data(Transaction(raw=b"\xff"))["raw"] == "\\xff"


def test_only_the_body_that_an_event_has_is_shown() -> None:
    event = Event(
        sequence=3,
        time=Timestamp(seconds=1, nanos=500_000_000),
        type=EventType.EVENT_TYPE_WATCH_STARTED,
        watch_started=WatchStarted(),
    )
    data = as_data(event)
    assert set(data) == {"sequence", "epoch", "time", "type", "watch_started"}
    assert data["time"] == "1970-01-01T00:00:01.500+00:00"


def test_columns_are_as_wide_as_need_be_and_lines_end_without_spaces() -> None:
    text = Columns(("NAME", ">N"), (("a", "1"), ("long name", "1,000")), "none").text()
    assert text.splitlines()[1:] == ["a              1", "long name  1,000"]
    assert Columns(("NAME", "X"), (("a", ""),), "none").text().splitlines()[1] == "a"


def test_an_empty_list_says_so() -> None:
    assert Columns(("NAME",), (), "No peers.").text() == "No peers."


def written(capsys: pytest.CaptureFixture[str], form: Format) -> tuple[str, str, str]:
    output = Output(form)
    output.one({"a": 1}, Facts((("a", "1"),)), "more")
    one = capsys.readouterr().out
    output.many([{"a": 1}, {"a": 2}], Columns(("A",), (("1",), ("2",)), ""))
    many = capsys.readouterr().out
    output.next({"a": 1}, "line")
    return one, many, capsys.readouterr().out


def test_a_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    one, many, line = written(capsys, Format.TABLE)
    assert (one, many, line) == ("a  1\n\nmore\n", "A\n1\n2\n", "line\n")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    one, many, line = written(capsys, Format.JSON)
    assert json.loads(one) == {"a": 1}
    assert json.loads(many) == [{"a": 1}, {"a": 2}]
    assert json.loads(line) == {"a": 1}


def test_json_lines_are_a_document_each(capsys: pytest.CaptureFixture[str]) -> None:
    one, many, line = written(capsys, Format.JSONL)
    assert (one, line) == ('{"a": 1}\n', '{"a": 1}\n')
    assert [json.loads(each) for each in many.splitlines()] == [{"a": 1}, {"a": 2}]
