"""A simulated world: whole nodes, the real actors, on one pump, one fake clock and one network.

Everything that happens follows from the seed. A failing seed is played again by passing it in.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from actors.assembly import START_ORDER, Addresses, Machine, assemble
from actors.chain.messages import ChainInfo, GetChain
from actors.chain.store import Store
from actors.config import PeersSettings, Settings
from actors.ledger.codec import decode_block, make_transaction, signing_bytes
from actors.ledger.keys import ED25519
from actors.ledger.network import DEV, Network
from actors.ledger.state import apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef
from actors.mempool.messages import GetFunds, SubmitTransaction
from actors.miner.messages import StartMining, StopMining
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.runtime.supervisor import ListActors, Supervisor
from actors.runtime.team import Alone
from tests.support.memory_journal import MemoryJournal
from tests.support.sim_engine import SimEngine
from tests.support.simnet import SimNetwork, SimTcpActor

SIM_NETWORK = replace(DEV, name="sim", difficulty=1, block_reward=100)
FIRST_PORT = 9000


class SimNode:
    """One node of the world; what would be on its disk survives a crash."""

    def __init__(self, world: World, index: int) -> None:
        self.world, self.index = world, index
        self.name = f"10.0.0.{index + 1}:{FIRST_PORT + index}"
        self.key = ED25519.generate(bytes([index + 1]) * 32)
        self.store = Store.open(None, world.network)
        self.journal, self.bans = MemoryJournal(), MemoryJournal()
        self.book = MemoryJournal()
        self.lives = 0
        self.bootstrap: tuple[str, ...] | None = None
        """Whom it is told at its start; None: all the others."""
        self.supervisor: Supervisor | None = None
        self.addresses: Addresses

    @property
    def alive(self) -> bool:
        return self.supervisor is not None

    def start(self) -> None:
        """Bring the node up on what its disk holds."""
        world = self.world
        self.lives += 1
        rng = random.Random(f"{world.seed}/{self.index}/{self.lives}")
        settings = Settings(
            data_dir=Path(),
            network=world.network,
            peers=PeersSettings(
                advertise=self.name,
                bootstrap=(
                    tuple(node.name for node in world.nodes if node is not self)
                    if self.bootstrap is None
                    else self.bootstrap
                ),
                redial_most_s=8.0,
            ),
        )
        settings = replace(settings, miner=replace(settings.miner, coinbase=self.key.public))
        machine = Machine(
            runner=world.pump,
            clock=world.clock,
            random=rng,
            team=Alone(),
            store=self.store,
            pool_view=self.store.reader(),
            template_view=self.store.reader(),
            journal=self.journal,
            bans=self.bans,
            addresses=self.book,
            build_tcp=lambda messaging, _me: SimTcpActor(world.wire, self.name, messaging),
            build_engine=lambda miner: SimEngine(
                miner, world.clock, rng, mean_s=world.mean_block_s * len(world.nodes)
            ),
        )
        self.supervisor, self.addresses = assemble(settings, machine)
        self.supervisor.start_members()

    def kill(self) -> None:
        """A power cut: no actor says goodbye, and a transaction of the store under way is undone."""
        assert self.supervisor is not None
        for name in START_ORDER:
            self.world.pump.kill(self.supervisor.mailbox(name))
        self.world.pump.kill(self.supervisor.box)
        host = self.world.wire.hosts.get(self.name)
        if host is not None:
            host.vanish()
        self.supervisor = None

    def chain(self) -> ChainInfo:
        return self.world.pump.ask(self.addresses.chain, GetChain())

    def tip(self) -> BlockRef:
        return self.store.tip()

    def blocks(self) -> list[Block]:
        """The canonical chain behind genesis, oldest first."""
        blocks = []
        for raw in self.store.canonical_raws(1, self.tip().number):
            block = decode_block(raw)
            assert isinstance(block, Block)
            blocks.append(block)
        return blocks

    def mine(self) -> None:
        assert self.world.pump.ask(self.addresses.miner, StartMining()) is None

    def rest(self) -> None:
        self.world.pump.ask(self.addresses.miner, StopMining())

    def pay(self, recipient: bytes, amount: int) -> None:
        """Sign and submit a transfer; the pool may refuse it, as it may a user's."""
        pump, sender = self.world.pump, self.key.public
        nonce = pump.ask(self.addresses.mempool, GetFunds(sender)).next_nonce
        signature = self.key.sign(signing_bytes(sender, recipient, nonce, amount))
        transaction = make_transaction(sender, recipient, nonce, amount, signature)
        pump.ask(self.addresses.mempool, SubmitTransaction(transaction.raw))

    def restarts(self) -> list[str]:
        """The actors that fell in this life: none ever should."""
        assert self.supervisor is not None
        reports = self.world.pump.ask(self.supervisor.address, ListActors())
        return [f"{r.name}: {r.last_error}" for r in reports if r.restarts]


class World:
    """Some nodes that know each other's addresses, and the time and space between them."""

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = 5,
        mean_block_s: float = 8.0,
        break_share: float = 0.0,
        network: Network = SIM_NETWORK,
    ) -> None:
        self.seed, self.network, self.mean_block_s = seed, network, mean_block_s
        self.clock = FakeClock()
        self.random = random.Random(seed)
        self.pump = Pump(self.random.getrandbits(64), self.clock)
        self.wire = SimNetwork(
            self.clock, random.Random(self.random.getrandbits(64)), break_share=break_share
        )
        self.nodes: list[SimNode] = []
        self.nodes.extend(SimNode(self, index) for index in range(nodes))

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
            if len({node.tip() for node in self.nodes if node.alive}) == 1:
                return True
        return False

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
