"""``bench``: how fast this machine does what a node does, measured without one."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from dataclasses import asdict
from typing import Final

import click

from actors.miner import native
from actors.miner.bench import Progress, Row, Timing, measure
from actors.miner.engines import HASHLIB, NoKernelError, plan_engine
from actors.miner.native import is_sound
from admin.cli.exits import CliError
from admin.cli.help import examples
from admin.cli.options import output_option, target_of
from admin.cli.output import Columns, Output
from admin.cli.progress import progress
from admin.cli.settings import setting_options, values_of
from admin.cli.text import count

TIMING: Final = Timing(now_s=time.perf_counter, wait_s=time.sleep)


@click.group(epilog=examples("troupe bench pow"))
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


def thread_counts() -> tuple[int, ...]:
    """One, and all the processors that we may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every POSIX system
    usable = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return (1,) if usable == 1 else (1, usable)


def _with_progress(run: Generator[Progress, None, tuple[Row, ...]]) -> tuple[Row, ...]:
    with progress("measuring", None, "rounds") as advance:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                rows: tuple[Row, ...] = end.value
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
