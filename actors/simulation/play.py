"""Plays a scenario from its start to the verdict on it."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from actors.assembly import START_ORDER
from actors.runtime.address import ActorDownError, Address
from actors.simulation.disk import DiskFault
from actors.simulation.liar import Liar
from actors.simulation.node import SimNode
from actors.simulation.report import Healing, Report, report_on
from actors.simulation.scenario import Scenario, Trouble, Window
from actors.simulation.schedule import draw_windows
from actors.simulation.trace import LineSink, Trace
from actors.simulation.violation import ViolationError, violated
from actors.simulation.watch import POISON, Watch
from actors.simulation.world import SIM_NETWORK, World

LOOK_EVERY_S = 1.0
"""Between two looks at whether the honest agree, once a partition is healed."""
SETTLE_LIMIT_S = 600.0
"""For honest nodes to agree once nothing goes wrong any more and one of them mines: a node that was led
astray by its peers tries others after at most `walkback`'s two minutes, some of them in vain."""
REST_EVERY_S = 20.0
HEALED_LIMIT_S = 300.0
"""Longer than that the report does not wait for agreement after a healing: others mine, so ties go on."""
CUT_WITHIN = 200
"""Statements until the power cut: within some letters, also in the middle of a reorganisation."""
CUT_AT_START = 30
"""The same for a node that starts: half of those that lost their power lose it again meanwhile, or soon after."""
SECOND_CUT_S = 5.0
"""After a start, power that was to fail again and did not fails now."""
AMOUNTS = (*(0, 1, 30) * 10, 10_000)
"""The last is more than most have: whoever promises it waits with all that he signs after it."""

Act = Callable[[], None]

_log = logging.getLogger(__name__)


class Play:
    """One run. All randomness comes from the scenario's seed."""

    def __init__(self, scenario: Scenario, sink: LineSink | None = None) -> None:
        self.scenario, self.trace = scenario, Trace(sink)
        self.watch = Watch(self.trace)
        self._rng = random.Random(f"{scenario.seed}/play")  # noqa: S311 - a seeded world
        network = replace(SIM_NETWORK, difficulty=scenario.difficulty)
        self.world = World(
            scenario.seed,
            nodes=scenario.nodes,
            mean_block_s=scenario.block_every_s,
            network=network,
            power=self._power(),
            trace=self.trace,
            onlooker=self.watch,
        )
        self.world.wire.bytes_per_s = 1_000 * scenario.kb_per_s
        self.watch.attend(self.world)
        self.liars = self._draw_liars()
        self.honest = [node.index for node in self.world.nodes if node.is_honest]
        self.begun_s = self.world.clock.now_s()
        self.faults: Counter[str] = Counter()
        self.healings: list[Healing] = []
        self._acts: list[tuple[float, int, Act]] = []
        self._places = itertools.count()
        self._now: dict[Trouble, list[Window]] = {trouble: [] for trouble in Trouble}
        """The troubles that there are now."""
        self._healed_s: float | None = None
        self._is_mended = False
        """Whether all troubles are over for good."""
        self.settled_s: float | None = None

    def _power(self) -> dict[int, float]:
        power = dict(enumerate(self.scenario.power[: self.scenario.nodes]))
        miners = self.scenario.nodes if self.scenario.miners is None else self.scenario.miners
        return power | dict.fromkeys(range(miners, self.scenario.nodes), 0.0)

    def _draw_liars(self) -> list[Liar]:
        """Never the first node: somebody honest mines to the end."""
        rng, nodes = self._rng, self.world.nodes
        chosen = sorted(rng.sample(range(1, len(nodes)), self.scenario.liars))
        return [
            Liar(nodes[index], random.Random(rng.getrandbits(64)), self.scenario.lies)  # noqa: S311 - seeded
            for index in chosen
        ]

    # -- the run ----------------------------------------------------------------------------------

    def run(self) -> Report:
        """Play to the end, or to the first violation; the report says which. What fails otherwise is one too:
        its seed is what is needed to find out why.
        """
        violation: str | None = None
        try:
            self._run()
        except ViolationError as error:
            violation = error.text
        except Exception as error:  # noqa: BLE001 - a bug, of a node or of the simulation
            _log.exception("the run failed")
            violation = f"{type(error).__name__}: {error}"
        return report_on(self, violation)

    def _run(self) -> None:
        scenario, world = self.scenario, self.world
        others = [index for index in self.honest if index]
        old = self._rng.sample(others, min(scenario.legacy, len(others)))
        world.wire.legacy = {world.nodes[index].name for index in old}
        world.start()
        for node in world.nodes:
            self._let_mine(node)
        world.wire.loss = scenario.loss
        world.wire.break_share = scenario.loss / 10.0
        self._plan()
        self._live(self.begun_s + scenario.minutes * 60.0)
        self._settle()
        self.watch.audit()

    def _plan(self) -> None:
        for trouble in Trouble:
            rng = random.Random(self._rng.getrandbits(64))  # noqa: S311 - seeded
            for window in draw_windows(self.scenario, trouble, self.honest, rng):
                self._plan_trouble(trouble, window, rng)
        for liar in self.liars:
            self._every(liar.act)
        self._every(self._await_healing)
        if self.scenario.transactions_per_s:
            rng = random.Random(self._rng.getrandbits(64))  # noqa: S311 - seeded
            self._every(lambda: self._pay(rng))

    def _plan_trouble(self, trouble: Trouble, window: Window, rng: random.Random) -> None:
        nodes = [self.world.nodes[index] for index in window.nodes]
        length_s = window.end_s - window.start_s
        begin: Act
        end: Act
        match trouble:
            case Trouble.PARTITION:
                begin, end = self._part, self._divide
            case Trouble.CRASH:
                statements, again = rng.randrange(CUT_WITHIN), rng.randrange(2 * CUT_AT_START)
                cut_in = again if again < CUT_AT_START else None
                begin, end = (
                    (lambda: self._crash(nodes, statements)),
                    lambda: self._start_again(self._spared(trouble, nodes), cut_in),
                )
            case Trouble.DISK_FAULT:
                fault = rng.choice((DiskFault.FULL, DiskFault.UNREADABLE, DiskFault.DOUBTFUL))
                begin, end = (
                    (lambda: self._spoil(nodes, fault, length_s)),
                    lambda: self._repair(self._spared(trouble, nodes)),
                )
            case Trouble.FALL:
                name = rng.choice(START_ORDER)
                begin, end = (lambda: self._fell(nodes, name)), _nothing
        now = self._now[trouble]
        self._at(self.begun_s + window.start_s, lambda: self._change(now.append, window, begin))
        self._at(self.begun_s + window.end_s, lambda: self._change(now.remove, window, end))

    def _change(self, note: Callable[[Window], None], window: Window, act: Act) -> None:
        """A trouble begins or ends. None does any more once the nodes have to agree, which may be early
        (`Scenario.blocks`).
        """
        if not self._is_mended:
            note(window)
            act()

    def _spared(self, trouble: Trouble, nodes: list[SimNode]) -> list[SimNode]:
        """Those of them whom no other trouble of the kind befalls now."""
        befallen = {index for window in self._now[trouble] for index in window.nodes}
        return [node for node in nodes if node.index not in befallen]

    def _live(self, until_s: float) -> None:
        """Let time pass, and do what is due; ends early with enough blocks."""
        clock = self.world.clock
        while self._acts and self._acts[0][0] <= until_s:
            due_s, _, act = heapq.heappop(self._acts)
            self.world.run_for(max(0.0, due_s - clock.now_s()))
            act()
            if self._has_enough():
                return
        self.world.run_for(max(0.0, until_s - clock.now_s()))

    def _has_enough(self) -> bool:
        wanted = self.scenario.blocks
        return wanted is not None and all(
            len(self.watch.chain_of(index)) > wanted for index in self.honest
        )

    def _settle(self) -> None:
        """Heal everything; the first node mines on alone, and liars lie on: the honest have to agree, on a
        chain that goes on.
        """
        world, self._is_mended = self.world, True
        world.wire.loss = world.wire.break_share = 0.0
        for node in world.nodes:
            if node.is_honest:
                node.disk.restore()
                self._set_full(node, full=False)
        if world.wire.sides:
            self._now[Trouble.PARTITION].clear()
            self._divide()
        self._start_again([world.nodes[index] for index in self.honest])
        for node in world.nodes[1:]:
            self._every(partial(self._let_rest, node))
        world.nodes[0].take_all_power()
        self._agree_soon(above=max(len(self.watch.chain_of(index)) for index in self.honest))
        self._every(partial(self._let_rest, world.nodes[0]))
        self._agree_soon()

    def _agree_soon(self, above: int = 0) -> None:
        """Wait for the honest to agree, on a chain of more blocks than that, genesis included."""
        clock = self.world.clock
        since_s = clock.now_s()
        while clock.now_s() - since_s < SETTLE_LIMIT_S:
            self._live(clock.now_s() + 1.0)
            if self.world.agree() and len(self.watch.chain_of(0)) > above:
                self.settled_s = (self.settled_s or 0.0) + clock.now_s() - since_s
                return
        heights = [len(self.watch.chain_of(index)) - 1 for index in self.honest]
        violated(f"the honest do not agree {SETTLE_LIMIT_S:.0f} s after healing: heights {heights}")

    # -- what is done to the world ----------------------------------------------------------------

    def _at(self, due_s: float, act: Act) -> None:
        heapq.heappush(self._acts, (due_s, next(self._places), act))

    def _every(self, act: Callable[[], float]) -> None:
        """Again and again, when it says."""

        def again() -> None:
            self._at(self.world.clock.now_s() + act(), again)

        self._at(self.world.clock.now_s(), again)

    def _await_healing(self) -> float:
        if self._healed_s is not None:
            waited_s = self.world.clock.now_s() - self._healed_s
            if self.world.agree() or waited_s > HEALED_LIMIT_S:
                agreed = waited_s <= HEALED_LIMIT_S
                self.healings.append(
                    Healing(self._healed_s - self.begun_s, waited_s if agreed else None)
                )
                self._healed_s = None
        return LOOK_EVERY_S

    def _pay(self, rng: random.Random) -> float:
        payers = [self.world.nodes[index] for index in self.honest]
        payer, payee = rng.choice(payers), rng.choice(self.world.nodes)
        amount = rng.choice(AMOUNTS)
        if payer.alive:
            self._order(lambda: payer.pay(payee.key.public, amount))
        return rng.expovariate(self.scenario.transactions_per_s)

    def _order(self, give: Act) -> None:
        """What a user asks of a node; some of its actors may be down."""
        try:
            give()
        except (ActorDownError, TimeoutError):
            self.faults["unanswered order"] += 1

    def _let_mine(self, node: SimNode) -> None:
        if node.alive and self.world.power.get(node.index, 1.0):
            self._order(node.mine)

    def _let_rest(self, node: SimNode) -> float:
        """Again and again: who is down now comes back with the orders that it had."""
        if node.alive:
            self._order(node.rest)
        return REST_EVERY_S

    def _part(self) -> None:
        self.faults["partition"] += 1
        self._divide()

    def _divide(self) -> None:
        """Those reach each other whom no partition parts."""
        sides: Counter[str] = Counter()
        for place, window in enumerate(self._now[Trouble.PARTITION]):
            for index in window.nodes:
                sides[self.world.nodes[index].name] += 1 << place
        if sides:
            self.world.wire.partition(sides)
        else:
            self.world.wire.heal()
            self._healed_s = self.world.clock.now_s()

    def _crash(self, nodes: list[SimNode], statements: int) -> None:
        for node in nodes:
            if node.alive:
                self.faults["crash"] += 1
                node.disk.cut_power_in(statements, node.kill)

    def _start_again(self, nodes: list[SimNode], cut_in: int | None = None) -> None:
        """Bring up who is down; whom no power cut met has lost his power now.

        With ``cut_in`` there is another cut so many statements later, and another start.
        """
        for node in nodes:
            if node.alive and node.disk.awaits_cut:
                node.kill()
            if node.alive:
                continue
            node.disk.restore()
            for journal in (node.journal, node.bans, node.book):
                journal.lose_power()
            if cut_in is not None:
                self.faults["crash at start"] += 1
                node.disk.cut_power_in(cut_in, node.kill)
            node.start()
            self.watch.restarted(node.index)
            self._let_mine(node)
        if cut_in is not None:
            self._at(
                self.world.clock.now_s() + SECOND_CUT_S,
                lambda: self._start_again(self._spared(Trouble.CRASH, nodes)),
            )

    def _spoil(self, nodes: list[SimNode], fault: DiskFault, length_s: float) -> None:
        for node in nodes:
            self.faults[f"{fault.value} disk"] += 1
            node.disk.fault = fault
            self._set_full(node, full=fault is DiskFault.FULL)
            self.watch.excuse(node.index, length_s)

    def _repair(self, nodes: list[SimNode]) -> None:
        for node in nodes:
            node.disk.fault = DiskFault.NONE
            self._set_full(node, full=False)

    @staticmethod
    def _set_full(node: SimNode, *, full: bool) -> None:
        for journal in (node.journal, node.bans, node.book):
            journal.full = full

    def _fell(self, nodes: list[SimNode], name: str) -> None:
        for node in nodes:
            if node.alive:
                self.faults["fall"] += 1
                self.watch.excuse(node.index, 0.0)
                address: Address[object] = getattr(node.addresses, name)
                address.tell(POISON)


def _nothing() -> None:
    """Nothing is to be undone."""


def play(scenario: Scenario, sink: LineSink | None = None) -> Report:
    """Play a scenario; ``sink`` takes a line for each event."""
    return Play(scenario, sink).run()
