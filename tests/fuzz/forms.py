"""Requests of the admin API, filled in field by field with what means something somewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.fuzz.draw import Draw

MAX_DEPTH = 3
NUMBERS = (0, 1, 2, 7, 100, 1_000, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, -1)
FLOATS = (0.0, 1.0, -1.0, 0.001, 3600.0, 1e308, math.inf, math.nan)
_FLOATS = {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}


class Forms:
    """Draws messages.

    Attributes:
        heard: Page tokens that were answers; the last one may be asked with.
    """

    def __init__(self, texts: Mapping[str, Sequence[str]], raws: Sequence[bytes]) -> None:
        """Args:
        texts: What strings are made of, by a part of their field's name; "" is of every name.
        raws: The same for bytes.
        """
        self._texts, self._raws = texts, raws
        self.heard: list[str] = []

    def draw(self, draw: Draw, descriptor: Descriptor, depth: int = 0) -> Message:
        message = GetMessageClass(descriptor)()
        for field in descriptor.fields:
            if draw.below(4) == 0 or depth > MAX_DEPTH:
                continue
            with suppress(ValueError, TypeError):  # a number that its field cannot hold, a map
                self._fill(draw, message, field, depth)
        return message

    def _fill(self, draw: Draw, message: Message, field: FieldDescriptor, depth: int) -> None:
        if field.is_repeated:
            values = [self._value(draw, field, depth) for _ in range(draw.below(4))]
            getattr(message, field.name).extend(values)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(self._value(draw, field, depth))
        else:
            setattr(message, field.name, self._value(draw, field, depth))

    def _value(self, draw: Draw, field: FieldDescriptor, depth: int) -> Any:
        if field.message_type is not None:
            return self.draw(draw, field.message_type, depth + 1)
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(draw, field.name)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return draw.blob() if draw.below(8) == 1 else draw.pick(self._raws)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return bool(draw.below(2))
        if field.cpp_type in _FLOATS:
            return draw.pick(FLOATS)
        return draw.number() if draw.below(2) else draw.pick(NUMBERS)

    def _text(self, draw: Draw, name: str) -> str:
        if name == "page_token" and self.heard and draw.below(2):
            return self.heard[-1]
        if draw.below(8) == 1:
            return draw.blob().decode("utf-8", "replace")
        fitting = [texts for part, texts in self._texts.items() if part in name]
        return draw.pick(draw.pick(fitting[::-1]))
