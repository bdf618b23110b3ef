"""Server reflection, as a tool asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.support.admin_stage import WAIT_S, AdminStage, staged

pb: Any = reflection_pb2
FILE = "troupe/admin/v1/node_service.proto"
NOT_FOUND = 5


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[AdminStage]:
    with staged(tmp_path) as stage:
        yield stage


def ask(stage: AdminStage, **question: Any) -> Any:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(stage.channel(""))
    requests = iter([pb.ServerReflectionRequest(**question)])
    (answer,) = stub.ServerReflectionInfo(requests, timeout=WAIT_S)
    return answer


@pytest.mark.parametrize(
    "symbol",
    [
        "troupe.admin.v1.NodeService",
        "troupe.admin.v1.NodeService.GetNode",
        "troupe.admin.v1.Node",
        "troupe.admin.v1.Node.tip",
    ],
)
def test_reflection_finds_the_file_of_services_methods_messages_and_fields(
    stage: AdminStage, symbol: str
) -> None:
    answer = ask(stage, file_containing_symbol=symbol).file_descriptor_response
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(each).name
        for each in answer.file_descriptor_proto
    ]
    assert FILE in files


@pytest.mark.parametrize("symbol", ["troupe.admin.v1.NodeService.Nothing", "nothing", ""])
def test_reflection_says_that_there_is_nothing_of_another_name(
    stage: AdminStage, symbol: str
) -> None:
    answer = ask(stage, file_containing_symbol=symbol)
    assert answer.error_response.error_code == NOT_FOUND


def test_reflection_lists_itself_and_health_among_the_services(stage: AdminStage) -> None:
    listed = {each.name for each in ask(stage, list_services="").list_services_response.service}
    assert {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "troupe.admin.v1.NodeService",
    } <= listed
