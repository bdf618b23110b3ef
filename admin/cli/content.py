"""Bytes as people give and see them: text, hex, or whatever comes through a pipe."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

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
    content = sys.stdin.buffer.read() if text == STANDARD_INPUT else bytes_of(text)
    if not is_hex:
        return content
    try:
        return bytes.fromhex(content.decode("ascii"))
    except ValueError as error:
        what = "standard input" if text == STANDARD_INPUT else repr(text)
        message = f"must be hex, not {what}"
        raise click.UsageError(message) from error


def bytes_of(argument: str) -> bytes:
    """An argument as it was given, also where it is no UTF-8."""
    return argument.encode(errors="surrogateescape")


def text_of(argument: str) -> str:
    """An argument as text, with an escape for each byte that is none."""
    return bytes_of(argument).decode(errors="backslashreplace")


def readable(content: bytes) -> str:
    """Strangers' bytes on one line, with an escape for whatever is not to be seen."""
    return printable(content.decode(errors="backslashreplace"))


def with_hex(message: Message, **fields: Any) -> Data:
    """The data of a message, with some of its fields in hex, too: not all content is text."""
    digits = {f"{name}_hex": content.hex() for name, content in fields.items()}
    return {**as_data(message), **digits}


def standard_input() -> IO[bytes]:
    """Standard input for a thread that waits for it: a file of its own.

    Whoever waits in ``sys.stdin`` itself holds its lock, without which Python cannot end: Ctrl-C would abort.
    """
    try:
        descriptor = os.dup(sys.stdin.fileno())
    except OSError:  # replaced by something that is no file
        return sys.stdin.buffer
    return os.fdopen(descriptor, "rb")
