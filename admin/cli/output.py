"""Results on stdout: the same data as a table, as JSON, or as one JSON document a line.

Data are dictionaries as :func:`as_data` makes them of a message of the contract. Must not live here:
which of it a table shows (``views``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final, cast

import click
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from admin.cli.options import Format

Data = dict[str, Any]

_GAP: Final = "  "


def as_data(message: Message) -> Data:
    """A message as JSON-like data, complete: fields at their defaults are there too.

    An absent optional field is None, an enum a lower-case word without its prefix, a time is text, and
    bytes are the ASCII text that the ledger's serializations are. Integers are exact.
    """
    data: Data = {}
    for field in cast(list[FieldDescriptor], message.DESCRIPTOR.fields):
        value = getattr(message, field.name)
        if isinstance(value, MutableSequence):
            data[field.name] = [_value(field, each) for each in value]
        elif not field.has_presence or message.HasField(field.name):
            data[field.name] = _value(field, value)
        elif field.containing_oneof is None or _is_optional(field):
            data[field.name] = None
    return data


def _is_optional(field: FieldDescriptor) -> bool:
    """Whether its oneof is only how proto3 spells `optional`."""
    oneof = field.containing_oneof
    return oneof is not None and len(oneof.fields) == 1 and oneof.name == f"_{field.name}"


def _value(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.ToDatetime(tzinfo=UTC).isoformat(timespec="milliseconds")
    if isinstance(value, Message):
        return as_data(value)
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    if field.enum_type is not None:
        return enum_word(field.enum_type, value)
    return value


def enum_word(kind: EnumDescriptor, number: int) -> str:
    """``NODE_STATE_READY`` as "ready"; a value that a newer node sends as its number."""
    known = kind.values_by_number.get(number)
    if known is None:
        return str(number)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return known.name.removeprefix(prefix).lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Columns:
    """A list for people.

    Attributes:
        heads: Names of the columns; one that begins with ">" is set right.
        rows: As many cells each.
        empty: What to say instead when there is no row.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str

    def text(self) -> str:
        if not self.rows:
            return self.empty
        names = tuple(head.removeprefix(">") for head in self.heads)
        widths = [max(map(len, column)) for column in zip(names, *self.rows, strict=True)]
        lines = [click.style(self._line(names, widths), bold=True)]
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join(lines)

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        parts = [
            cell.rjust(width) if head.startswith(">") else cell.ljust(width)
            for head, cell, width in zip(self.heads, cells, widths, strict=True)
        ]
        return _GAP.join(parts).rstrip()


@dataclass(frozen=True, slots=True)
class Facts:
    """One thing for people: names and values below each other."""

    pairs: tuple[tuple[str, str], ...]

    def text(self) -> str:
        width = max(len(name) for name, _ in self.pairs)
        return "\n".join(
            f"{click.style(name.ljust(width), bold=True)}{_GAP}{value}".rstrip()
            for name, value in self.pairs
        )


View = Columns | Facts | str


class Output:
    """Writes results in the format that was asked for."""

    def __init__(self, form: Format) -> None:
        self.form = form

    @property
    def for_people(self) -> bool:
        return self.form is Format.TABLE

    def one(self, data: Mapping[str, Any], *views: View) -> None:
        """A single result; its views stand below each other."""
        if self.for_people:
            self._views(views)
        else:
            self._document(data)

    def many(self, data: Sequence[Mapping[str, Any]], *views: View) -> None:
        """A list: one JSON array, or a line each."""
        if self.for_people:
            self._views(views)
        elif self.form is Format.JSON:
            click.echo(json.dumps(data, indent=2))
        else:
            for each in data:
                self._document(each)

    def next(self, data: Mapping[str, Any], line: str) -> None:
        """One of a stream: a document each in both JSON formats."""
        if self.for_people:
            click.echo(line)
        else:
            self._document(data)

    def _document(self, data: Mapping[str, Any]) -> None:
        click.echo(json.dumps(data, indent=2 if self.form is Format.JSON else None))

    def _views(self, views: Sequence[View]) -> None:
        texts = [view if isinstance(view, str) else view.text() for view in views]
        click.echo("\n\n".join(texts))
