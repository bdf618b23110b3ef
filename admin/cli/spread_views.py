"""What a table shows of gossip and searches; pure, from the dictionaries of ``output`` to its views.

What comes from peers is strangers' bytes: it is shown escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin.cli.content import readable
from admin.cli.link_views import printable
from admin.cli.output import Columns, Facts
from admin.cli.text import clock_time, count, duration, local_time, plural, short, yes_no

Data = Mapping[str, Any]

_KIND_WIDTH = 12
"""Of the longest kind in use; longer ones push the rest of their line aside."""
_OTHERS = "(others)"
_HERE = "this node"


def gossip(data: Data) -> tuple[Facts, Columns]:
    """What is remembered, and what became of each kind."""
    most, lifetime = count(data["max_seen_count"]), duration(data["seen_lifetime_s"])
    facts = Facts(
        (
            ("seen ids", f"{count(data['seen_id_count'])} of {most}, for {lifetime}"),
            ("seen contents", f"{count(data['seen_content_count'])} of {most}, for {lifetime}"),
            (
                "awaiting",
                f"{count(data['awaiting_count'])} of {count(data['max_awaiting_count'])}",
            ),
            ("subscribers", count(data["subscriber_count"])),
        )
    )
    return facts, _kinds(data["kinds"])


def _kinds(data: Sequence[Data]) -> Columns:
    return Columns(
        (
            *("KIND", "HANDLED", ">SUBSCRIBERS", ">RECEIVED", ">KNOWN", ">DROPPED"),
            *(">RELAYED", ">PUBLISHED"),
        ),
        tuple(
            (
                printable(each["kind"]) or _OTHERS,
                yes_no(each["handled"]),
                count(each["subscriber_count"]),
                count(each["received_count"]),
                count(each["duplicate_count"]),
                count(each["dropped_count"]),
                count(each["relayed_count"]),
                count(each["published_count"]),
            )
            for each in data
        ),
        "No gossip yet.",
    )


def published(data: Data) -> str:
    """A message that went out."""
    peers = plural(data["peer_count"], "peer")
    return f"{data['kind']} published to {peers} as {data['message_id']}."


def message(data: Data, payload: bytes) -> str:
    """A message of gossip on a line."""
    kind = printable(data["kind"])
    start = f"{clock_time(data['receive_time'])}  {kind:<{_KIND_WIDTH}}"
    source = printable(data["peer"]) or _HERE
    return f"{start}  {source:<21}  {plural(len(payload), 'byte'):>11}  {readable(payload)}"


def line(data: Data) -> str:
    """What somebody said."""
    return f"{clock_time(data['time'])}  {printable(data['sender'])}: {printable(data['text'])}"


def answer(data: Data, payload: bytes) -> str:
    """An answer on a line, short or not."""
    source = f"{clock_time(data['receive_time'])}  {printable(data['peer'])}"
    return f"{source}  {plural(len(payload), 'byte')}  {readable(payload)}"


def items(data: Sequence[Data]) -> Columns:
    """What the node answers searches with."""
    return Columns(
        ("KIND", "QUERY", ">BYTES", "SHA-256", "SINCE", ">ANSWERS"),
        tuple(
            (
                each["kind"],
                readable(bytes.fromhex(each["query_hex"])),
                count(each["size_bytes"]),
                short(each["sha256"]),
                local_time(each["provide_time"]),
                count(each["answer_count"]),
            )
            for each in data
        ),
        "No items. Provide one with `troupe search provide KIND QUERY ITEM`.",
    )
