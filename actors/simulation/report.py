"""What became of a simulated run, as values that can be shown, written as JSON or drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.simulation.spread import quantile

if TYPE_CHECKING:
    from actors.simulation.play import Play

SHARES = (0.5, 0.9, 0.99, 1.0)
"""Of the honest nodes: when they had a block."""


@dataclass(frozen=True, slots=True)
class Healing:
    """When a partition was healed, and how much later the honest agreed; None: they went on to differ. Value."""

    at_s: float
    agreed_after_s: float | None


@dataclass(frozen=True, slots=True)
class Propagation:
    """How long it took a block to reach a share of the honest nodes, over all blocks of the chain. Value."""

    share: float
    median_s: float | None
    p90_s: float | None
    worst_s: float | None


@dataclass(frozen=True, slots=True)
class Kind:
    """What was sent of one kind of message. Value."""

    kind: str
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node at the end; ``blocks_found``: its own, of those that some honest node followed. Value."""

    node: int
    address: str
    role: str
    height: int
    tip: str
    lives: int
    blocks_found: int


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of it. Value.

    Attributes:
        violation: What did not hold, None: everything did.
        events: Letters handled, frames received and tips moved, until then.
        digest: Of all events, in order: two runs with the same are the same.
        simulated_s: How much time passed for the nodes.
        settle_s: How much of it the honest needed to agree in the end.
        height: Of the chain that they agreed on, or of the longest.
        stale: Blocks that some honest node followed and that are not on that chain.
        stale_rate: Of all blocks that were followed.
        forks: Heights at which honest nodes followed more than one block.
        reorgs: How often an honest node went back how many blocks, by depth.
        delays_s: Of every honest node and block of the chain, how long it took; for a plot.
        deepest_mailboxes: The most letters that ever waited for an actor, by its name.
        blamed_honest: Points that honest nodes gave each other, by reason.
    """

    nodes: int
    seed: int
    violation: str | None
    events: int
    digest: str
    simulated_s: float
    settle_s: float | None
    height: int
    stale: int
    stale_rate: float
    forks: int
    reorgs: tuple[tuple[int, int], ...]
    propagation: tuple[Propagation, ...]
    delays_s: tuple[float, ...]
    healings: tuple[Healing, ...]
    traffic: tuple[Kind, ...]
    node_lines: tuple[NodeLine, ...]
    faults: tuple[tuple[str, int], ...]
    lies: tuple[tuple[str, int], ...]
    actor_falls: int
    broken_connections: int
    bans: int
    transactions: int
    deepest_mailboxes: tuple[tuple[str, int], ...]
    blamed_honest: tuple[tuple[str, int], ...]
    blamed_liars: tuple[tuple[str, int], ...]


def report_on(play: Play, violation: str | None) -> Report:
    """What can be said of a run, whichever way it ended."""
    watch, world, spread = play.watch, play.world, play.watch.spread
    chain = max((watch.chain_of(index) for index in play.honest), key=len)
    canonical = set(chain)
    numbers = [watch.model.state(each).block.number for each in spread.courses]
    stale = sum(each not in canonical for each in spread.courses)
    courses = [spread.courses[each] for each in chain if each in spread.courses]
    traffic = world.wire.traffic
    return Report(
        nodes=len(world.nodes),
        seed=play.scenario.seed,
        violation=violation,
        events=play.trace.events,
        digest=play.trace.digest(),
        simulated_s=world.clock.now_s() - play.begun_s,
        settle_s=play.settled_s,
        height=len(chain) - 1,
        stale=stale,
        stale_rate=stale / max(1, len(spread.courses)),
        forks=sum(blocks > 1 for blocks in Counter(numbers).values()),
        reorgs=tuple(sorted(watch.reorgs().items())),
        propagation=_propagation([each.delays_s for each in courses], len(play.honest)),
        delays_s=tuple(sorted(delay for each in courses for delay in each.delays_s)),
        healings=tuple(play.healings),
        traffic=tuple(
            Kind(kind, count, traffic.size_bytes[kind])
            for kind, count in traffic.frames.most_common()
        ),
        node_lines=_node_lines(play),
        faults=_sorted(play.faults.items()),
        lies=_sorted(sum((liar.told for liar in play.liars), start=type(play.faults)()).items()),
        actor_falls=watch.falls,
        broken_connections=world.wire.broken,
        bans=sum(len(node.bans.lines) for node in world.nodes if node.is_honest),
        transactions=sum(len(watch.model.state(each).block.transactions) for each in chain),
        deepest_mailboxes=_sorted(watch.deepest.items()),
        blamed_honest=_sorted(watch.blamed.items()),
        blamed_liars=_sorted(watch.liars_blamed.items()),
    )


def _sorted(items: Collection[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The most first."""
    return tuple(sorted(items, key=lambda item: (-item[1], item[0])))


def _propagation(delays: list[list[float]], nodes: int) -> tuple[Propagation, ...]:
    lines: list[Propagation] = []
    for share in SHARES:
        wanted = max(1, -(-int(share * 100) * nodes // 100))
        reached = [each[wanted - 1] for each in delays if len(each) >= wanted]
        lines.append(
            Propagation(
                share, quantile(reached, 0.5), quantile(reached, 0.9), quantile(reached, 1.0)
            )
        )
    return tuple(lines)


def _node_lines(play: Play) -> tuple[NodeLine, ...]:
    watch, lines = play.watch, []
    liars = {liar.node.index for liar in play.liars}
    found = Counter(watch.model.state(each).block.coinbase for each in watch.spread.courses)
    for node in play.world.nodes:
        chain = watch.chain_of(node.index)
        role = "legacy" if node.name in play.world.wire.legacy else "honest"
        lines.append(
            NodeLine(
                node=node.index,
                address=node.name,
                role="liar" if node.index in liars else role,
                height=len(chain) - 1,
                tip=chain[-1].hex(),
                lives=node.lives,
                blocks_found=found[node.key.public],
            )
        )
    return tuple(lines)
