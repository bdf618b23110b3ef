"""AuthService over the wire, and what becomes of calls whose token goes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import auth_service_pb2 as pb
from troupe.admin.v1 import (
    auth_service_pb2_grpc,
    chain_service_pb2,
    chain_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    miner_service_pb2,
    miner_service_pb2_grpc,
)

from actors.chain.messages import GetChain
from actors.miner.messages import GenerateBlock
from admin.permissions import EVERYTHING, READING
from tests.support.admin_stage import DEFER, WAIT_S, AdminStage, refusal_of, refused, staged

Stub = auth_service_pb2_grpc.AuthServiceStub
CHAIN = chain_service_pb2.GetChainRequest()
CHAIN_READ = ("caller:read", "chain:read")


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def request(*permissions: str, name: str = "one", ttl_s: float = 0, **more: Any) -> Any:
    made = pb.CreateTokenRequest(name=name, permissions=permissions or ["chain:read"], **more)
    if ttl_s:
        made.ttl.FromNanoseconds(int(ttl_s * 1e9))
    return made


def get_chain(stage: AdminStage, secret: str) -> int:
    stub = chain_service_pb2_grpc.ChainServiceStub(stage.channel(secret))
    return stub.GetChain(CHAIN).chain.supply


def pass_time(stage: AdminStage, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    wall_s = stage.clock.wall_s
    monkeypatch.setattr(stage.clock, "wall_s", lambda: wall_s() + seconds)


# -- GetCaller --------------------------------------------------------------------------------------


def test_get_caller_tells_each_token_what_it_is(stage: AdminStage, stub: Stub) -> None:
    caller = stub.GetCaller(pb.GetCallerRequest()).caller
    assert (caller.id, caller.name) == ("admin", "admin")
    assert frozenset(caller.permissions) == EVERYTHING
    assert not caller.HasField("expire_time")
    reader = stage.stub(Stub, readonly=True).GetCaller(pb.GetCallerRequest()).caller
    assert reader.name == "readonly"
    assert frozenset(reader.permissions) == READING
    made = stub.CreateToken(request(ttl_s=60))
    other = Stub(stage.channel(made.secret)).GetCaller(pb.GetCallerRequest()).caller
    assert (other.id, other.name, tuple(other.permissions)) == (made.token.id, "one", CHAIN_READ)
    assert other.expire_time == made.token.expire_time
    assert other.HasField("last_use_time")


# -- CreateToken ------------------------------------------------------------------------------------


def test_create_token_makes_one_that_is_good_at_once(stage: AdminStage, stub: Stub) -> None:
    made = stub.CreateToken(request(ttl_s=90))
    assert tuple(made.token.permissions) == CHAIN_READ
    assert made.token.expire_time.seconds - made.token.create_time.seconds == 90
    assert get_chain(stage, made.secret) == 50_000
    miner = miner_service_pb2_grpc.MinerServiceStub(stage.channel(made.secret))
    seen = refusal_of(lambda: miner.GetMiner(miner_service_pb2.GetMinerRequest()))
    assert (seen.reason, seen.metadata) == ("PERMISSION_MISSING", {"permission": "miner:read"})


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (request(name=""), "name"),
        (request(name="-one"), "name"),
        (request(name="a b"), "name"),
        (request(name="x" * 65), "name"),
        (pb.CreateTokenRequest(name="one"), "permissions"),
        (request("chain:read", "chain:eat"), "permissions"),
        (request(*["chain:read"] * 101), "permissions"),
        (request(ttl_s=0.5), "ttl"),
        (request(ttl_s=-1), "ttl"),
        (request(ttl_s=3_650 * 86_400 + 1), "ttl"),
        (request(request_id="x" * 65), "request_id"),
    ],
)
def test_create_token_names_the_field_at_fault(stub: Stub, bad: Any, field: str) -> None:
    seen = refusal_of(lambda: stub.CreateToken(bad))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert seen.fields == (field,)


def test_create_token_takes_no_name_twice(stub: Stub) -> None:
    stub.CreateToken(request())
    for name in ("one", "admin"):
        seen = refusal_of(lambda name=name: stub.CreateToken(request(name=name)))  # type: ignore[misc]
        assert (seen.code, seen.reason) == (grpc.StatusCode.ALREADY_EXISTS, "TOKEN_NAME_TAKEN")


def test_create_token_ends_at_a_limit(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.auth.MAX_TOKENS", 2)
    for name in ("one", "two"):
        stub.CreateToken(request(name=name))
    seen = refusal_of(lambda: stub.CreateToken(request(name="three")))
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_TOKENS")
    assert seen.metadata == {"limit": "2"}


def test_nobody_gives_a_permission_that_he_has_not(stage: AdminStage, stub: Stub) -> None:
    clerk = Stub(stage.channel(stub.CreateToken(request("auth:write", "chain:read")).secret))
    seen = refusal_of(lambda: clerk.CreateToken(request("chain:read", "node:write", name="two")))
    assert (seen.code, seen.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
    assert seen.metadata == {"permission": "node:write"}
    assert get_chain(stage, clerk.CreateToken(request(name="two")).secret) == 50_000


def test_a_token_that_expires_makes_none_that_lasts_longer(stage: AdminStage, stub: Stub) -> None:
    secret = stub.CreateToken(request("auth:write", "chain:read", ttl_s=600)).secret
    clerk = Stub(stage.channel(secret))
    for longer in (request(name="two"), request(name="two", ttl_s=601)):
        seen = refusal_of(lambda longer=longer: clerk.CreateToken(longer))  # type: ignore[misc]
        assert (seen.reason, seen.fields) == ("FIELD_INVALID", ("ttl",))
    assert clerk.CreateToken(request(name="two", ttl_s=60)).secret


def test_a_repeated_request_makes_no_second_token_and_no_secret_is_kept_for_it(
    stage: AdminStage, stub: Stub
) -> None:
    first = stub.CreateToken(request(request_id="once"))
    again = stub.CreateToken(request(request_id="once"))
    assert again.token == first.token
    assert again.secret != first.secret
    assert get_chain(stage, again.secret) == 50_000
    assert refusal_of(lambda: get_chain(stage, first.secret)).reason == "TOKEN_INVALID"
    seen = refusal_of(lambda: stub.CreateToken(request(name="two", request_id="once")))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    stub.DeleteToken(pb.DeleteTokenRequest(id=first.token.id))
    assert stub.CreateToken(request(request_id="once")).token.id != first.token.id


# -- ListTokens -------------------------------------------------------------------------------------


def test_list_tokens_goes_on_page_by_page_and_shows_no_secret(
    stage: AdminStage, stub: Stub
) -> None:
    secrets = [stub.CreateToken(request(name=name)).secret for name in ("b", "c", "z")]
    get_chain(stage, secrets[0])
    first = stub.ListTokens(pb.ListTokensRequest(page_size=3))
    second = stub.ListTokens(pb.ListTokensRequest(page_size=3, page_token=first.next_page_token))
    assert [token.name for token in first.tokens] == ["admin", "b", "c"]
    assert [token.name for token in second.tokens] == ["readonly", "z"]
    assert not second.next_page_token
    assert [token.HasField("last_use_time") for token in first.tokens] == [True, True, False]
    listed = str(first) + str(second)
    assert not any(secret in listed for secret in (*secrets, stage.token()))
    seen = refusal_of(lambda: stub.ListTokens(pb.ListTokensRequest(page_token="x")))
    assert seen.reason == "PAGE_TOKEN_INVALID"


# -- DeleteToken ------------------------------------------------------------------------------------


def test_a_deleted_token_is_refused_from_the_next_call_on(stage: AdminStage, stub: Stub) -> None:
    made = stub.CreateToken(request())
    assert get_chain(stage, made.secret) == 50_000
    stub.DeleteToken(pb.DeleteTokenRequest(id=made.token.id))
    seen = refusal_of(lambda: get_chain(stage, made.secret))
    assert (seen.code, seen.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def test_delete_token_says_why_it_does_not(stub: Stub) -> None:
    seen = refusal_of(lambda: stub.DeleteToken(pb.DeleteTokenRequest(id="00")))
    assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "TOKEN_NOT_FOUND")
    seen = refusal_of(lambda: stub.DeleteToken(pb.DeleteTokenRequest()))
    assert seen.fields == ("id",)
    seen = refusal_of(lambda: stub.DeleteToken(pb.DeleteTokenRequest(id="admin")))
    assert (seen.code, seen.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOKEN_PROTECTED")


@pytest.mark.parametrize(
    "call",
    [
        lambda stub: stub.CreateToken(request()),
        lambda stub: stub.DeleteToken(pb.DeleteTokenRequest(id="00")),
    ],
)
def test_a_reader_changes_no_tokens(stage: AdminStage, call: Callable[[Stub], Any]) -> None:
    reader = stage.stub(Stub, readonly=True)
    seen = refusal_of(lambda: call(reader))
    assert (seen.code, seen.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
    assert len(reader.ListTokens(pb.ListTokensRequest()).tokens) == 2


# -- time, streams, restarts, logs ------------------------------------------------------------------


def test_an_expired_token_is_told_so(
    stage: AdminStage, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = stub.CreateToken(request(ttl_s=60)).secret
    pass_time(stage, monkeypatch, 61)
    seen = refusal_of(lambda: get_chain(stage, secret))
    assert (seen.code, seen.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
    names = [token.name for token in stub.ListTokens(pb.ListTokensRequest()).tokens]
    assert names == ["admin", "one", "readonly"]


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_the_streams_of_a_token_end_with_it_and_others_go_on(
    stage: AdminStage, stub: Stub, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    made = stub.CreateToken(request("event:read", ttl_s=60))
    watch = event_service_pb2.WatchEventsRequest()

    def open_watch(secret: str) -> Any:
        events: Any = event_service_pb2_grpc.EventServiceStub(stage.channel(secret))
        stream = events.WatchEvents(watch, timeout=WAIT_S)
        next(stream)
        return stream

    ending, other = open_watch(made.secret), open_watch(stage.token())
    if how == "deleted":
        stub.DeleteToken(pb.DeleteTokenRequest(id=made.token.id))
    else:
        pass_time(stage, monkeypatch, 61)
    with pytest.raises(grpc.RpcError) as caught:
        next(ending)
    reason = {"deleted": "TOKEN_INVALID", "expired": "TOKEN_EXPIRED"}[how]
    assert (refused(caught.value).code, refused(caught.value).reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        reason,
    )
    assert other.is_active()
    other.cancel()


def test_a_stream_that_stands_still_inside_an_actor_ends_with_its_token(
    stage: AdminStage, stub: Stub
) -> None:
    made = stub.CreateToken(request("miner:write"))
    stage.miner.compute(GenerateBlock, lambda _asked: DEFER)
    miner: Any = miner_service_pb2_grpc.MinerServiceStub(stage.channel(made.secret))
    run = miner.GenerateBlocks(miner_service_pb2.GenerateBlocksRequest(count=1), timeout=WAIT_S)
    stage.miner.deferred.get(timeout=WAIT_S)
    stub.DeleteToken(pb.DeleteTokenRequest(id=made.token.id))
    with pytest.raises(grpc.RpcError) as caught:
        next(run)
    assert refused(caught.value).reason == "TOKEN_INVALID"


def test_an_upload_ends_with_its_token(stage: AdminStage, stub: Stub) -> None:
    made = stub.CreateToken(request("chain:write"))
    begun, released = threading.Event(), threading.Event()

    def upload() -> Iterator[chain_service_pb2.ImportBlocksRequest]:
        begun.set()
        released.wait(WAIT_S)
        yield from ()

    chain: Any = chain_service_pb2_grpc.ChainServiceStub(stage.channel(made.secret))
    call = chain.ImportBlocks.future(upload())
    assert begun.wait(WAIT_S)
    stub.DeleteToken(pb.DeleteTokenRequest(id=made.token.id))
    try:
        assert refused(call.exception(timeout=WAIT_S)).reason == "TOKEN_INVALID"
    finally:
        released.set()


def test_a_call_under_way_outlives_its_token(tmp_path: Path) -> None:
    with staged(tmp_path, ask_timeout_s=WAIT_S) as stage:
        stub = stage.stub(Stub)
        made = stub.CreateToken(request())
        released, answer = threading.Event(), stage.chain.answers[GetChain]
        begun = threading.Event()

        def wait(asked: GetChain) -> Any:
            begun.set()
            released.wait(WAIT_S)
            return answer(asked)

        stage.chain.compute(GetChain, wait)
        chain: Any = chain_service_pb2_grpc.ChainServiceStub(stage.channel(made.secret))
        call = chain.GetChain.future(CHAIN)
        assert begun.wait(WAIT_S)
        stub.DeleteToken(pb.DeleteTokenRequest(id=made.token.id))
        released.set()
        assert call.result(WAIT_S).chain.supply == 50_000


def test_tokens_outlive_a_restart_of_the_server(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        stub = stage.stub(Stub)
        kept = stub.CreateToken(request())
        gone = stub.CreateToken(request(name="two"))
        stub.DeleteToken(pb.DeleteTokenRequest(id=gone.token.id))
        stub.DeleteToken(pb.DeleteTokenRequest(id="readonly"))
        assert not (tmp_path / "readonly.token").exists()
    with staged(tmp_path) as stage:
        assert get_chain(stage, kept.secret) == 50_000
        assert refusal_of(lambda: get_chain(stage, gone.secret)).reason == "TOKEN_INVALID"
        assert get_chain(stage, stage.token("readonly.token")) == 50_000
        assert len(stage.stub(Stub).ListTokens(pb.ListTokensRequest()).tokens) == 3


def test_no_secret_is_in_the_log_or_in_a_refusal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), staged(tmp_path) as stage:
        stub = stage.stub(Stub)
        made = stub.CreateToken(request())
        get_chain(stage, made.secret)
        stub.DeleteToken(pb.DeleteTokenRequest(id=made.token.id))
        messages = [
            refusal_of(lambda: get_chain(stage, made.secret)).message,
            refusal_of(lambda: get_chain(stage, "a-wrong-guess")).message,
        ]
        secrets = (made.secret, stage.token(), stage.token("readonly.token"), "a-wrong-guess")
    told = caplog.text + "".join(messages)
    assert "admin made the token one" in told
    assert "admin deleted the token one" in told
    assert not any(secret in told for secret in secrets)
