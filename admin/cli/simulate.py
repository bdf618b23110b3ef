"""``simulate``: many nodes in this process, on simulated time, wires, hardware and disks."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final, Self

import click

from actors.simulation.play import play
from actors.simulation.report import Report
from actors.simulation.scenario import Scenario
from admin.cli.bench import thread_counts
from admin.cli.exits import CliError, ExitCode
from admin.cli.help import examples
from admin.cli.options import output_option, target_of
from admin.cli.output import Output
from admin.cli.progress import progress
from admin.cli.simulate_options import replay_command, scenario_of, scenario_options
from admin.cli.simulate_plot import plot
from admin.cli.simulate_views import report_data, report_views, summary_data, summary_views

MAX_SEEDS: Final = 100_000
MAX_JOBS: Final = 256
_INTERRUPT: Final = {signal.SIGINT}
"""Held back while processes begin, which inherit that: one that is not set up yet would say how it was ended."""

_FILE: Final = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command(
    epilog=examples(
        "troupe simulate --minutes 60",
        "troupe simulate --nodes 1000 --blocks 20 --block-every 30 --plot spread.svg",
        "troupe simulate --byzantine 0.2 --loss 0.02 --partition 1 --crash 2 --seeds 1000",
        "troupe simulate --partition 60-120:0+1 --fall 200-201:3 --trace trace.txt -o json",
    )
)
@scenario_options
@click.option(
    "--seeds",
    type=click.IntRange(1, MAX_SEEDS),
    default=1,
    metavar="K",
    help="Play so many seeds, S to S+K-1, until one fails.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    metavar="J",
    help="In so many processes. [default: one for each processor]",
)
@click.option("--plot", "plot_file", type=_FILE, metavar="FILE", help="Draw the report, as SVG.")
@click.option(
    "--trace", "trace_file", type=_FILE, metavar="FILE", help="Write a line for each event."
)
@click.option("--log", "with_log", is_flag=True, help="Write what the nodes log to stderr.")
@output_option
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    *,
    seeds: int,
    jobs: int | None,
    plot_file: Path | None,
    trace_file: Path | None,
    with_log: bool,
    **options: Any,
) -> None:
    """Play a network of whole nodes in this process, and report on it.

    The actors are the real ones; time, wires, mining hardware and disks are simulated, and everything
    follows from the seed: the same command does the same again, to the last byte. After every event ledgers
    and queues are looked at, and every few events of a room its bounds and bans. What does not hold ends the
    run with exit code 1, and with the command that plays it again.
    """
    scenario = scenario_of(options)
    if seeds > 1 and (plot_file or trace_file):
        message = "--plot and --trace are for a single seed"
        raise click.UsageError(message)
    output = Output(target_of(ctx).output)
    with _silence(unless=with_log):
        if seeds > 1:
            failed = _play_many(scenario, seeds, jobs or thread_counts()[-1], output)
        else:
            failed = _play_one(scenario, output, plot_file, trace_file)
    ctx.exit(int(ExitCode.FAILED if failed else ExitCode.OK))


@contextmanager
def _silence(*, unless: bool) -> Iterator[None]:
    """Faults that are meant to be are nobody's news."""
    before = logging.root.manager.disable
    if not unless:
        logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _play_one(
    scenario: Scenario, output: Output, plot_file: Path | None, trace_file: Path | None
) -> bool:
    with ExitStack() as stack:
        files = [
            None if file is None else stack.enter_context(_File(file))
            for file in (trace_file, plot_file)
        ]
        trace, picture = files
        report = play(scenario, trace)
        command = replay_command(scenario)
        output.one(report_data(report, command), *report_views(report))
        failed = _tell_violation(report, command)
        if picture is not None:
            picture.write(plot(report))
    return failed


class _File:
    """A file to write text to, opened before anything is played. What cannot be written is no matter of the
    actors, in whose midst a trace is: the rest is left out, and the end says so.

    Raises:
        CliError: At its opening or its end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        try:
            self._file: IO[str] = self._path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._lost(error) from error
        return self

    def write(self, text: str, /) -> None:
        """Write it, unless something before could not be written."""
        if self._error is None:
            try:
                self._file.write(text)
            except OSError as error:
                self._error = error

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        if self._error is not None and error_type is None:
            raise self._lost(self._error)

    def _lost(self, error: OSError) -> CliError:
        return CliError(f"cannot write {self._path}: {error.strerror or error}")


def _play_many(scenario: Scenario, seeds: int, jobs: int, output: Output) -> bool:
    reports: list[Report] = []
    with progress("playing", seeds, "seeds") as advance:
        for report in _reports(scenario, seeds, jobs):
            reports.append(report)
            advance(len(reports))
            if report.violation is not None:
                break
    reports.sort(key=lambda report: report.seed)
    output.one(summary_data(reports), *summary_views(reports))
    bad = next((report for report in reports if report.violation is not None), None)
    if bad is None:
        return False
    return _tell_violation(bad, replay_command(replace(scenario, seed=bad.seed)))


def _reports(scenario: Scenario, seeds: int, jobs: int) -> Iterator[Report]:
    """In any order; those not begun when the reader leaves are not played."""
    scenarios = (replace(scenario, seed=scenario.seed + index) for index in range(seeds))
    if jobs == 1:
        yield from map(play, scenarios)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, seeds), context, _be_quiet) as pool:
        try:
            for future in as_completed(_submitted(pool, scenarios)):
                yield future.result()
        except BrokenProcessPool as error:
            message = "a process that played was ended from outside; fewer --jobs take less memory"
            raise CliError(message) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, scenarios: Iterable[Scenario]) -> list[Future[Report]]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
    try:
        return [pool.submit(_play_quietly, each) for each in scenarios]
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)


def _be_quiet() -> None:
    """Say nothing, and end at once where the terminal interrupts all processes of the command."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)


def _play_quietly(scenario: Scenario) -> Report:
    """Without the delays, of which there are many, and which nobody draws."""
    return replace(play(scenario), delays_s=())


def _tell_violation(report: Report, command: str) -> bool:
    """Whether there is one."""
    if report.violation is None:
        return False
    click.echo(
        f"Seed {report.seed}, event {report.events}, after {report.simulated_s:.3f} s: {report.violation}."
        f"\nPlay it again: {command}",
        err=True,
    )
    return True
