"""What ``simulate`` takes: options to a scenario, and a scenario to the command that plays it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from actors.simulation.lies import LIES
from actors.simulation.scenario import (
    MAX_MINUTES,
    MAX_NODES,
    Scenario,
    Trouble,
    Troubles,
    Window,
)
from admin.cli.params import Kind, NumberRange

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULTS: Final = Scenario()
MAX_TROUBLES: Final = 100
"""Of one kind: more of them overlap all the time."""
MAX_DIFFICULTY: Final = 4
"""A block then takes 65,536 hashes, for every node and every template: 0.1 s."""
LEAST_POWER: Final = 1e-6
"""But for none: who has less finds nothing in a week."""
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_SECONDS: Final = r"([0-9.]{1,20}(?:e[+-][0-9]{2,3})?)"
"""As Python writes a number, too."""
_WINDOW: Final = re.compile(rf"{_SECONDS}-{_SECONDS}(?::([0-9]{{1,4}}(?:\+[0-9]{{1,4}})*))?")

TROUBLE_OPTIONS: Final = {
    Trouble.PARTITION: ("--partition", "Cut some nodes off"),
    Trouble.CRASH: ("--crash", "Cut a node's power, in the middle of what it does"),
    Trouble.DISK_FAULT: ("--disk-fault", "Let a node's disk be full, unreadable or doubtful"),
    Trouble.FALL: ("--fall", "Let an actor of a node fall"),
}


class TroublesType(Kind):
    """How many, or one with its time in seconds and, if need be, its nodes: ``2``, ``60-90``, ``60-90:0+3``."""

    name = "troubles"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Troubles:
        text = str(value)
        if _NUMBER.fullmatch(text) and int(text) <= MAX_TROUBLES:
            return Troubles(drawn=int(text))
        match = _WINDOW.fullmatch(text)
        try:
            start_s, end_s = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
        except ValueError:
            start_s = end_s = 0.0
        if match is None or not start_s < end_s:
            wanted = f"a number up to {MAX_TROUBLES}, START-END or START-END:NODE+NODE"
            self.fail(f"must be {wanted}, in seconds, not {text!r}", param, ctx)
        nodes = tuple(map(int, match[3].split("+"))) if match[3] else ()
        return Troubles(windows=(Window(start_s, end_s, nodes),))


class LiarsType(Kind):
    """A number of nodes, or a share of them: ``2``, ``0.2``."""

    name = "liars"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not (number == int(max(0.0, min(number, MAX_NODES))) or 0 < number < 1):
            self.fail(f"must be a number of nodes or a share below 1, not {value!r}", param, ctx)
        return number


class PowerType(Kind):
    """Hash power of the first nodes, ``5,1,0``."""

    name = "power"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            power = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            power = (-1.0,)
        if not all(each == 0 or LEAST_POWER <= each <= MAX_NODES for each in power):
            wanted = (
                f"numbers from 0 to {MAX_NODES}, by commas, none of them less than {LEAST_POWER:f}"
            )
            self.fail(f"must be {wanted} but 0, not {value!r}", param, ctx)
        return power


def _option(flag: str, kind: Any, text: str, default: object, metavar: str) -> Any:
    return click.option(
        flag,
        type=kind,
        default=default,
        show_default=default is not None,
        help=text,
        metavar=metavar,
    )


_OPTIONS: Final = (
    _option("--nodes", click.IntRange(2, MAX_NODES), "How many nodes.", DEFAULTS.nodes, "N"),
    _option("--seed", click.IntRange(min=0), "Everything follows from it.", DEFAULTS.seed, "S"),
    _option(
        "--minutes",
        NumberRange(0.1, MAX_MINUTES),
        "For how long; then all is healed, and the nodes have to agree.",
        DEFAULTS.minutes,
        "M",
    ),
    _option("--blocks", click.IntRange(min=1), "End once all have so many blocks.", None, "B"),
    _option(
        "--block-every",
        NumberRange(0.5, 3_600),
        "Seconds between blocks while all mine.",
        DEFAULTS.block_every_s,
        "S",
    ),
    _option(
        "--difficulty",
        click.IntRange(0, MAX_DIFFICULTY),
        "Leading zero digits of a block's hash; the time between blocks is what --block-every says.",
        DEFAULTS.difficulty,
        "D",
    ),
    _option(
        "--miners", click.IntRange(min=1), "Let the first K nodes mine. [default: all]", None, "K"
    ),
    _option(
        "--power",
        PowerType(),
        "Hash power of the first nodes; that of the others is 1.",
        None,
        "P,...",
    ),
    _option(
        "--loss",
        NumberRange(0.0, 0.5),
        "Of what is sent, the share that is lost and sent again; a tenth of it breaks a connection.",
        DEFAULTS.loss,
        "P",
    ),
    _option(
        "--bandwidth",
        NumberRange(0, 1_000_000),
        "What a node can send, in kB/s; 0: any amount at once.",
        DEFAULTS.kb_per_s,
        "KB",
    ),
    _option(
        "--transactions",
        NumberRange(0, 1_000),
        "Payments a second, all nodes together.",
        DEFAULTS.transactions_per_s,
        "RATE",
    ),
    _option("--byzantine", LiarsType(), "How many nodes lie, or which share of them.", 0, "K"),
    click.option(
        "--lie",
        "lies",
        type=click.Choice(sorted(LIES)),
        multiple=True,
        help="What they lie about; repeatable. [default: drawn for each]",
    ),
    _option("--legacy", click.IntRange(0, MAX_NODES), "How many know no extension.", 0, "K"),
    *(
        click.option(
            flag,
            trouble.name.lower(),
            type=TroublesType(),
            multiple=True,
            metavar="K|START-END[:NODE+...]",
            help=f"{text}: so many times, or then, in seconds; repeatable.",
        )
        for trouble, (flag, text) in TROUBLE_OPTIONS.items()
    ),
)


def scenario_options(command: Command) -> Command:
    """Add the options of a scenario."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def scenario_of(options: Mapping[str, Any]) -> Scenario:
    """What the options ask for.

    Raises:
        click.UsageError: They contradict each other.
    """
    nodes, wanted = options["nodes"], options["byzantine"]
    liars = round(wanted * nodes) if wanted < 1 else int(wanted)
    if liars >= nodes:
        message = f"of {nodes} nodes at most {nodes - 1} can lie: the first is honest"
        raise click.UsageError(message)
    if options["lies"] and not liars:
        message = "--lie says what liars lie about, and --byzantine how many there are: none"
        raise click.UsageError(message)
    troubles = {trouble: _joined(options[trouble.name.lower()]) for trouble in Trouble}
    for each in troubles.values():
        _require_windows(each.windows, nodes, 60.0 * options["minutes"])
    power = options["power"] or ()
    if power and not power[0]:
        message = "the first node has to mine: its hash power is 0"
        raise click.UsageError(message)
    if max(len(power), options["miners"] or 0, options["legacy"]) > nodes:
        message = f"--power, --miners and --legacy are for at most {nodes} nodes: there are no more"
        raise click.UsageError(message)
    return Scenario(
        nodes=nodes,
        seed=options["seed"],
        minutes=options["minutes"],
        blocks=options["blocks"],
        block_every_s=options["block_every"],
        difficulty=options["difficulty"],
        miners=options["miners"],
        power=power,
        loss=options["loss"],
        kb_per_s=options["bandwidth"],
        transactions_per_s=options["transactions"],
        liars=liars,
        lies=tuple(options["lies"]),
        legacy=options["legacy"],
        troubles={trouble: each for trouble, each in troubles.items() if each != Troubles()},
    )


def _require_windows(windows: tuple[Window, ...], nodes: int, whole_s: float) -> None:
    for window in windows:
        if any(node >= nodes for node in window.nodes):
            message = f"there are nodes 0 to {nodes - 1}"
            raise click.UsageError(message)
        if window.end_s > whole_s:
            message = f"{_window(window)} is not over after {_exact(whole_s)} s, as --minutes says"
            raise click.UsageError(message)


def _joined(parts: tuple[Troubles, ...]) -> Troubles:
    windows = tuple(window for part in parts for window in part.windows)
    return Troubles(sum(part.drawn for part in parts), windows)


def replay_command(scenario: Scenario) -> str:
    """The command that plays exactly this again."""
    words = ["troupe", "simulate", "--nodes", str(scenario.nodes), "--seed", str(scenario.seed)]
    pairs = (
        ("--minutes", scenario.minutes, DEFAULTS.minutes),
        ("--blocks", scenario.blocks, DEFAULTS.blocks),
        ("--block-every", scenario.block_every_s, DEFAULTS.block_every_s),
        ("--difficulty", scenario.difficulty, DEFAULTS.difficulty),
        ("--miners", scenario.miners, DEFAULTS.miners),
        ("--power", ",".join(map(_exact, scenario.power)), ""),
        ("--loss", scenario.loss, DEFAULTS.loss),
        ("--bandwidth", scenario.kb_per_s, DEFAULTS.kb_per_s),
        ("--transactions", scenario.transactions_per_s, DEFAULTS.transactions_per_s),
        ("--byzantine", scenario.liars, DEFAULTS.liars),
        ("--legacy", scenario.legacy, DEFAULTS.legacy),
    )
    for flag, value, default in pairs:
        if value != default:
            words += [flag, _exact(value) if isinstance(value, float) else str(value)]
    words += [word for lie in scenario.lies for word in ("--lie", lie)]
    for trouble, (flag, _) in TROUBLE_OPTIONS.items():
        troubles = scenario.of(trouble)
        if troubles.drawn:
            words += [flag, str(troubles.drawn)]
        words += [word for window in troubles.windows for word in (flag, _window(window))]
    return shlex.join(words)


def _exact(number: float) -> str:
    """As short as can be, and the same number when it is read again."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _window(window: Window) -> str:
    nodes = "+".join(map(str, window.nodes))
    return f"{_exact(window.start_s)}-{_exact(window.end_s)}" + (f":{nodes}" if nodes else "")
