"""How the long jobs on the chain are shown to people: the same data as in JSON."""

from __future__ import annotations

from actors.chain.schema import REMEDY
from admin.cli.output import Columns, Data, Facts, View
from admin.cli.text import ABSENT, count, plural, yes_no


def verification(data: Data, store: str) -> tuple[View, ...]:
    """A report of a verification; ``store`` names what was verified."""
    divergences, tip = data["divergences"], data["tip"]
    checked = (
        f"{plural(data['block_count'], 'block')} and"
        f" {plural(data['transaction_count'], 'transaction')}"
    )
    if data["sound"]:
        head = "" if tip is None else f"; the tip is {count(tip['number'])}, {tip['hash']}"
        return (f"The chain is sound: {checked} of {data['network']} verified{head}.",)
    rows = tuple((count(each["number"]), each["fault"], each["detail"]) for each in divergences)
    verdict = f"The chain is NOT sound: {plural(len(rows), 'divergence')} after {checked}."
    remedy = f"{store} is not to be trusted: {REMEDY}."
    return verdict, Columns((">BLOCK", "FAULT", "DETAIL"), rows, ""), remedy


def exported(data: Data) -> str:
    """What was written where."""
    last = data["last"]
    if not data["block_count"]:
        return f"No block yet from {count(data['first_number'])} on: {data['file']} holds a header alone."
    return (
        f"Wrote {plural(data['block_count'], 'block')} of {data['network']['name']} to {data['file']}:"
        f" {count(data['first_number'])} to {count(last['number'])}, {last['hash']}."
    )


def imported(data: Data) -> tuple[View, ...]:
    """What became of the blocks."""
    tip, rejected = data["tip"], data["rejected"]
    taken = (
        f"Imported {plural(data['imported_count'], 'block')}, {count(data['known_count'])} known before;"
        f" the tip is {count(tip['number'])}, {tip['hash']}."
    )
    if rejected is None:
        return (taken,)
    stopped = (
        f"Stopped at block {count(rejected['number'])}, which the chain rejects:"
        f" {rejected['rule']} ({rejected['detail']})."
    )
    return stopped, taken


def backup(data: Data) -> Facts:
    """A backup that was made."""
    tip = data["tip"]
    return Facts(
        (
            ("backup", data["path"]),
            ("size", f"{count(data['size_bytes'])} bytes"),
            ("tip", ABSENT if tip is None else f"{count(tip['number'])}, {tip['hash']}"),
            ("verified", yes_no(data["verified"])),
        )
    )
