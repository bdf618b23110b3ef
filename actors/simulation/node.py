"""One node of a simulated world: the real actors on simulated hardware, and what outlives them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from actors.assembly import START_ORDER, Addresses, Machine, assemble
from actors.chain.messages import ChainInfo, GetChain
from actors.config import PeersSettings, Settings
from actors.ledger.codec import decode_block, make_transaction, signing_bytes
from actors.ledger.keys import ED25519
from actors.ledger.types import Block, BlockRef
from actors.mempool.messages import GetFunds, SubmitTransaction
from actors.miner.engine import ScanResult
from actors.miner.messages import StartMining, StopMining
from actors.runtime.address import Address, Ask
from actors.runtime.pump import PowerCut
from actors.runtime.supervisor import ListActors, Supervisor
from actors.simulation.disk import Disk, SimStore, copied
from actors.simulation.engine import SimEngine
from actors.simulation.host import SimHost
from actors.simulation.memory import MemoryJournal
from actors.simulation.stage import Stage
from actors.simulation.tcp import SimTcpActor
from actors.tcp.messages import TcpEvent

if TYPE_CHECKING:
    from actors.simulation.world import World

R = TypeVar("R")

FIRST_PORT = 9_000
KEY_BYTES = 32


class SimNode:
    """One node of the world; what would be on its disk survives a crash."""

    def __init__(self, world: World, index: int) -> None:
        self.world, self.index = world, index
        number = index + 1
        self.name = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:{FIRST_PORT}"
        self.key = ED25519.generate(number.to_bytes(KEY_BYTES, "little"))
        self.disk = Disk()
        self.store = SimStore(copied(world.blank_store), world.network)
        self.journal, self.bans = MemoryJournal(), MemoryJournal()
        self.book = MemoryJournal()
        self.lives = 0
        self.is_honest = True
        self.bootstrap: tuple[str, ...] | None = None
        """Whom it is told at its start; None: all the others."""
        self.stage = Stage(world.pump, index, world.onlooker)
        self.supervisor: Supervisor | None = None
        self.addresses: Addresses
        self._engine: SimEngine

    @property
    def alive(self) -> bool:
        return self.supervisor is not None

    @property
    def host(self) -> SimHost | None:
        """Its end of the network, while it has one."""
        return self.world.wire.hosts.get(self.name)

    def start(self) -> None:
        """Bring the node up on what its disk holds."""
        self.lives += 1
        if self.lives > 1:
            self.store = self.store.reopened(self.world.network)
        self.store.connection.disk = self.disk
        self.stage = Stage(self.world.pump, self.index, self.world.onlooker)
        try:
            self.supervisor, self.addresses = assemble(self._settings(), self._machine())
            self.supervisor.start_members()
        except PowerCut as cut:
            if self.supervisor is not None:
                cut.darken()

    def _settings(self) -> Settings:
        world = self.world
        told = tuple(node.name for node in world.nodes if node is not self)
        peers = PeersSettings(
            advertise=self.name,
            bootstrap=told if self.bootstrap is None else self.bootstrap,
            max_peers=world.max_peers,
            redial_most_s=8.0,
        )
        settings = Settings(data_dir=Path(), network=world.network, peers=peers)
        return replace(settings, miner=replace(settings.miner, coinbase=self.key.public))

    def _machine(self) -> Machine:
        world = self.world
        rng = random.Random(f"{world.seed}/{self.index}/{self.lives}")  # noqa: S311 - a seeded world
        return Machine(
            runner=self.stage,
            clock=world.clock,
            random=rng,
            team=world.team,
            store=self.store,
            pool_view=self.store.reader(),
            template_view=self.store.reader(),
            journal=self.journal,
            bans=self.bans,
            addresses=self.book,
            build_tcp=self._build_tcp,
            build_engine=lambda miner: self._build_engine(miner, rng),
        )

    def _build_engine(self, miner: Address[ScanResult], rng: random.Random) -> SimEngine:
        self._engine = SimEngine(miner, self.world.clock, rng, mean_s=self._mean_s())
        return self._engine

    def _mean_s(self) -> float:
        """From one block of this node to the next; who has no hash power is not told to mine."""
        world = self.world
        power = world.power.get(self.index, 1.0)
        return world.mean_block_s * world.all_power / power if power else float("inf")

    def take_all_power(self) -> None:
        """Mine alone as fast as all nodes did."""
        self.world.power[self.index] = self.world.all_power
        self._engine.set_mean(self._mean_s())

    def _build_tcp(self, messaging: Address[TcpEvent], _me: Address[Any]) -> SimTcpActor:
        """The connections of a life outlive the actor."""
        host = self.host
        if host is None:
            host = SimHost(self.world.wire, self.name, messaging)
        return SimTcpActor(host, messaging)

    def kill(self) -> None:
        """A power cut: no actor says goodbye, and a transaction of the store under way is undone."""
        assert self.supervisor is not None
        for name in START_ORDER:
            self.world.pump.kill(self.supervisor.mailbox(name))
        self.world.pump.kill(self.supervisor.box)
        if (host := self.host) is not None:
            host.vanish()
        self.supervisor = None
        self.stage.darken()

    def move(self) -> None:
        """Come back under another address. Not in the middle of a letter."""
        self.kill()
        number = self.lives * len(self.world.nodes) + self.index
        self.name = f"10.{100 + (number >> 16)}.{number >> 8 & 255}.{number & 255}:{FIRST_PORT}"
        self.start()

    def chain(self) -> ChainInfo:
        return self.world.pump.ask(self.addresses.chain, GetChain())

    def tip(self) -> BlockRef:
        with self.store.aside():
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
        assert self._ask(self.addresses.miner, StartMining()) is None

    def rest(self) -> None:
        self._ask(self.addresses.miner, StopMining())

    def pay(self, recipient: bytes, amount: int) -> None:
        """Sign and submit a transfer; the pool may refuse it, as it may a user's."""
        sender = self.key.public
        nonce = self._ask(self.addresses.mempool, GetFunds(sender)).next_nonce
        signature = self.key.sign(signing_bytes(sender, recipient, nonce, amount))
        transaction = make_transaction(sender, recipient, nonce, amount, signature)
        self._ask(self.addresses.mempool, SubmitTransaction(transaction.raw))

    def _ask(self, address: Address[Any], question: Ask[R]) -> R:
        """Whoever is up answers while time stands still.

        Raises:
            TimeoutError: The actor is down.
            ActorDownError: It has fallen over this.
        """
        return self.world.pump.ask(address, question, timeout_s=0.0)

    def restarts(self) -> list[str]:
        """The actors that fell in this life: none ever should."""
        assert self.supervisor is not None
        reports = self.world.pump.ask(self.supervisor.address, ListActors())
        return [f"{r.name}: {r.last_error}" for r in reports if r.restarts]
