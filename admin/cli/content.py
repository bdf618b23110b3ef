"""Bytes as people give and see them: text, hex, or whatever comes through a pipe."""

from __future__ import annotations

import sys
from typing import Any

import click
from google.protobuf.message import Message

from admin.cli.link_views import printable
from admin.cli.output import Data, as_data

STANDARD_INPUT = "-"

HEX_OPTION = click.option("--hex", "is_hex", is_flag=True, help="It is given in hex.")


def content_of(text: str, *, is_hex: bool = False) -> bytes:
    """The bytes that an argument stands for; those of standard input for a dash.

    Raises:
        click.UsageError: it is to be hex, and is not.
    """
    if text == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    if not is_hex:
        return text.encode()
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        message = f"must be hex, not {text!r}"
        raise click.UsageError(message) from error


def readable(content: bytes) -> str:
    """Strangers' bytes on one line, with an escape for whatever is not to be seen."""
    return printable(content.decode(errors="backslashreplace"))


def with_hex(message: Message, **fields: Any) -> Data:
    """The data of a message, with some of its fields in hex, too: not all content is text."""
    digits = {f"{name}_hex": content.hex() for name, content in fields.items()}
    return {**as_data(message), **digits}
