"""The long jobs of ChainService but imports, over the wire: a real store beside a chain room that is scripted."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2 as pb

from actors.chain.archive import CHUNK_BLOCKS, Extent, JobBusyError
from actors.chain.store import Store
from actors.runtime.job import Job
from admin import convert
from admin.services import chain_files
from tests.support.admin_stage import WAIT_S, AdminStage, refusal_of
from tests.support.chains import EASY, raws
from tests.support.stored_chain import CHAIN, ChainServiceStub

# -- verification -----------------------------------------------------------------------------------


def test_a_verification_tells_how_far_it_is_and_at_last_what_it_found(
    stub: ChainServiceStub,
) -> None:
    *progress, last = stub.VerifyChain(pb.VerifyChainRequest())
    assert not any(each.HasField("report") for each in progress)
    assert last.report.sound
    assert (last.report.block_count, last.report.tip.number) == (301, 300)
    assert (last.progress.done_count, last.progress.total_count) == (301, 301)
    assert last.progress.unit == pb.PROGRESS_UNIT_BLOCKS


def test_a_chain_that_differs_is_reported_with_the_block(
    stub: ChainServiceStub, store: Store
) -> None:
    store._db.execute("UPDATE accounts SET balance = balance + 1 WHERE height = 300")
    *_, last = stub.VerifyChain(pb.VerifyChainRequest())
    assert not last.report.sound
    (divergence,) = last.report.divergences
    assert (divergence.fault, divergence.number) == (pb.DIVERGENCE_FAULT_ACCOUNTS, 300)


def test_a_damaged_file_is_a_finding_and_no_failure(stub: ChainServiceStub, store: Store) -> None:
    store._db.execute("DELETE FROM canonical WHERE number = 7")
    *_, last = stub.VerifyChain(pb.VerifyChainRequest())
    assert {each.fault for each in last.report.divergences} == {pb.DIVERGENCE_FAULT_BLOCK}


@pytest.mark.parametrize(
    ("method", "request_", "job"),
    [
        ("VerifyChain", pb.VerifyChainRequest(), "verification"),
        ("ExportBlocks", pb.ExportBlocksRequest(), "export"),
        ("CreateBackup", pb.CreateBackupRequest(path="a.db"), "backup"),
    ],
)
def test_a_second_job_of_a_kind_is_refused_until_the_first_is_over(
    stage: AdminStage, stub: ChainServiceStub, method: str, request_: Any, job: str
) -> None:
    archive = stage.archive
    start: dict[str, Any] = {
        "verification": archive.verify,
        "export": lambda: archive.export(1, None),
        "backup": lambda: archive.back_up(stage.data_dir / "b.db", verified=False),
    }
    running = start[job]()
    refused = refusal_of(lambda: getattr(stub, method)(request_))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "CHAIN_JOB_BUSY")
    assert refused.metadata == {"job": job}
    running.end()
    assert running.join(WAIT_S)
    assert list(getattr(stub, method)(request_))


def test_a_job_that_is_on_its_way_out_is_waited_for(
    stage: AdminStage, stub: ChainServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, running, refused = stage.archive.verify, stage.archive.verify(), list[Exception]()

    def and_end_the_first() -> Any:
        try:
            return verify()
        except JobBusyError as error:
            refused.append(error)
            running.end()
            raise

    monkeypatch.setattr(chain_files, "SEAT_S", WAIT_S)
    monkeypatch.setattr(stage.archive, "verify", and_end_the_first)
    *_, last = stub.VerifyChain(pb.VerifyChainRequest())
    assert last.report.sound
    assert len(refused) == 1


def test_a_call_that_is_cancelled_can_be_made_again_at_once(
    stub: ChainServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_files, "SEAT_S", WAIT_S)
    for _ in range(5):
        call: Any = stub.ExportBlocks(pb.ExportBlocksRequest())
        assert next(call).HasField("header")
        call.cancel()
        again = list(stub.ExportBlocks(pb.ExportBlocksRequest(first_number=300)))
        assert [each.WhichOneof("part") for each in again] == ["header", "chunk"]


@pytest.fixture
def endless(stage: AdminStage, monkeypatch: pytest.MonkeyPatch) -> Job[Any]:
    """An export that has told its header and goes on until it is ended."""

    def work(job: Job[Any]) -> None:
        job.emit(Extent(1, CHAIN[-1].ref))
        job.ended.wait()

    job = Job("test", work, lambda: None)
    monkeypatch.setattr(stage.archive, "export", lambda _first, _last: job)
    return job


def test_ending_the_call_ends_the_work(stub: ChainServiceStub, endless: Job[Any]) -> None:
    call: Any = stub.ExportBlocks(pb.ExportBlocksRequest())
    assert next(call).HasField("header")
    call.cancel()
    assert endless.join(WAIT_S)


def test_a_job_that_nobody_reads_is_given_up(stage: AdminStage, stub: ChainServiceStub) -> None:
    stage.archive._stall_s = 0.001
    stalled = stage.archive.export(1, None)
    assert stalled.join(WAIT_S)
    stage.archive.export = lambda *_: stalled  # type: ignore[method-assign]
    refused = refusal_of(lambda: stub.ExportBlocks(pb.ExportBlocksRequest()))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "SLOW_CONSUMER",
    )
    assert refused.metadata == {"last_number": "0"}


def test_the_nodes_stop_ends_a_job(
    stage: AdminStage, stub: ChainServiceStub, endless: Job[Any]
) -> None:
    call: Any = stub.ExportBlocks(pb.ExportBlocksRequest())
    assert next(call).HasField("header")
    stage.server.stop(grace_s=1.0)
    assert endless.join(WAIT_S)


# -- export -----------------------------------------------------------------------------------------


def test_an_export_is_a_header_and_every_block(stub: ChainServiceStub) -> None:
    first, *rest = stub.ExportBlocks(pb.ExportBlocksRequest())
    assert first.header == pb.ExportHeader(
        network=convert.network(EASY),
        genesis_hash=EASY.genesis.hash.hex(),
        first_number=1,
        last=convert.block_ref(CHAIN[-1].ref),
    )
    assert [len(each.chunk.raw_blocks) for each in rest] == [CHUNK_BLOCKS, CHUNK_BLOCKS, 44]
    assert tuple(raw for each in rest for raw in each.chunk.raw_blocks) == raws(CHAIN)


def test_a_part_is_exported_by_its_numbers(stub: ChainServiceStub) -> None:
    first, part = stub.ExportBlocks(pb.ExportBlocksRequest(first_number=0, last_number=2))
    assert (first.header.first_number, first.header.last.hash) == (0, CHAIN[1].hash.hex())
    assert tuple(part.chunk.raw_blocks) == raws((EASY.genesis, *CHAIN[:2]))


@pytest.mark.parametrize("last", [301, 2**64 - 1])
def test_blocks_above_the_tip_are_not_found(stub: ChainServiceStub, last: int) -> None:
    refused = refusal_of(lambda: stub.ExportBlocks(pb.ExportBlocksRequest(last_number=last)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "BLOCK_NOT_FOUND")


def test_a_last_block_below_the_first_is_a_bad_field(stub: ChainServiceStub) -> None:
    request = pb.ExportBlocksRequest(first_number=3, last_number=2)
    refused = refusal_of(lambda: stub.ExportBlocks(request))
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", ("last_number",))


# -- permissions ------------------------------------------------------------------------------------


def test_a_reader_may_verify_and_export(stage: AdminStage) -> None:
    reader = stage.stub(ChainServiceStub, readonly=True)
    assert list(reader.VerifyChain(pb.VerifyChainRequest()))
    assert list(reader.ExportBlocks(pb.ExportBlocksRequest()))
