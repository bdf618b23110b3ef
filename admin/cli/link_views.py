"""What a table shows of connections and messages; pure, from the dictionaries of ``output`` to its views.

Kinds and payloads are strangers' bytes: what could move a terminal's cursor is shown escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin.cli.output import Columns, Facts
from admin.cli.text import ABSENT, clock_time, count, duration, plural, yes_no

Data = Mapping[str, Any]

_KIND_WIDTH = 24
"""Of the longest kind in use, with room; longer ones push the rest of their line aside."""


def printable(text: str) -> str:
    """The text on one line, with an escape for each character that is not to be seen."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def transport(data: Data) -> Facts:
    """The transport in numbers."""
    limits = data["limits"]
    states = {each["state"]: each["count"] for each in data["connection_counts"]}
    open_now = f"{count(sum(states.values()))} of {count(limits['max_connections'])}"
    by_state = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    ends = ", ".join(f"{each['count']} {each['reason']}" for each in data["end_counts"])
    return Facts(
        (
            ("listening", data["listen_address"]),
            ("accepting", yes_no(data["accepting"])),
            ("connections", f"{open_now} ({by_state})" if by_state else open_now),
            ("dialing", count(data["dialing_count"])),
            (
                "accepted",
                f"{count(data['accepted_count'])}, {count(data['refused_count'])} refused",
            ),
            (
                "dialed",
                f"{count(data['dialed_count'])}, {count(data['failed_dial_count'])} failed",
            ),
            ("ended", ends or "none"),
            ("received", _volume(data["received_frame_count"], data["received_bytes"])),
            ("sent", _volume(data["sent_frame_count"], data["sent_bytes"])),
            ("unsent", plural(data["unsent_bytes"], "byte")),
            (
                "held",
                f"{plural(data['held_bytes'], 'byte')} of {count(data['limits']['buffer_limit_bytes'])}",
            ),
        )
    )


def _volume(frames: int, size_bytes: int) -> str:
    return f"{plural(frames, 'frame')}, {plural(size_bytes, 'byte')}"


def connections(data: Sequence[Data]) -> Columns:
    """The open connections."""
    return Columns(
        (
            ">ID",
            "REMOTE",
            "DIRECTION",
            "STATE",
            "PEER",
            ">AGE",
            ">IDLE",
            ">BYTES IN",
            ">BYTES OUT",
            ">UNSENT",
            ">UNHANDLED",
        ),
        tuple(
            (
                str(each["id"]),
                each["remote_address"],
                "outbound" if each["initiated"] else "inbound",
                each["state"],
                each["peer_address"] or ABSENT,
                duration(each["age_s"]),
                duration(each["idle_s"]),
                count(each["received_bytes"]),
                count(each["sent_bytes"]),
                count(each["unsent_bytes"]),
                count(each["unhandled_frame_count"]),
            )
            for each in data
        ),
        "No connections.",
    )


def messaging(data: Data) -> Facts:
    """What has passed in all, and what went wrong."""
    unknown = sum(each["count"] for each in data["unknown_kinds"])
    names = ", ".join(
        f"{printable(each['kind'])} {count(each['count'])}" for each in data["unknown_kinds"]
    )
    return Facts(
        (
            ("received", plural(data["received_count"], "message")),
            ("in flight", plural(data["in_flight_count"], "request")),
            ("malformed", count(data["malformed_count"])),
            ("dropped early", count(data["early_dropped_count"])),
            ("late responses", count(data["late_response_count"])),
            ("unasked responses", count(data["unasked_response_count"])),
            ("unknown kinds", f"{count(unknown)} ({names})" if names else count(unknown)),
        )
    )


def kinds(data: Sequence[Data]) -> Columns:
    """Traffic by kind."""
    return Columns(
        ("KIND", ">RECEIVED", ">BYTES IN", ">SENT", ">BYTES OUT"),
        tuple(
            (
                printable(each["kind"]) or ABSENT,
                count(each["received_count"]),
                count(each["received_payload_bytes"]),
                count(each["sent_count"]),
                count(each["sent_payload_bytes"]),
            )
            for each in data
        ),
        "No messages yet.",
    )


def traced(data: Data) -> str:
    """A message that passed, on a line."""
    where = data["peer_address"] or f"connection {data['connection_id']}"
    line = (
        f"{clock_time(data['time'])}  {'out' if data['direction'] == 'sent' else 'in ':<3}"
        f"  {data['type']:<8}  {printable(data['kind']) or ABSENT:<{_KIND_WIDTH}}"
        f"  {data['message_id']:>6}  {plural(data['payload_size_bytes'], 'byte'):>13}  {where}"
    )
    return f"{line}  {printable(data['payload'])}".rstrip()


def response(data: Data) -> Facts:
    """What a peer answered."""
    return Facts(
        (
            ("connection", str(data["connection_id"])),
            ("elapsed", f"{1000 * data['elapsed_s']:.1f} ms"),
            ("size", plural(len(data["payload_hex"]) // 2, "byte")),
            ("payload", printable(data["payload"])),
        )
    )
