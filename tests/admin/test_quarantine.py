"""The quarantine over the wire and on the command line: what made an actor fail is listed, shown and cleared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import actor_service_pb2, actor_service_pb2_grpc, errors_pb2

from actors.runtime.quarantine import Find, Frame
from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.support.admin_stage import AdminStage, refusal_of
from tests.unit.cli.shell import Shell, shell_of_a_node

ERROR = "Traceback\nZeroDivisionError: division by zero"
EXHIBIT = actor_service_pb2.Exhibit(
    id=3,
    actor="mempool",
    letter="GossipReceived",
    error=ERROR,
    peer="192.0.2.7:18750",
    fingerprint="ab" * 32,
    version="1",
    frame_count=1,
    size_bytes=3,
    frames=[actor_service_pb2.ExhibitFrame(kind="gossip:bc:new_tx", payload="00ff78")],
)


def find(number: int) -> Find:
    frames = (Frame("gossip:bc:new_tx", b"\x00\xff" + bytes((number,))),)
    mark = bytes((number,)) * 32
    return Find("mempool", "GossipReceived", ERROR, "192.0.2.7:18750", frames, mark)


def service(stage: AdminStage, *, readonly: bool = False) -> Any:
    return stage.stub(actor_service_pb2_grpc.ActorServiceStub, readonly=readonly)


def ids(listed: actor_service_pb2.ListExhibitsResponse) -> list[int]:
    return [each.id for each in listed.exhibits]


def test_exhibits_are_listed_page_by_page_without_their_frames(stage: AdminStage) -> None:
    for number in range(3):
        stage.quarantine.take(find(number))
    request = actor_service_pb2.ListExhibitsRequest(page_size=2)
    first = service(stage).ListExhibits(request)
    assert ids(first) == [1, 2]
    assert [(each.frame_count, len(each.frames)) for each in first.exhibits] == [(1, 0)] * 2
    request.page_token = first.next_page_token
    second = service(stage).ListExhibits(request)
    assert (ids(second), second.next_page_token) == ([3], "")


def test_an_exhibit_is_shown_with_its_frames(stage: AdminStage) -> None:
    stage.quarantine.take(find(7))
    request = actor_service_pb2.GetExhibitRequest(id=1)
    shown = service(stage, readonly=True).GetExhibit(request).exhibit
    assert (shown.actor, shown.peer, shown.error) == ("mempool", "192.0.2.7:18750", ERROR)
    assert [(each.kind, each.payload) for each in shown.frames] == [("gossip:bc:new_tx", "00ff07")]
    assert shown.fingerprint == "07" * 32
    assert (shown.version, shown.time.ToMilliseconds()) == ("1", 7_500)


def test_an_error_may_quote_what_is_no_text(stage: AdminStage) -> None:
    stage.quarantine.take(replace(find(1), error="ValueError: \ud800"))
    (listed,) = service(stage).ListExhibits(actor_service_pb2.ListExhibitsRequest()).exhibits
    assert listed.error == "ValueError: \\ud800"


def test_exhibits_are_deleted_one_by_one_or_all(stage: AdminStage) -> None:
    for number in range(3):
        stage.quarantine.take(find(number))
    one = actor_service_pb2.DeleteExhibitsRequest(id=2)
    assert service(stage).DeleteExhibits(one).deleted_count == 1
    assert stage.quarantine.refused == {find(0).fingerprint, find(2).fingerprint}
    every = actor_service_pb2.DeleteExhibitsRequest()
    assert service(stage).DeleteExhibits(every).deleted_count == 2
    assert service(stage).DeleteExhibits(every).deleted_count == 0


def test_an_exhibit_that_is_none_is_not_found(stage: AdminStage) -> None:
    get, delete = actor_service_pb2.GetExhibitRequest(id=9), actor_service_pb2.DeleteExhibitsRequest
    for call in (
        lambda: service(stage).GetExhibit(get),
        lambda: service(stage).DeleteExhibits(delete(id=9)),
    ):
        seen = refusal_of(call)
        assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "EXHIBIT_NOT_FOUND")


# -- the command line -------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def test_the_quarantine_is_listed_with_and_without_the_word(shell: Shell) -> None:
    shell.answers(ListExhibits=actor_service_pb2.ListExhibitsResponse(exhibits=[EXHIBIT]))
    text = shell("quarantine").stdout
    assert text == shell("quarantine list").stdout
    for part in ("mempool", "GossipReceived", "192.0.2.7:18750", "ZeroDivisionError"):
        assert part in text
    assert shell.data("quarantine")[0]["id"] == 3
    shell.answers(ListExhibits=actor_service_pb2.ListExhibitsResponse())
    assert shell("quarantine").stdout == "The quarantine is empty.\n"


def test_an_exhibit_is_shown_in_full(shell: Shell) -> None:
    shell.answers(GetExhibit=actor_service_pb2.GetExhibitResponse(exhibit=EXHIBIT))
    text = shell("quarantine show 3").stdout
    assert "gossip:bc:new_tx 00ff78" in text
    assert ERROR in text
    assert shell.data("quarantine show 3")["frames"][0]["payload"] == "00ff78"


def test_what_a_stranger_wrote_does_not_move_the_cursor_of_a_terminal(shell: Shell) -> None:
    evil = actor_service_pb2.Exhibit(
        id=1,
        error="Traceback\nValueError: \x1b[2Jgone",
        frames=[actor_service_pb2.ExhibitFrame(kind="\x1b]0;mine\x07", payload="00")],
    )
    shell.answers(
        ListExhibits=actor_service_pb2.ListExhibitsResponse(exhibits=[evil]),
        GetExhibit=actor_service_pb2.GetExhibitResponse(exhibit=evil),
    )
    for words in ("quarantine", "quarantine show 1"):
        text = shell(words).stdout
        assert "\\x1b[2Jgone" in text
        assert all(each.isprintable() for each in text.replace("\n", ""))


def test_the_quarantine_is_cleared(shell: Shell) -> None:
    shell.answers(DeleteExhibits=actor_service_pb2.DeleteExhibitsResponse(deleted_count=2))
    assert shell("quarantine clear").stdout == "deleted 2\n"
    shell("quarantine clear 3")
    assert [each.id for each in shell.node.asked("DeleteExhibits")] == [0, 3]


def test_an_exhibit_that_is_none_is_said(shell: Shell) -> None:
    missing = Refusal(errors_pb2.ERROR_REASON_EXHIBIT_NOT_FOUND, "no exhibit 9")
    shell.answers(GetExhibit=missing)
    result = shell("quarantine show 9")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert shell("quarantine show 0").exit_code == ExitCode.USAGE
