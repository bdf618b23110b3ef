"""``verify``: the chain executed again from genesis, beside a running node or without one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import click

from actors.chain.schema import StoreError, recorded_network
from actors.chain.verify import Progress, Report, verify
from actors.datadir import CHAIN_FILE, DataDirError, reading_chain
from actors.ledger.network import Network
from admin.cli.archive_views import verification
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import target_of, target_options
from admin.cli.output import Data, Output, View
from admin.cli.progress import progress
from admin.cli.settings import network_of, setting_options, values_of
from admin.tuning import Source


@click.command(
    "verify", epilog=examples("troupe verify", "troupe verify --data-dir ~/nodes/two -o json")
)
@setting_options("network", "network_file", config=False)
@target_options
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Execute the whole chain again, and compare it with the store.

    Works on the files of the data directory alone, in a process of its own: the node may run or not.
    `troupe chain verify` lets a node that runs do it, `troupe repair` mends what is found. The network is the one that the store was made for,
    unless one is named. Ends with 1 if they differ.
    """
    target = target_of(ctx)
    path = target.directory() / CHAIN_FILE
    values = values_of(ctx, target)
    named = any(values[name].source is not Source.DEFAULT for name in ("network", "network_file"))
    try:
        with reading_chain(target.directory()):
            network = network_of(values) if named else recorded_network(path)
            report = with_progress(verify(path, network))
    except (StoreError, DataDirError) as error:
        raise CliError(str(error)) from error
    data, views = shown(network, report, path)
    Output(target.output).one(data, *views)
    if report.divergences:
        ctx.exit(int(ExitCode.FAILED))


def with_progress(run: Generator[Progress, None, Report]) -> Report:
    """Verify to the end, with a bar."""
    with progress("verifying", None, "blocks") as advance:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                report: Report = end.value
                return report
            advance(step.done, step.total)


def shown(network: Network, report: Report, path: Path) -> tuple[Data, tuple[View, ...]]:
    """A report as data, and for people."""
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
    return data, verification(data, str(path))
