"""``bench``: how fast this machine does what a node does, measured without one."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from actors.chain.bench import Counts, Step, measure_signatures, measure_store
from actors.chain.schema import StoreError
from actors.miner import native
from actors.miner.bench import Progress, Row, Timing, measure
from actors.miner.engines import HASHLIB, NoKernelError, plan_engine
from actors.miner.native import is_sound
from actors.runtime.team import Alone, Team, ThreadTeam
from admin.cli.exits import CliError
from admin.cli.help import examples
from admin.cli.options import output_option, target_of, target_options
from admin.cli.output import Columns, Output
from admin.cli.progress import progress
from admin.cli.settings import setting_options, values_of
from admin.cli.signals import interrupting
from admin.cli.text import count

TIMING: Final = Timing(now_s=time.perf_counter, wait_s=time.sleep)
COUNTS: Final = Counts()

Rows = TypeVar("Rows", bound=tuple[Any, ...])


@click.group(epilog=examples("troupe bench pow", "troupe bench signatures", "troupe bench store"))
def bench() -> None:
    """Measure this machine."""


@bench.command("pow", epilog=examples("troupe bench pow", "troupe bench pow -o json"))
@setting_options("kernel", config=False)
@output_option
@click.pass_context
def proof_of_work(ctx: click.Context, /, **_: object) -> None:
    """Measure every kernel of the nonce scan.

    In millions of hashes a second, on one thread and on as many as there are processors to use, for a
    block of no transactions and of ten; beside them what hashlib does in as many processes, and how
    often faster the kernel is. The kernel that mining would use is the selected one.

    Takes about 20 seconds. Nothing else should run meanwhile, a mining node least of all.
    """
    target = target_of(ctx)
    try:
        plan = plan_engine(str(values_of(ctx, target)["kernel"].value))
    except NoKernelError as error:
        raise CliError(str(error)) from error
    selected = plan.kernels[0].name if plan.kernels else HASHLIB
    if plan.note:
        click.echo(f"Mining would run {selected}: {plan.note}.", err=True)
    kernels = [each for each in native.kernels() if is_sound(each)]
    rows = _with_progress(measure(kernels, selected, thread_counts(), TIMING))
    _show(Output(target.output), rows)


@bench.command(
    "signatures", epilog=examples("troupe bench signatures", "troupe bench signatures -o json")
)
@output_option
@click.pass_context
def signatures(ctx: click.Context) -> None:
    """Measure how many signatures are verified in a second.

    For the keys of each network, on one thread and on as many as there are processors to use: it bounds how
    fast a node downloads a chain and takes in transactions.

    Takes some 10 seconds. Nothing else should run meanwhile.
    """
    with ExitStack() as stack:
        teams: list[tuple[int, Team]] = [(1, Alone())]
        teams += [  # the thread that asks works along
            (threads, stack.enter_context(closing(ThreadTeam(threads - 1))))
            for threads in thread_counts()[1:]
        ]
        rows = _with_progress(measure_signatures(teams, time.perf_counter, COUNTS))
    cells = tuple(
        (each.scheme, count(each.threads), f"{each.signatures_per_s:,.0f}") for each in rows
    )
    heads = ("SCHEME", ">THREADS", ">SIGNATURES/S")
    Output(target_of(ctx).output).many([asdict(each) for each in rows], Columns(heads, cells, ""))


@bench.command(
    "store",
    epilog=examples(
        "troupe bench store",
        "troupe bench store --data-dir ~/nodes/two",
        "troupe bench store /mnt/disk -o json",
    ),
)
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@target_options
@click.pass_context
def store(ctx: click.Context, folder: Path | None) -> None:
    """Measure how fast blocks are committed to the disk.

    Blocks of ten transactions, verified before, one by one as they arrive at the tip; beside it, what the
    disk takes for a page of a file: a commit waits for it. FOLDER is on the disk to be measured; without
    one it is the disk of the data directory. What is written is removed.
    """
    target = target_of(ctx)
    place = _existing(target.directory()) if folder is None else folder
    try:
        with (
            interrupting(),
            tempfile.TemporaryDirectory(prefix=".troupe-bench-", dir=place) as name,
        ):
            rows = _with_progress(measure_store(Path(name), time.perf_counter, COUNTS))
    except (OSError, StoreError, sqlite3.Error) as error:
        message = f"cannot measure the disk of {place}: {error}"
        raise CliError(message) from error
    cells = tuple((each.what, f"{each.p50_ms:.3f}", f"{each.p99_ms:.3f}") for each in rows)
    heads = ("WRITE", ">P50 MS", ">P99 MS")
    Output(target.output).many([asdict(each) for each in rows], Columns(heads, cells, ""))


def _existing(place: Path) -> Path:
    """The folder, or the one that it will be made in: the root exists always."""
    whole = place.absolute()
    return next(each for each in (whole, *whole.parents) if each.is_dir())


def thread_counts() -> tuple[int, ...]:
    """One, and all the processors that we may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every POSIX system
    usable = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return (1,) if usable == 1 else (1, usable)


def _with_progress(run: Generator[Progress | Step, None, Rows]) -> Rows:
    with progress("measuring", None, "rounds") as advance:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                rows: Rows = end.value
                return rows
            advance(step.done, step.total)


def _show(output: Output, rows: tuple[Row, ...]) -> None:
    cells = tuple(
        (
            each.kernel,
            count(each.threads),
            count(each.transactions),
            f"{each.mh_per_s:.2f}",
            f"{each.hashlib_mh_per_s:.2f}",
            f"{each.ratio:.1f}",
            "yes" if each.selected else "",
        )
        for each in rows
    )
    heads = (
        "KERNEL",
        ">THREADS",
        ">TRANSACTIONS",
        ">MH/S",
        ">HASHLIB MH/S",
        ">RATIO",
        "SELECTED",
    )
    output.many([asdict(each) for each in rows], Columns(heads, cells, ""))
