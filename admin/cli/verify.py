"""``verify``: the chain executed again from genesis, beside a running node or without one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import click

from actors.chain.schema import StoreError, recorded_network
from actors.chain.verify import Divergence, Fault, Progress, Report, verify
from actors.ledger.network import Network
from admin.cli.archive_views import REMEDY, verification
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import target_of, target_options
from admin.cli.output import Data, Output
from admin.cli.progress import progress
from admin.cli.settings import network_of, setting_options, values_of
from admin.tuning import Source

CHAIN_FILE = "chain.db"


@click.command(
    "verify", epilog=examples("troupe verify", "troupe verify --data-dir ~/nodes/two -o json")
)
@setting_options("network", "network_file", config=False)
@target_options
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Execute the whole chain again, and compare it with the store.

    Works on the files of the data directory alone, in a process of its own: the node may run or not.
    `troupe chain verify` lets a node that runs do it. The network is the one that the store was made for,
    unless one is named. Ends with 1 if they differ.
    """
    target = target_of(ctx)
    path = target.directory() / CHAIN_FILE
    values = values_of(ctx, target)
    named = any(values[name].source is not Source.DEFAULT for name in ("network", "network_file"))
    try:
        network = network_of(values) if named else recorded_network(path)
        report = _with_progress(verify(path, network))
    except StoreError as error:
        raise CliError(_sentence(path, error)) from error
    found = tuple(_finding(path, each) for each in report.divergences)
    _show(Output(target.output), network, replace(report, divergences=found), path)
    if report.divergences:
        ctx.exit(int(ExitCode.FAILED))


def _sentence(path: Path, error: StoreError) -> str:
    """What is wrong with the store; of a damaged one, without the advice to run this very command."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError):
        return f"{path} is damaged ({cause}): {REMEDY}"
    return str(error)


def _finding(path: Path, divergence: Divergence) -> Divergence:
    """The same, where SQLite gave up on the way."""
    told = re.match(re.escape(f"{path} is damaged (") + r"(.*?)\): ", divergence.detail)
    if divergence.fault is not Fault.DAMAGED or told is None:
        return divergence
    return replace(divergence, detail=told[1])


def _with_progress(run: Generator[Progress, None, Report]) -> Report:
    with progress("verifying", None, "blocks") as advance:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                report: Report = end.value
                return report
            advance(step.done, step.total)


def _show(output: Output, network: Network, report: Report, path: Path) -> None:
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
    output.one(data, *verification(data, str(path)))
