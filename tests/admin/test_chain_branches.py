"""ChainService over the wire: tips, accounts, and which branch is followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import chain_service_pb2_grpc

from actors.chain import messages as chain
from actors.chain.store import Store
from actors.ledger.types import Account, BlockRef
from actors.peers.messages import PeerId, PeerLinked
from actors.tcp.messages import ConnId
from admin.paging import Page
from tests.support.admin_stage import EPOCH, AdminStage, refusal_of
from tests.support.chains import EASY

Stub = chain_service_pb2_grpc.ChainServiceStub

AT = BlockRef(7, b"\x07" * 32)
ADDRESSES = (*(bytes([n]) * 32 for n in range(1, 6)), b"\x06")
ACCOUNTS = tuple(
    chain.AccountView(address, Account(2**63 - number, number), AT)
    for number, address in enumerate(ADDRESSES, 1)
)
TIPS = (
    chain.TipView(BlockRef(9, b"\x09" * 32), chain.TipStatus.INVALIDATED, BlockRef(3, b"f" * 32)),
    chain.TipView(AT, chain.TipStatus.CANONICAL, AT),
    chain.TipView(BlockRef(6, b"\x06" * 32), chain.TipStatus.VALID, BlockRef(5, b"f" * 32)),
    chain.TipView(BlockRef(6, b"\x16" * 32), chain.TipStatus.UNEXECUTED, BlockRef(5, b"f" * 32)),
    chain.TipView(BlockRef(2, b"\x02" * 32), chain.TipStatus.INVALID, BlockRef(1, b"f" * 32)),
)
HASH = "0a" * 32
DONE = chain.SteerVerdict(chain.SteerOutcome.DONE, AT, 3, 2)


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def list_accounts(question: chain.ListAccounts) -> chain.AccountsPage | None:
    """As a chain room that stands on `AT`."""
    if question.at not in (None, AT.number, AT):
        return None
    found = [view for view in ACCOUNTS if view.address >= question.start]
    more = found[question.limit].address if len(found) > question.limit else None
    return chain.AccountsPage(AT, tuple(found[: question.limit]), more)


def list_tips(question: chain.ListTips) -> chain.TipsPage:
    """As a chain room whose tips arrived in the order of their index."""
    first = 0 if question.start is None else question.start.arrival
    assert question.start in (None, chain.TipCursor(TIPS[first].tip.number, first))
    last = first + question.limit
    following = chain.TipCursor(TIPS[last].tip.number, last) if last < len(TIPS) else None
    return chain.TipsPage(TIPS[first:last], following)


# -- accounts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_number", [None, 7])
def test_accounts_are_listed_over_pages_of_one_block(
    stage: AdminStage, stub: Stub, at_number: int | None
) -> None:
    stage.reader.compute(chain.ListAccounts, list_accounts)
    request = pb.ListAccountsRequest(page_size=4, at_number=at_number)
    first = stub.ListAccounts(request)
    assert (first.at.number, first.at.hash) == (7, AT.hash.hex())
    request.page_token = first.next_page_token
    second = stub.ListAccounts(request)
    assert second.next_page_token == ""
    shown = [*first.accounts, *second.accounts]
    assert [(each.address, each.balance, each.nonce) for each in shown] == [
        (view.address.hex(), view.account.balance, view.account.nonce) for view in ACCOUNTS
    ]
    asked = stage.reader.of(chain.ListAccounts)
    assert [question.at for question in asked] == [at_number, AT], "the first page pins the block"


def test_a_listing_of_a_block_that_left_the_chain_is_aborted(stage: AdminStage, stub: Stub) -> None:
    stage.reader.compute(chain.ListAccounts, list_accounts)
    request = pb.ListAccountsRequest(page_size=4)
    request.page_token = stub.ListAccounts(request).next_page_token
    stage.reader.answer(chain.ListAccounts, None)
    refused = refusal_of(lambda: stub.ListAccounts(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "LISTING_OUTDATED")
    assert refused.metadata == {"block_hash": AT.hash.hex()}


@pytest.mark.parametrize("number", [8, 2**64 - 1])
def test_accounts_of_a_block_that_is_not_there_are_not_found(
    stage: AdminStage, stub: Stub, number: int
) -> None:
    stage.reader.compute(chain.ListAccounts, list_accounts)
    refused = refusal_of(lambda: stub.ListAccounts(pb.ListAccountsRequest(at_number=number)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "BLOCK_NOT_FOUND")


def test_a_page_token_is_good_for_its_own_listing_alone(stage: AdminStage, stub: Stub) -> None:
    stage.reader.compute(chain.ListAccounts, list_accounts)
    stage.reader.compute(chain.ListTips, list_tips)
    token = stub.ListAccounts(pb.ListAccountsRequest(page_size=1)).next_page_token
    others: list[Callable[[], Any]] = [
        lambda: stub.ListAccounts(pb.ListAccountsRequest(page_token=token, at_number=7)),
        lambda: stub.ListAccounts(pb.ListAccountsRequest(page_token=token[:-4])),
        lambda: stub.ListTips(pb.ListTipsRequest(page_token=token)),
    ]
    for other in others:
        refused = refusal_of(other)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (refused.reason, refused.fields) == ("PAGE_TOKEN_INVALID", ("page_token",))


# -- tips ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 2, 5, 0])
def test_tips_are_listed_over_pages(stage: AdminStage, stub: Stub, page_size: int) -> None:
    stage.reader.compute(chain.ListTips, list_tips)
    shown: list[pb.Tip] = []
    request = pb.ListTipsRequest(page_size=page_size)
    while True:
        page = stub.ListTips(request)
        shown += page.tips
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [(tip.block.number, tip.block.hash) for tip in shown] == [
        (view.tip.number, view.tip.hash.hex()) for view in TIPS
    ]
    assert [pb.TipStatus.Name(tip.status) for tip in shown] == [
        f"TIP_STATUS_{view.status.name}" for view in TIPS
    ]
    assert [tip.branch_length for tip in shown] == [6, 0, 1, 1, 1]
    assert shown[0].fork.number == 3


@pytest.mark.parametrize("cursor", [b"\xff" * 16, b"\x7f" + b"\xff" * 15, b"x", b""])
def test_a_forged_token_asks_for_no_tip_that_the_store_cannot_be_asked_for(
    stage: AdminStage, stub: Stub, cursor: bytes
) -> None:
    store = Store.open(None, EASY)
    stage.reader.answer(chain.ListTips, chain.TipsPage((), None))
    stub.ListTips(pb.ListTipsRequest(page_token=Page(1, None, "ListTips").token(cursor)))
    (asked,) = stage.reader.of(chain.ListTips)
    assert len(store.tips(asked.start, 2)) <= 1
    store.close()


def test_both_listings_say_which_events_they_follow_on(stage: AdminStage, stub: Stub) -> None:
    stage.reader.compute(chain.ListAccounts, list_accounts)
    stage.reader.compute(chain.ListTips, list_tips)
    stage.happen(PeerLinked(PeerId("a:1"), ConnId(1), initiated=True, first=True))
    for position in (
        stub.ListAccounts(pb.ListAccountsRequest()).position,
        stub.ListTips(pb.ListTipsRequest()).position,
    ):
        assert (position.epoch, position.sequence) == (EPOCH, 1)


# -- which branch is followed -------------------------------------------------------------------------


def test_invalidate_block_says_where_the_node_went(stage: AdminStage, stub: Stub) -> None:
    stage.chain.answer(chain.InvalidateBlock, DONE)
    shown = stub.InvalidateBlock(pb.InvalidateBlockRequest(hash=HASH))
    assert (shown.tip.number, shown.tip.hash, shown.changed) == (7, AT.hash.hex(), True)
    assert (shown.disconnected_count, shown.connected_count) == (3, 2)
    assert stage.chain.of(chain.InvalidateBlock) == [chain.InvalidateBlock(bytes.fromhex(HASH))]


def test_reconsider_block_says_where_the_node_went(stage: AdminStage, stub: Stub) -> None:
    stage.chain.answer(chain.ReconsiderBlock, DONE)
    shown = stub.ReconsiderBlock(pb.ReconsiderBlockRequest(hash=HASH))
    assert (shown.tip.number, shown.tip.hash, shown.changed) == (7, AT.hash.hex(), True)
    assert (shown.disconnected_count, shown.connected_count) == (3, 2)
    assert stage.chain.of(chain.ReconsiderBlock) == [chain.ReconsiderBlock(bytes.fromhex(HASH))]


def test_a_word_that_changes_nothing_says_so(stage: AdminStage, stub: Stub) -> None:
    unchanged = chain.SteerVerdict(chain.SteerOutcome.UNCHANGED, AT)
    stage.chain.answer(chain.InvalidateBlock, unchanged)
    stage.chain.answer(chain.ReconsiderBlock, unchanged)
    assert not stub.InvalidateBlock(pb.InvalidateBlockRequest(hash=HASH)).changed
    assert not stub.ReconsiderBlock(pb.ReconsiderBlockRequest(hash=HASH)).changed


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (chain.SteerOutcome.NOT_FOUND, (grpc.StatusCode.NOT_FOUND, "BLOCK_NOT_FOUND", {})),
        (chain.SteerOutcome.GENESIS, (grpc.StatusCode.FAILED_PRECONDITION, "GENESIS_FIXED", {})),
        (
            chain.SteerOutcome.TOO_DEEP,
            (grpc.StatusCode.FAILED_PRECONDITION, "REORG_TOO_DEEP", {"limit": "10000"}),
        ),
    ],
)
def test_a_word_that_is_not_followed_says_why(
    stage: AdminStage,
    stub: Stub,
    outcome: chain.SteerOutcome,
    expected: tuple[grpc.StatusCode, str, dict[str, str]],
) -> None:
    verdict = chain.SteerVerdict(outcome, AT)
    stage.chain.answer(chain.InvalidateBlock, verdict)
    stage.chain.answer(chain.ReconsiderBlock, verdict)
    calls: list[Callable[[], Any]] = [
        lambda: stub.InvalidateBlock(pb.InvalidateBlockRequest(hash=HASH)),
        lambda: stub.ReconsiderBlock(pb.ReconsiderBlockRequest(hash=HASH)),
    ]
    for call in calls:
        refused = refusal_of(call)
        assert (refused.code, refused.reason, refused.metadata) == expected


@pytest.mark.parametrize("digits", ["", "0a", "0A" * 32, "zz" * 32])
def test_what_is_no_hash_names_its_field(stub: Stub, digits: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: stub.InvalidateBlock(pb.InvalidateBlockRequest(hash=digits)),
        lambda: stub.ReconsiderBlock(pb.ReconsiderBlockRequest(hash=digits)),
    ]
    for call in calls:
        refused = refusal_of(call)
        assert (refused.reason, refused.fields) == ("FIELD_INVALID", ("hash",))


def test_a_block_on_an_invalidated_one_is_refused_as_such(stage: AdminStage, stub: Stub) -> None:
    verdict = chain.BlockVerdict(chain.BlockOutcome.INVALIDATED, b"\x0a" * 32)
    stage.chain.answer(chain.SubmitBlock, verdict)
    refused = refusal_of(lambda: stub.SubmitBlock(pb.SubmitBlockRequest(raw=b"x")))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "BLOCK_INVALIDATED",
    )
    assert refused.metadata == {"block_hash": HASH}


def test_the_read_only_token_lists_and_does_not_steer(stage: AdminStage) -> None:
    stage.reader.compute(chain.ListAccounts, list_accounts)
    stage.reader.compute(chain.ListTips, list_tips)
    reading = stage.stub(Stub, readonly=True)
    assert len(reading.ListAccounts(pb.ListAccountsRequest()).accounts) == len(ACCOUNTS)
    assert len(reading.ListTips(pb.ListTipsRequest()).tips) == len(TIPS)
    calls: list[Callable[[], Any]] = [
        lambda: reading.InvalidateBlock(pb.InvalidateBlockRequest(hash=HASH)),
        lambda: reading.ReconsiderBlock(pb.ReconsiderBlockRequest(hash=HASH)),
    ]
    for call in calls:
        refused = refusal_of(call)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "PERMISSION_MISSING",
        )
        assert refused.metadata == {"permission": "chain:write"}
    assert stage.chain.of(chain.InvalidateBlock) == []
