"""What was done for a request id, so that a retried call does nothing twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

from google.protobuf.message import Message
from troupe.admin.v1 import errors_pb2

from admin.errors import Refusal, require

T = TypeVar("T")

MAX_REMEMBERED = 1_024
"""Retries come within seconds; this many calls take longer than that to arrive."""
MAX_REQUEST_ID_CHARS = 64
"""A UUID takes 36."""


class Retries(Generic[T]):
    """Outcomes by request id, the newest `MAX_REMEMBERED`. Of one method; on one thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[bytes, T]] = OrderedDict()

    def recall(self, request_id: str, request: Message) -> T | None:
        """The outcome kept for this very request; None when there is none, or the id is empty.

        Raises:
            Refusal: FIELD_INVALID for an id that is too long, REQUEST_ID_REUSED for another request.
        """
        length = f"must be at most {MAX_REQUEST_ID_CHARS} characters"
        require(len(request_id) <= MAX_REQUEST_ID_CHARS, "request_id", length)
        kept = self._kept.get(request_id)
        if kept is None:
            return None
        digest, outcome = kept
        if digest != _digest(request):
            raise Refusal(
                errors_pb2.ERROR_REASON_REQUEST_ID_REUSED,
                "request_id was used before with another request",
                field="request_id",
            )
        return outcome

    def remember(self, request_id: str, request: Message, outcome: T) -> None:
        """Keep an outcome; under an empty id nothing is kept."""
        if not request_id:
            return
        self._kept[request_id] = (_digest(request), outcome)
        if len(self._kept) > MAX_REMEMBERED:
            self._kept.popitem(last=False)

    def forget(self, request_id: str) -> None:
        self._kept.pop(request_id, None)


def _digest(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
