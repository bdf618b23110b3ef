"""What a server tells of itself by reflection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.support.admin_stage import AdminStage


def served_methods(stage: AdminStage) -> Iterator[str]:
    """Every method that reflection tells of."""
    database: Any = ProtoReflectionDescriptorDatabase(stage.channel(""))
    pool = DescriptorPool(database)
    for service in database.get_services():
        for method in pool.FindServiceByName(service).methods:
            yield f"/{service}/{method.name}"
