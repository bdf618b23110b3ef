"""A simulated world: whole nodes, the real actors, on one pump, one fake clock and one network.

Everything that happens follows from the seed. A failing seed is played again by passing it in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from actors.ledger.network import DEV, Network
from actors.ledger.state import apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.runtime.team import Team
from actors.simulation.disk import new_store
from actors.simulation.network import SimNetwork
from actors.simulation.node import SimNode
from actors.simulation.stage import Onlooker
from actors.simulation.team import SharedTeam
from actors.simulation.trace import Trace

SIM_NETWORK = replace(DEV, name="sim", difficulty=1, block_reward=100)
ALL_KNOW_ALL = 12
"""Up to so many nodes each is told all others at its start; of more, as many as it dials."""
MIN_OTHERS = 4
"""A node is content with half of its most peers: with all others there are, but not with one alone."""
TOLD = 8
"""Those (`actors.peers.slots.MAX_OUTBOUND_KEPT`)."""
MAX_PEERS = 24
"""Three times as many: half of its links a node makes, and hardly one has to part with any."""


class World:
    """Some nodes that know some of each other's addresses, and the time and space between them."""

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = 5,
        mean_block_s: float = 8.0,
        break_share: float = 0.0,
        network: Network = SIM_NETWORK,
        power: Mapping[int, float] | None = None,
        trace: Trace | None = None,
        onlooker: Onlooker | None = None,
    ) -> None:
        """Build the nodes; none of them runs yet.

        Args:
            seed: Of everything.
            nodes: How many.
            mean_block_s: Between two blocks while all nodes mine.
            break_share: Of all sends, those at which the connection breaks.
            network: Whose rules apply.
            power: The hash power of nodes by index; 1 where none is given.
            trace: Where everything that happens is noted.
            onlooker: Who looks on.
        """
        self.seed, self.network, self.mean_block_s = seed, network, mean_block_s
        self.clock = FakeClock()
        self.random = random.Random(seed)  # noqa: S311 - a seeded world
        self.pump = Pump(self.random.getrandbits(64), self.clock)
        wire_random = random.Random(self.random.getrandbits(64))  # noqa: S311 - a seeded world
        self.wire = SimNetwork(self.clock, wire_random, break_share=break_share, trace=trace)
        self.trace, self.onlooker = trace, onlooker
        self.team: Team = SharedTeam()
        self.power = dict(power or {})
        self.all_power = sum(self.power.get(index, 1.0) for index in range(nodes))
        self.blank_store = new_store(network)
        self.max_peers = MAX_PEERS if nodes > ALL_KNOW_ALL else 2 * max(MIN_OTHERS, nodes - 1)
        """Of each node."""
        self.nodes = [SimNode(self, index) for index in range(nodes)]
        if nodes > ALL_KNOW_ALL:
            self._introduce(random.Random(self.random.getrandbits(64)))  # noqa: S311 - as above

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        self.run_for(2.0)

    def run_for(self, seconds: float) -> None:
        self.pump.run_for(seconds)

    def run_until_agreed(self, limit_s: float) -> bool:
        """Let time pass until all living nodes stand on one tip; False after ``limit_s``."""
        until_s = self.clock.now_s() + limit_s
        while self.clock.now_s() < until_s:
            self.run_for(1.0)
            if self.agree():
                return True
        return False

    def agree(self) -> bool:
        """Whether all living nodes that are honest stand on one tip."""
        return len({node.tip() for node in self.nodes if node.alive and node.is_honest}) == 1

    def check(self) -> None:
        """The invariants of every node: its store is what the ledger makes of its blocks."""
        for node in self.nodes:
            accounts = replay(self.network, node.blocks())
            height = node.tip().number
            supply = sum(account.balance for account in accounts.values())
            assert supply == self.network.block_reward * height, node.name
            for address, account in accounts.items():
                assert node.store.account(address) == account, node.name
            if node.alive:
                assert node.restarts() == []

    def _introduce(self, choices: random.Random) -> None:
        """A random graph: each node is told some others. It is connected unless luck is very bad."""
        for node in self.nodes:
            others = choices.sample(self.nodes, TOLD + 1)
            node.bootstrap = tuple(each.name for each in others if each is not node)[:TOLD]


def replay(network: Network, blocks: list[Block]) -> dict[bytes, Account]:
    """The accounts after these blocks, by the rules alone."""
    accounts: dict[bytes, Account] = {}
    parent = network.genesis.ref
    for block in blocks:
        applied = apply_block(
            network, parent, lambda address: accounts.get(address, EMPTY_ACCOUNT), block
        )
        assert not hasattr(applied, "rule"), applied
        accounts.update(applied.accounts)
        parent = block.ref
    return accounts
