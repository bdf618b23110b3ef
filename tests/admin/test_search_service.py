"""SearchService over the wire."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from troupe.admin.v1 import search_service_pb2 as pb
from troupe.admin.v1 import search_service_pb2_grpc

from actors.peers.messages import PeerId
from actors.search.messages import (
    MAX_ALL_ITEMS_BYTES,
    MAX_ITEMS,
    MAX_WATCHED_SEARCHES,
    Answer,
    AnswerSink,
    CloseSearch,
    ItemInfo,
    ListItems,
    OpenSearch,
    ProvideItem,
    ProvideOutcome,
    SearchRefusal,
    WithdrawItem,
)
from actors.tcp.messages import ConnId
from tests.support.admin_stage import WAIT_S, AdminStage, refusal_of, refused

Stub = search_service_pb2_grpc.SearchServiceStub
BOB = PeerId("10.0.0.1:7000")
NOTE: dict[str, Any] = {"kind": "note", "query": b"motto"}


@pytest.fixture(autouse=True)
def _script(stage: AdminStage) -> None:
    stage.search.answer(OpenSearch, None)
    stage.search.answer(CloseSearch, None)
    stage.search.answer(ProvideItem, ProvideOutcome.PROVIDED)
    stage.search.answer(WithdrawItem, True)


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def answer(payload: bytes) -> Answer:
    return Answer(payload, BOB, ConnId(7), 1_700_000_000.5)


def answering(stage: AdminStage, *payloads: bytes, end: str = "end") -> None:
    """Have every search answered, and ended."""

    def play(search: OpenSearch) -> None:
        for payload in payloads:
            search.sink.offer(answer(payload))
        getattr(search.sink, end)()

    stage.search.compute(OpenSearch, play)


# -- searching ------------------------------------------------------------------------------------


def test_a_search_streams_its_answers_and_ends_well(stage: AdminStage, stub: Stub) -> None:
    answering(stage, b"one", b"two")
    first, second = (each.answer for each in stub.Search(pb.SearchRequest(**NOTE)))
    assert (first.payload, first.peer, first.connection_id) == (b"one", BOB, 7)
    assert first.receive_time.ToMilliseconds() == 1_700_000_000_500
    assert second.payload == b"two"


def test_a_search_without_an_answer_ends_well(stage: AdminStage, stub: Stub) -> None:
    answering(stage)
    assert list(stub.Search(pb.SearchRequest(**NOTE))) == []


@pytest.mark.parametrize(
    ("timeout_ms", "timeout_s"), [(0, 5.0), (250, 0.25), (30_000, 30.0), (99_999, 30.0)]
)
def test_the_time_out_has_a_default_and_a_cap(
    stage: AdminStage, stub: Stub, timeout_ms: int, timeout_s: float
) -> None:
    answering(stage)
    list(stub.Search(pb.SearchRequest(**NOTE, timeout_ms=timeout_ms)))
    (asked,) = stage.search.of(OpenSearch)
    assert (asked.kind, asked.query, asked.timeout_s) == ("note", b"motto", timeout_s)


@pytest.mark.parametrize(
    ("refusal", "code", "reason"),
    [
        (SearchRefusal.NO_PEERS, grpc.StatusCode.FAILED_PRECONDITION, "NO_PEERS"),
        (SearchRefusal.TOO_MANY, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS"),
        (SearchRefusal.NO_QUESTION, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
    ],
)
def test_a_search_that_does_not_begin_says_why(
    stage: AdminStage, stub: Stub, refusal: SearchRefusal, code: object, reason: str
) -> None:
    stage.search.answer(OpenSearch, refusal)
    seen = refusal_of(lambda: stub.Search(pb.SearchRequest(**NOTE)))
    assert (seen.code, seen.reason) == (code, reason)
    if refusal is SearchRefusal.TOO_MANY:
        assert seen.metadata == {"limit": str(MAX_WATCHED_SEARCHES)}
    if refusal is SearchRefusal.NO_QUESTION:
        assert seen.fields == ("query",)


def test_a_search_that_is_cancelled_is_closed(stage: AdminStage, stub: Stub) -> None:
    sinks: list[AnswerSink] = []

    def play(search: OpenSearch) -> None:
        sinks.append(search.sink)
        search.sink.offer(answer(b"one"))

    stage.search.compute(OpenSearch, play)
    call: Any = stub.Search(pb.SearchRequest(**NOTE), timeout=60)
    assert next(call).answer.payload == b"one"
    call.cancel()
    deadline_s = stage.clock.now_s() + WAIT_S
    while not stage.search.of(CloseSearch):
        assert stage.clock.now_s() < deadline_s
    assert [closed.sink for closed in stage.search.of(CloseSearch)] == sinks


def test_a_search_ends_when_the_search_actor_goes_down(stage: AdminStage, stub: Stub) -> None:
    answering(stage, b"one", end="lost")
    call: Any = stub.Search(pb.SearchRequest(**NOTE))
    assert next(call).answer.payload == b"one"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert refused(caught.value).metadata == {"actor": "search"}


# -- items ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "already"), [(ProvideOutcome.PROVIDED, False), (ProvideOutcome.THERE, True)]
)
def test_an_item_is_provided_and_again_is_no_fault(
    stage: AdminStage, stub: Stub, outcome: ProvideOutcome, already: bool
) -> None:
    stage.search.answer(ProvideItem, outcome)
    provided = stub.ProvideItem(pb.ProvideItemRequest(**NOTE, item=b"all the world"))
    assert provided.already_provided == already
    assert stage.search.of(ProvideItem) == [ProvideItem("note", b"motto", b"all the world")]


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        (ProvideOutcome.OTHER_THERE, grpc.StatusCode.ALREADY_EXISTS, "ITEM_EXISTS"),
        (ProvideOutcome.FULL, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ITEMS"),
        (ProvideOutcome.TOO_LONG, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
        (ProvideOutcome.RESERVED, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
    ],
)
def test_an_item_that_is_not_provided_says_why(
    stage: AdminStage, stub: Stub, outcome: ProvideOutcome, code: object, reason: str
) -> None:
    stage.search.answer(ProvideItem, outcome)
    seen = refusal_of(lambda: stub.ProvideItem(pb.ProvideItemRequest(**NOTE)))
    assert (seen.code, seen.reason) == (code, reason)
    at_fault = {ProvideOutcome.TOO_LONG: ("item",), ProvideOutcome.RESERVED: ("kind",)}
    assert seen.fields == at_fault.get(outcome, ())
    if outcome is ProvideOutcome.FULL:
        limits = {"limit": str(MAX_ITEMS), "limit_bytes": str(MAX_ALL_ITEMS_BYTES)}
        assert seen.metadata == limits


def test_an_item_is_withdrawn_or_was_never_there(stage: AdminStage, stub: Stub) -> None:
    stub.WithdrawItem(pb.WithdrawItemRequest(**NOTE))
    assert stage.search.of(WithdrawItem) == [WithdrawItem("note", b"motto")]
    stage.search.answer(WithdrawItem, False)
    seen = refusal_of(lambda: stub.WithdrawItem(pb.WithdrawItemRequest(**NOTE)))
    assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND")


def test_list_items_goes_on_page_by_page(stage: AdminStage, stub: Stub) -> None:
    items = [ItemInfo("note", b"q%d" % n, 7, bytes([n]) * 32, 1_700_000_000, n) for n in range(5)]
    stage.search.compute(
        ListItems,
        lambda asked: tuple(
            item for item in items if asked.after is None or (item.kind, item.query) > asked.after
        )[: asked.limit],
    )
    shown: list[pb.Item] = []
    request = pb.ListItemsRequest(page_size=2, kind="note")
    while True:
        page = stub.ListItems(request)
        shown += page.items
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [item.query for item in shown] == [item.query for item in items]
    assert (shown[3].kind, shown[3].size_bytes, shown[3].answer_count) == ("note", 7, 3)
    assert (shown[3].sha256, shown[3].provide_time.seconds) == ("03" * 32, 1_700_000_000)
    assert {asked.kind for asked in stage.search.of(ListItems)} == {"note"}
    request.kind = "other"
    assert refusal_of(lambda: stub.ListItems(request)).reason == "PAGE_TOKEN_INVALID"


# -- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "query", "field"),
    [
        ("", b"", "kind"),
        ("x" * 49, b"", "kind"),
        ("a b", b"", "kind"),
        ("x", bytes(1_025), "query"),
    ],
)
def test_what_can_be_no_search_is_not_asked_for(
    stage: AdminStage, stub: Stub, kind: str, query: bytes, field: str
) -> None:
    for call in (
        lambda: stub.Search(pb.SearchRequest(kind=kind, query=query)),
        lambda: stub.ProvideItem(pb.ProvideItemRequest(kind=kind, query=query)),
        lambda: stub.WithdrawItem(pb.WithdrawItemRequest(kind=kind, query=query)),
    ):
        assert refusal_of(call).fields == (field,)
    assert not [told for told in stage.search.told if not isinstance(told, CloseSearch)]


def test_a_kind_that_is_none_is_not_listed(stub: Stub) -> None:
    assert refusal_of(lambda: stub.ListItems(pb.ListItemsRequest(kind="a b"))).fields == ("kind",)


def test_a_read_only_token_may_list_and_nothing_else(stage: AdminStage) -> None:
    stage.search.answer(ListItems, ())
    readonly = stage.stub(Stub, readonly=True)
    assert not readonly.ListItems(pb.ListItemsRequest()).items
    for call in (
        lambda: readonly.Search(pb.SearchRequest(**NOTE)),
        lambda: readonly.ProvideItem(pb.ProvideItemRequest(**NOTE)),
        lambda: readonly.WithdrawItem(pb.WithdrawItemRequest(**NOTE)),
    ):
        seen = refusal_of(call)
        assert seen.code is grpc.StatusCode.PERMISSION_DENIED
        assert seen.metadata == {"permission": "search:write"}
