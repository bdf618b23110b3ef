"""What a table shows of peers, addresses, bans and the graph of nodes; pure, as ``views``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from admin.cli.output import Columns, Facts
from admin.cli.text import ABSENT, count, local_time, plural, yes_no

Data = Mapping[str, Any]

BAN_AT = 100
"""Points that end in a ban (Peer.score)."""
SHOWN_NEIGHBOURS = 4
"""Addresses on a line beside the others; all are in the JSON."""


def peer(data: Data) -> Facts:
    """One peer."""
    return Facts(
        (
            ("address", data["address"]),
            ("verified", yes_no(data["verified"])),
            ("told to others", yes_no(data["listed"])),
            ("direction", "outbound" if data["initiated"] else "inbound"),
            ("score", points(data["score"])),
            ("remote", data["remote_address"]),
            ("kind", ABSENT if data["kind"] == "unspecified" else data["kind"]),
            ("agent", data["agent"] or ABSENT),
            ("height", count(data["height"])),
            ("since", local_time(data["connect_time"])),
            ("connections", ", ".join(map(str, data["connection_ids"]))),
        )
    )


def points(score: float) -> str:
    """A score among those that end in a ban."""
    return f"{score:.0f} of {BAN_AT}"


def slots(data: Data) -> Facts:
    """The places for peers."""
    wanted, outbound = count(data["wanted_count"]), count(data["wanted_outbound_count"])
    return Facts(
        (
            ("outbound", count(data["outbound_count"])),
            ("inbound", count(data["inbound_count"])),
            ("sought", f"below {wanted}, and below {outbound} outbound"),
            ("let go", f"above {count(data['target_count'])}"),
            ("refused", f"above {count(data['limit_count'])}"),
            ("dialing", count(data["dialing_count"])),
            ("addresses", count(data["known_address_count"])),
        )
    )


def slots_line(data: Data) -> str:
    """The places in one line."""
    peers = data["outbound_count"] + data["inbound_count"]
    return (
        f"{count(peers)} of {count(data['wanted_count'])} to {count(data['target_count'])} wanted,"
        f" {count(data['outbound_count'])} of {count(data['wanted_outbound_count'])} outbound,"
        f" {count(data['known_address_count'])} known"
    )


def addresses(data: Sequence[Data]) -> Columns:
    """The address book."""
    return Columns(
        ("ADDRESS", "SOURCE", "STATE", ">FAILURES", "LAST SUCCESS", "NEXT DIAL"),
        tuple(
            (
                each["address"],
                each["source"],
                _state(each),
                count(each["failure_count"]),
                local_time(each["last_success_time"]),
                local_time(each["next_dial_time"]),
            )
            for each in data
        ),
        "The node knows no addresses.",
    )


def _state(known: Data) -> str:
    if known["banned"]:
        return "banned"
    return "connected" if known["connected"] else ABSENT


def bans(data: Sequence[Data]) -> Columns:
    """The bans in force."""
    return Columns(
        ("TARGET", "UNTIL", "SINCE", "REASON"),
        tuple(
            (
                each["target"],
                local_time(each["expire_time"]),
                local_time(each["create_time"]),
                each["reason"] or ABSENT,
            )
            for each in data
        ),
        "Nobody is banned.",
    )


def banned(data: Data) -> str:
    """A ban as the beginning of a sentence."""
    return f"{data['target']} is banned until {local_time(data['expire_time'])}"


def topology(data: Data) -> tuple[Columns | str, ...]:
    """The nodes with whom each knows, and how much that is."""
    knows = defaultdict[str, list[str]](list)
    for edge in data["edges"]:
        knows[edge["from_address"]].append(edge["to_address"])
    rows = tuple(
        (
            node["address"],
            str(node["distance"]),
            "not-asked" if node["state"] == "unspecified" else node["state"],
            count(len(knows[node["address"]])),
            _neighbours(knows[node["address"]]),
        )
        for node in data["nodes"]
    )
    listing = Columns(("NODE", ">DISTANCE", "STATE", ">KNOWS", "WHOM"), rows, "")
    whole = f"{plural(len(rows), 'node')}, {plural(len(data['edges']), 'edge')}"
    rest = "; there may be more: the time was over, or a limit reached" if data["truncated"] else ""
    return listing, f"{whole}{rest}."


def _neighbours(known: Sequence[str]) -> str:
    shown = " ".join(known[:SHOWN_NEIGHBOURS])
    return f"{shown} ..." if len(known) > SHOWN_NEIGHBOURS else shown or ABSENT
