"""``repair``: the chain of a node that does not run, made anew from what can be read of it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import click

from actors.chain.repair import (
    DRAFT_SUFFIX,
    Rebuilt,
    Step,
    finish,
    put_in_place,
    ready_at,
    rebuild,
    remove,
)
from actors.chain.schema import REMEDY, StoreError, recorded_network
from actors.chain.signatures import Signatures
from actors.chain.verify import Divergence, Fault, Report, verify
from actors.datadir import CHAIN_FILE, DataDir, DataDirError
from actors.ledger.network import Network
from actors.runtime.team import ThreadTeam
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import target_of, target_options
from admin.cli.output import Data, Output
from admin.cli.progress import job
from admin.cli.settings import network_of, setting_options, values_of
from admin.cli.text import count, plural
from admin.cli.verify import shown, with_progress
from admin.tuning import Source


@click.command(
    "repair",
    epilog=examples(
        "troupe repair", "troupe repair --check", "troupe repair --data-dir ~/nodes/two -o json"
    ),
)
@click.option("--check", is_flag=True, help="Look, and change nothing.")
@click.option("--rebuild", "anew", is_flag=True, help="Make it anew without a look.")
@setting_options("network", "network_file", config=False)
@target_options
@click.pass_context
def command(ctx: click.Context, /, *, check: bool, anew: bool, **_: object) -> None:
    """Make a damaged chain anew from what can be read of it.

    Looks at it first, and leaves a sound one alone. Every block that can be read is executed again into a new
    file; what was lost comes from peers when the node runs again. The old file is kept beside it, as
    chain.db.damaged-1. The node must not run. With --check: ends with 1 if it is damaged. The network is the
    one that the chain was made for; name it where the file cannot say so any more.
    """
    if check and anew:
        message = "--check and --rebuild exclude each other."
        raise click.UsageError(message)
    target = target_of(ctx)
    directory, output = target.directory(), Output(target.output)
    if not (directory / CHAIN_FILE).exists():
        message = f"there is no chain at {directory / CHAIN_FILE}"
        raise CliError(message)
    try:
        with closing(DataDir(directory, user="repair")) as held, held.chain_alone():
            if not check and ready_at(held.chain_db).exists():
                finish(held.chain_db)
            network = _network(ctx, held.chain_db)
            if not anew:
                report = _report(held.chain_db, network)
                if check or not report.divergences:
                    data, views = shown(network, report, held.chain_db)
                    output.one(data, *views)
                    ctx.exit(int(ExitCode.FAILED if report.divergences else ExitCode.OK))
            _rebuild(held.chain_db, network, output)
    except (DataDirError, StoreError) as error:
        raise CliError(str(error)) from error
    except OSError as error:
        message = f"cannot repair the chain in {directory}: {error.strerror or error}"
        raise CliError(message) from error


def _network(ctx: click.Context, path: Path) -> Network:
    """The one that is named, or that the chain was made for.

    Raises:
        CliError: It is not named, and the file does not say.
    """
    values = values_of(ctx, target_of(ctx))
    named = any(values[name].source is not Source.DEFAULT for name in ("network", "network_file"))
    if named:
        return network_of(values)
    try:
        return recorded_network(path)
    except StoreError as error:
        message = f"{path} does not say any more which network it is of: name it with --network"
        raise CliError(message) from error


def _report(path: Path, network: Network) -> Report:
    """A verification, also of a file that cannot be opened for one.

    Raises:
        StoreError: It is sound as far as can be told, and another network's or a newer program's.
    """
    try:
        return with_progress(verify(path, network))
    except StoreError as error:
        if REMEDY not in str(error):
            raise
        return Report(None, 0, 0, (Divergence(Fault.DAMAGED, None, str(error.__cause__ or error)),))


def _rebuild(path: Path, network: Network, output: Output) -> None:
    draft = path.with_name(path.name + DRAFT_SUFFIX)
    try:
        with closing(ThreadTeam(os.cpu_count() or 1)) as team:
            steps = rebuild(path, draft, network, Signatures(network, team))
            rebuilt = _with_progress(steps, output)
        aside = put_in_place(draft, path)
    finally:
        remove(draft)
    data = {
        "path": str(path),
        "damaged_path": str(aside),
        "network": network.name,
        "tip": {"number": rebuilt.tip.number, "hash": rebuilt.tip.hash.hex()},
        "block_count": rebuilt.connected,
        "waiting_count": rebuilt.waiting,
        "invalidated_count": rebuilt.marks,
        "lost_invalidated_count": rebuilt.lost_marks,
    }
    output.one(data, *_sentences(data))


def _with_progress(steps: Generator[Step, None, Rebuilt], output: Output) -> Rebuilt:
    with job(output, "repairing") as show:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                rebuilt: Rebuilt = end.value
                return rebuilt
            show({"unit": step.unit, "done_count": step.done, "total_count": step.total})


def _sentences(data: Data) -> list[str]:
    """What became of it, and what is to be done."""
    tip = data["tip"]
    kept = plural(data["block_count"], "block")
    said = [
        f"Repaired the chain of {data['network']}: {kept} kept and executed again.",
        f"The tip is {count(tip['number'])}, {tip['hash']}.",
        f"The damaged file is kept as {data['damaged_path']}: delete it when you miss nothing.",
    ]
    if data["waiting_count"]:
        said.append(
            f"{plural(data['waiting_count'], 'block')} more can be read and wait for one that was lost."
        )
    if data["lost_invalidated_count"] is None:
        said.append(
            "Which blocks were invalidated by `troupe chain invalidate` cannot be read any more."
        )
    elif data["lost_invalidated_count"]:
        said.append(
            f"{plural(data['lost_invalidated_count'], 'block')} invalidated by the operator could not be"
            " marked again."
        )
    said.append("Start the node: what was lost comes from its peers.")
    return said
