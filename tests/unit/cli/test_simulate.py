"""``troupe simulate`` to its end: what it writes, how it fails, and the command that plays it again."""

from __future__ import annotations

import json
import logging
import os
import random
import shlex
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import click
import pytest
from click.testing import CliRunner, Result

from actors.gossip.seen import SeenKeys
from actors.simulation.disk import SimStore
from actors.simulation.play import play
from actors.simulation.scenario import Scenario, Trouble, Troubles, Window
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from admin.cli.simulate import simulate
from admin.cli.simulate_options import replay_command, scenario_of
from admin.cli.simulate_plot import plot

SHORT = "--nodes 3 --minutes 0.5 --block-every 3"
SVG = "{http://www.w3.org/2000/svg}"


def die(_scenario: Scenario) -> None:
    """What a process plays that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(line: str, code: ExitCode = ExitCode.OK) -> Result:
    result = CliRunner().invoke(cli, ["simulate", *shlex.split(line)])
    assert result.exit_code == code, result.output
    return result


def scenario_from(line: str) -> Scenario:
    with simulate.make_context("simulate", shlex.split(line)) as ctx:
        return scenario_of(ctx.params)


@pytest.fixture
def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr(SeenKeys, "expire", fails)


def test_a_report_is_a_table_for_people() -> None:
    text = run(f"{SHORT} --partition 5-12:1 --byzantine 1").stdout
    for word in (
        "all hold",
        "A BLOCK REACHES",
        "MESSAGE",
        "gossip:bc:new_block",
        "liar",
        "HEALED AT",
    ):
        assert word in text


def test_a_report_is_json_with_the_promised_keys() -> None:
    data = json.loads(run(f"{SHORT} --byzantine 0.34 --lie silent -o json").stdout)
    assert data["violation"] is None
    assert data["nodes"] == 3
    assert [line["role"] for line in data["node_lines"]].count("liar") == 1
    assert set(data["lies"]) <= {"silent", "moved"}
    assert [each["share"] for each in data["propagation"]] == [0.5, 0.9, 0.99, 1.0]
    assert "delays_s" not in data
    again = json.loads(run(f"{data['replay'].removeprefix('troupe simulate ')} -o json").stdout)
    assert again == data


def test_many_seeds_are_summed_up() -> None:
    data = json.loads(run(f"{SHORT} --seeds 3 --seed 5 --jobs 1 -o json").stdout)
    assert [each["seed"] for each in data["runs"]] == [5, 6, 7]
    assert data["violations"] == 0
    assert data["blocks"] == sum(each["height"] for each in data["runs"])
    single = json.loads(run(f"{SHORT} --seed 6 -o json").stdout)
    assert data["runs"][1]["digest"] == single["digest"]


def test_processes_play_what_one_would(capfd: pytest.CaptureFixture[str]) -> None:
    line = f"{SHORT} --seeds 2 -o json"
    both = [json.loads(run(f"{line} --jobs {jobs}").stdout) for jobs in (1, 2)]
    assert both[0] == both[1]
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("_broken")
@pytest.mark.parametrize("more", ["", "--seeds 5 --jobs 1"])
def test_what_does_not_hold_ends_it_with_the_command_that_plays_it_again(more: str) -> None:
    result = run(f"{SHORT} --loss 0.01 {more}", ExitCode.FAILED)
    assert "Seed 1, event" in result.stderr
    assert "gossip fell: RuntimeError('a bug')" in result.stderr
    command = result.stderr.splitlines()[-1].removeprefix("Play it again: troupe simulate ")
    assert scenario_from(command) == scenario_from(f"{SHORT} --loss 0.01")


def test_a_trace_has_a_line_for_each_event(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    data = json.loads(run(f"{SHORT} --trace {trace} -o json").stdout)
    lines = trace.read_text().splitlines()
    assert len(lines) == data["events"]
    assert any(" tip 1 " in line for line in lines)
    assert any(">10.0.0.2:9000 p2p:hello" in line for line in lines)


@pytest.mark.parametrize("option", ["--trace", "--plot"])
def test_a_file_that_cannot_be_made_is_told_of_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str
) -> None:
    monkeypatch.setattr("admin.cli.simulate.play", None)
    result = run(f"{SHORT} {option} {tmp_path}/none/file", ExitCode.FAILED)
    assert f"cannot write {tmp_path}/none/file: No such file or directory" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("option", ["--trace", "--plot"])
def test_a_file_that_cannot_be_written_fells_no_actor_and_is_told_of_in_the_end(
    option: str,
) -> None:
    result = run(f"{SHORT} {option} /dev/full", ExitCode.FAILED)
    assert "all hold" in result.stdout
    assert "cannot write /dev/full: No space left on device" in result.stderr


def test_a_process_that_is_ended_from_outside_is_told_of_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("admin.cli.simulate._play_quietly", die)
    result = run(f"{SHORT} --seeds 2 --jobs 2", ExitCode.FAILED)
    assert "was ended from outside" in result.stderr


def test_one_that_is_ended_before_all_is_handed_out_is_told_of_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def is_broken(*_: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(ProcessPoolExecutor, "submit", is_broken)
    result = run(f"{SHORT} --seeds 2 --jobs 2", ExitCode.FAILED)
    assert "was ended from outside" in result.stderr
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "Ctrl-C is heard"


def test_whatever_fails_in_a_run_ends_it_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimStore, "reopened", None)
    result = run(f"{SHORT} --crash 5-10:1 --seed 4", ExitCode.FAILED)
    assert "Seed 4, event" in result.stderr
    assert "TypeError" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("--crash 5-10:1")


def test_a_picture_is_well_formed_and_shows_both_charts(tmp_path: Path) -> None:
    picture = tmp_path / "spread.svg"
    run(f"{SHORT} --partition 3-12:1 --plot {picture}")
    root = ET.parse(picture).getroot()
    assert root.tag == f"{SVG}svg"
    (curve,) = root.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in curve.attrib["points"].split()]
    assert points == sorted(points, key=lambda point: (point[0], -point[1])), "it rises"
    assert list(root.iter(f"{SVG}rect"))


@pytest.mark.parametrize("reorgs", [(), ((1, 3),), tuple((depth, depth) for depth in range(1, 40))])
@pytest.mark.parametrize("delays_s", [(), (0.0,), tuple(i / 100 for i in range(5_000))])
def test_any_report_can_be_drawn(
    reorgs: tuple[tuple[int, int], ...], delays_s: tuple[float, ...]
) -> None:
    report = replace(play(Scenario(nodes=2, minutes=0.1)), reorgs=reorgs, delays_s=delays_s)
    root = ET.fromstring(plot(report))
    heights = [float(bar.attrib["height"]) for bar in root.iter(f"{SVG}rect")][1:]
    assert bool(heights) == bool(reorgs)
    assert all(height > 0 for height in heights)
    assert len(heights) <= 12


@pytest.mark.parametrize(
    ("line", "trouble", "troubles"),
    [
        ("--partition 2", Trouble.PARTITION, Troubles(2)),
        ("--crash 10-20", Trouble.CRASH, Troubles(windows=(Window(10.0, 20.0),))),
        (
            "--disk-fault 1 --disk-fault 1.5-2:0+4",
            Trouble.DISK_FAULT,
            Troubles(1, (Window(1.5, 2.0, (0, 4)),)),
        ),
        ("--fall 1 --fall 2", Trouble.FALL, Troubles(3)),
    ],
)
def test_troubles_have_a_number_or_a_time(line: str, trouble: Trouble, troubles: Troubles) -> None:
    assert scenario_from(line).of(trouble) == troubles


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--partition 20-10", "START-END"),
        ("--partition x", "START-END"),
        ("--partition 1e9", "START-END"),
        ("--crash 5-6:5", "nodes 0 to 4"),
        ("--crash 1000", "number up to"),
        ("--byzantine 5", "at most 4 can lie"),
        ("--byzantine -1", "number of nodes or a share"),
        ("--byzantine 1.5", "number of nodes or a share"),
        ("--byzantine nan", "number of nodes or a share"),
        ("--lie none", "is not one of"),
        ("--power 0,1", "first node has to mine"),
        ("--power x", "numbers from 0"),
        ("--power 5e-324", "none of them less than 0.000001 but 0"),
        ("--power 1,1,1,1,1,1", "at most 5 nodes"),
        ("--miners 6", "at most 5 nodes"),
        ("--legacy 6", "at most 5 nodes"),
        ("--lie silent", "--byzantine how many there are: none"),
        ("--partition 50-61 --minutes 1", "50-61 is not over after 60 s"),
        ("--nodes 1", "range"),
        ("--minutes nan", "not a number"),
        ("--seeds 2 --trace file", "single seed"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(line: str, words: str) -> None:
    result = run(line, ExitCode.USAGE)
    assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize("seed", range(50))
def test_the_command_that_plays_it_again_asks_for_the_same(seed: int) -> None:
    draw = random.Random(seed)
    nodes = draw.randrange(2, 30)

    def troubles() -> Troubles:
        windows = tuple(
            Window(
                start := draw.choice((1e-05, float(draw.randrange(50)))),
                start + draw.randrange(1, 9) / 2,
                tuple(draw.sample(range(nodes), draw.randrange(2))),
            )
            for _ in range(draw.randrange(3))
        )
        return Troubles(draw.randrange(1, 4), windows)

    scenario = Scenario(
        nodes=nodes,
        seed=seed,
        minutes=draw.choice((1.5, 10.0, 1_234.567_891)),
        blocks=draw.choice((None, 7)),
        block_every_s=draw.choice((0.5, 8.0, 33.125)),
        difficulty=draw.randrange(3),
        miners=draw.choice((None, 2)),
        power=draw.choice(((), (1.0, 0.0), (2.5,))),
        loss=draw.choice((0.0, 0.0125)),
        kb_per_s=draw.choice((0.0, 1_250.0, 64.1)),
        transactions_per_s=draw.choice((0.0, 0.2, 3.5)),
        liars=(liars := draw.randrange(nodes)),
        lies=draw.choice(((), ("silent", "mutated"))) if liars else (),
        legacy=draw.randrange(3),
        troubles={trouble: troubles() for trouble in Trouble if draw.random() < 0.5},
    )
    words = replay_command(scenario).removeprefix("troupe simulate ")
    assert scenario_from(words) == scenario


def test_a_run_leaves_logging_as_it_was() -> None:
    run(SHORT)
    assert logging.root.manager.disable == logging.NOTSET


def test_every_option_of_a_scenario_is_in_its_help() -> None:
    page = CliRunner().invoke(cli, ["simulate", "--help"]).output
    options: list[Any] = [each for each in simulate.params if isinstance(each, click.Option)]
    assert all(each.opts[0] in page or each.opts[-1] in page for each in options)
