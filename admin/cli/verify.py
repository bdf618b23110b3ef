"""``verify``: the chain executed again from genesis, beside a running node or without one."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from pathlib import Path

import click

from actors.chain.schema import StoreError
from actors.chain.verify import Progress, Report, verify
from actors.ledger.network import Network, parse_network
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import target_of, target_options
from admin.cli.output import Columns, Data, Output
from admin.cli.progress import progress
from admin.cli.settings import Source, network_of, setting_options, values_of
from admin.cli.text import ABSENT, count, plural

CHAIN_FILE = "chain.db"


@click.command(
    "verify", epilog=examples("troupe verify", "troupe verify --data-dir ~/nodes/two -o json")
)
@setting_options("network", "network_file", config=False)
@target_options
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Execute the whole chain again, and compare it with the store.

    Works on the files of the data directory alone: the node may run or not. The network is the one that
    the store was made for, unless one is named. Ends with 1 if they differ.
    """
    target = target_of(ctx)
    path = target.directory() / CHAIN_FILE
    values = values_of(ctx, target)
    named = any(values[name].source is not Source.DEFAULT for name in ("network", "network_file"))
    try:
        network = network_of(values) if named else recorded_network(path)
        report = _with_progress(verify(path, network))
    except StoreError as error:
        raise CliError(str(error)) from error
    _show(Output(target.output), network, report)
    if report.divergences:
        ctx.exit(int(ExitCode.FAILED))


def _with_progress(run: Generator[Progress, None, Report]) -> Report:
    with progress("verifying", None, "blocks") as advance:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                report: Report = end.value
                return report
            advance(step.done, step.total)


def _show(output: Output, network: Network, report: Report) -> None:
    tip = report.tip
    data: Data = {
        "sound": not report.divergences,
        "network": network.name,
        "tip": None if tip is None else {"number": tip.number, "hash": tip.hash.hex()},
        "block_count": report.blocks,
        "transaction_count": report.transactions,
        "divergences": [
            {"fault": each.fault.value, "number": each.number, "detail": each.detail}
            for each in report.divergences
        ],
    }
    checked = f"{plural(report.blocks, 'block')} and {plural(report.transactions, 'transaction')}"
    if not report.divergences:
        head = "" if tip is None else f"; the tip is {count(tip.number)}, {tip.hash.hex()}"
        output.one(data, f"The chain is sound: {checked} of {network.name} verified{head}.")
        return
    rows = tuple(
        (count(each.number) if each.number is not None else ABSENT, each.fault.value, each.detail)
        for each in report.divergences
    )
    verdict = f"The chain is NOT sound: {plural(len(rows), 'divergence')} after {checked}."
    output.one(data, verdict, Columns((">BLOCK", "FAULT", "DETAIL"), rows, ""))


def recorded_network(path: Path) -> Network:
    """The network that a store was made for, as it records it.

    Raises:
        StoreError: there is no store, or it records none.
    """
    if not path.exists():
        message = f"there is no chain at {path}"
        raise StoreError(message)
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT value FROM meta WHERE key = 'network'").fetchone()
        finally:
            connection.close()
        return _parse_definition(str(row[0]))
    except (sqlite3.DatabaseError, TypeError, ValueError) as error:
        message = f"{path} does not say which network it is of: name it with --network"
        raise StoreError(message) from error


def _parse_definition(line: str) -> Network:
    """The inverse of ``Network.definition``."""
    texts = dict(part.split("=", 1) for part in line.split(" "))
    table: dict[str, object] = {**texts, "allow_generate": texts.get("allow_generate") == "true"}
    for key in ("difficulty", "block_reward", "max_transactions_per_block"):
        table[key] = int(texts[key])
    return parse_network(table)
