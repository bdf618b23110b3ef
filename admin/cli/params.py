"""Parameter types: what people type, checked before anything is done with it."""

from __future__ import annotations

import ipaddress
import math
import re
from typing import TYPE_CHECKING, Any, Final

import click

from admin.bind import AdminBindError, parts_of

MAX_PORT: Final = 65_535
MAX_BYTE: Final = 255
MAX_AMOUNT: Final = 2**63 - 1
"""LEDGER: the largest integer of the ledger, a block's nonce excepted."""
MAX_ADDRESS_DIGITS: Final = 1_024
"""ADMIN_API: the longest address that GetAccount takes."""
HASH_DIGITS: Final = 64

if TYPE_CHECKING:
    Kind = click.ParamType[Any]
else:
    Kind = click.ParamType
"""Generic for the type checker alone: at run time only in the newest click."""

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def split_host_port(text: str) -> tuple[str, int]:
    """The parts of a checked ``host:port``."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def _fault_of_host_port(text: str, lowest_port: int) -> str | None:
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or not lowest_port <= int(port) <= MAX_PORT:
        return f"must be HOST:PORT with a port from {lowest_port} to {MAX_PORT}, not {text!r}"
    is_ipv4 = _IPV4.fullmatch(host) and all(int(part) <= MAX_BYTE for part in host.split("."))
    if not is_ipv4 and (_IPV4.fullmatch(host) or not _NAME.fullmatch(host)):
        return f"must begin with an IPv4 address or a host name, not {host!r}"
    return None


class HostPort(Kind):
    """``host:port``; a port of 0, where it is allowed, means any free one."""

    name = "host:port"

    def __init__(self, *, any_port: bool) -> None:
        self._lowest_port = 0 if any_port else 1

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        fault = _fault_of_host_port(text, self._lowest_port)
        if fault is not None:
            self.fail(fault, param, ctx)
        return text


class NumberRange(click.FloatRange):
    """A number within bounds; no NaN, of which no comparison with a bound says that it is outside."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class NoneOrAtLeast(click.IntRange):
    """0, or an integer of the ledger that is not below a bound."""

    def __init__(self, least: int) -> None:
        super().__init__(0)
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if 0 < number < self._least:
            self.fail(f"must be 0 or at least {self._least}, not {number}", param, ctx)
        if number > MAX_AMOUNT:
            self.fail(f"must be at most {MAX_AMOUNT}, not {number}", param, ctx)
        return number


class AdminAddress(Kind):
    """Where the admin server listens, or is called; an IPv6 address is in brackets."""

    name = "host:port"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        try:
            host, _ = parts_of(text)
        except AdminBindError as error:
            self.fail(str(error), param, ctx)
        if not _is_host(host):
            self.fail(f"must begin with an IP address or a host name, not {host!r}", param, ctx)
        return text


class HostName(Kind):
    """A host name or an IP address."""

    name = "name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        if not _is_host(text):
            self.fail(f"must be a host name or an IP address, not {text!r}", param, ctx)
        return text


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return not _IPV4.fullmatch(text) and _NAME.fullmatch(text) is not None
    return True


class Hex(Kind):
    """Lower-case hex of whole bytes, and of a given length if there is one."""

    name = "hex"

    def __init__(self, *, digits: int | None = None) -> None:
        self._digits = digits

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        if self._digits is not None and len(text) != self._digits:
            self.fail(f"must be {self._digits} hex digits, not {len(text)}", param, ctx)
        if not _HEX.fullmatch(text) or len(text) > MAX_ADDRESS_DIGITS:
            self.fail(f"must be lower-case hex of even length, not {text!r}", param, ctx)
        return text


class BlockName(Kind):
    """A block by its number (an ``int``), its hash (64 hex digits) or the word "tip"."""

    name = "hash|number|tip"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        text = str(value)
        if text == "tip" or (len(text) == HASH_DIGITS and _HEX.fullmatch(text)):
            return text
        if not _NUMBER.fullmatch(text) or int(text) > MAX_AMOUNT:
            self.fail(
                f"must be a block's number, its hash of {HASH_DIGITS} lower-case hex digits, or"
                f" the word tip, not {text!r}",
                param,
                ctx,
            )
        return int(text)


class Seconds(Kind):
    """A whole number of seconds, minutes, hours or days, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"must be a number with s, m, h or d, as in 12h, not {value!r}", param, ctx)
        return int(match[1]) * _UNITS[match[2]]
