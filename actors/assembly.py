"""Who is in a node, and who tells whom: the actors enlisted with their neighbours' addresses.

:func:`assemble` knows the rooms and nothing of the machine: `node` supplies a real one, a simulation a
pump, a fake clock, a simulated network and a store in memory.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors.chain.actor import ChainActor
from actors.chain.checkup import FoundDamaged
from actors.chain.messages import ChainCommand, ReaderCommand
from actors.chain.reader import Damage, ReaderActor
from actors.chain.room import Neighbours
from actors.chain.signatures import Signatures
from actors.chain.store import Reader, Store
from actors.chain.sync import longest_block_bytes
from actors.chain.wire import GET_BLOCKS_KIND
from actors.config import KIB, Settings
from actors.gossip.actor import GossipActor
from actors.gossip.links import Links as GossipLinks
from actors.gossip.messages import GossipCommand
from actors.ledger.network import Network
from actors.ledger.signatures import KnownSignatures
from actors.letters import HouseLetters
from actors.mempool.actor import MempoolActor
from actors.mempool.messages import MempoolCommand
from actors.messaging.actor import MessagingActor
from actors.messaging.adoption import OpenLinks
from actors.messaging.messages import MessagingCommand
from actors.miner.actor import MinerActor
from actors.miner.engine import ScanEngine, ScanResult
from actors.miner.messages import MinerCommand
from actors.miner.orders import MiningOrders
from actors.peers.actor import PeersActor
from actors.peers.adoption import Company
from actors.peers.messages import PeersCommand
from actors.peers.scores import Scores
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.runtime.events import EventsActor, EventsInput
from actors.runtime.journal import Journal
from actors.runtime.quarantine import Quarantine
from actors.runtime.supervisor import Runner, Supervisor, SupervisorInput
from actors.runtime.team import Team
from actors.search.actor import SearchActor
from actors.search.items import Items
from actors.search.messages import SearchCommand
from actors.tcp.messages import TcpEvent, TcpInput

VERSION = "0.1.0"
AGENT = f"troupe/{VERSION}"

START_ORDER = (
    "events",
    "miner",
    "mempool",
    "chain",
    "reader",
    "search",
    "gossip",
    "peers",
    "messaging",
    "tcp",
)
"""Listeners before those who tell them; tcp, where all news begins, comes last. Stop is the reverse."""

STATE_ROOMS = ("chain", "mempool", "miner")
"""A fallen chain takes those who follow it along, so that all three stand on what is stored."""

CREWS = {"links": ("search", "gossip", "peers", "messaging", "tcp")}
"""Who shares a thread, by its name: what passes from a socket to a handler and back changes threads only
where a room outside these judges it. None of them may do what takes long. Everybody else has his own."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each actor of a node is told."""

    supervisor: Address[SupervisorInput]
    events: Address[EventsInput]
    tcp: Address[TcpInput]
    messaging: Address[MessagingCommand | TcpEvent]
    peers: Address[PeersCommand]
    gossip: Address[GossipCommand]
    search: Address[SearchCommand]
    mempool: Address[MempoolCommand]
    chain: Address[ChainCommand]
    reader: Address[ReaderCommand | FoundDamaged]
    miner: Address[MinerCommand]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node runs on: real, or simulated.

    Attributes:
        random: Source of ids, jitter and choices; each actor gets a generator of its own from it.
        team: Verifies signatures.
        pool_view: What the mempool sees of the store; an incarnation hands it on to the next.
        template_view: The same for the miner.
        build_tcp: The tcp room, given the address that it tells events and its own.
        build_engine: What scans nonces, given the address of the miner.
        quarantine: Where those letters go that felled an actor twice.
        forget_tcp: Closes the connections that an incarnation of the tcp room left to the next.
    """

    runner: Runner
    clock: Clock
    random: random.Random
    team: Team
    store: Store
    pool_view: Reader
    template_view: Reader
    journal: Journal
    bans: Journal
    addresses: Journal
    build_tcp: Callable[[Address[TcpEvent], Address[Any]], NodeActor]
    build_engine: Callable[[Address[ScanResult]], ScanEngine]
    quarantine: Quarantine = field(default_factory=Quarantine)
    forget_tcp: Callable[[], None] = lambda: None


def gossip_limits_bytes(network: Network) -> dict[str, int]:
    """WIRE: limits, gossip payloads."""
    return {"bc:new_tx": KIB, "bc:new_block": longest_block_bytes(network)}


def assemble(settings: Settings, machine: Machine) -> tuple[Supervisor, Addresses]:
    """Enlist every actor of a node with its neighbours; nothing runs yet."""
    supervisor = Supervisor(machine.runner, machine.clock)
    at: dict[str, Address[Any]] = {name: Address(supervisor.mailbox(name)) for name in START_ORDER}
    for build in (_enlist_links, _enlist_spreading, _enlist_state):
        build(settings, machine, supervisor, at)
    supervisor.enlist("events", lambda: EventsActor(_fresh_epoch(machine), machine.clock))
    return supervisor, Addresses(supervisor=supervisor.address, **at)


def _generator(machine: Machine) -> random.Random:
    return random.Random(machine.random.getrandbits(128))  # noqa: S311 - ids and jitter


def _fresh_epoch(machine: Machine) -> str:
    """Names one life of the event log: the next one counts from 1 again."""
    return f"{machine.random.getrandbits(64):016x}"


def _enlist_links(
    settings: Settings, machine: Machine, supervisor: Supervisor, at: dict[str, Address[Any]]
) -> None:
    rooms = {
        "p2p": at["peers"],
        "gossip": at["gossip"],
        "search_response": at["search"],
        GET_BLOCKS_KIND: at["reader"],
        "chain": at["chain"],
        "mempool": at["mempool"],
    }
    company, links = Company(), OpenLinks()
    _enlist_peers(settings, machine, supervisor, at, company)
    supervisor.enlist(
        "messaging",
        lambda: MessagingActor(
            tcp=at["tcp"],
            rooms=rooms,
            links=at["peers"],
            me=at["messaging"],
            clock=machine.clock,
            kept=links,
            quarantine=machine.quarantine,
            rates=settings.rates,
        ),
        forget=links.clear,
    )
    supervisor.enlist(
        "tcp", lambda: machine.build_tcp(at["messaging"], at["tcp"]), forget=machine.forget_tcp
    )
    supervisor.heed(HouseLetters(at, machine.quarantine, company.name_of), machine.quarantine)


def _enlist_peers(
    settings: Settings,
    machine: Machine,
    supervisor: Supervisor,
    at: dict[str, Address[Any]],
    company: Company,
) -> None:
    scores = Scores()
    supervisor.enlist(
        "peers",
        lambda: PeersActor(
            settings=settings.peers,
            me=at["peers"],
            tcp=at["tcp"],
            messaging=at["messaging"],
            rooms=(at["gossip"], at["search"], at["chain"], at["reader"], at["mempool"]),
            events=at["events"],
            bans=machine.bans,
            addresses=machine.addresses,
            clock=machine.clock,
            rng=_generator(machine),
            scores=scores,
            company=company,
        ),
        forget=company.clear,
    )


def _enlist_spreading(
    settings: Settings, machine: Machine, supervisor: Supervisor, at: dict[str, Address[Any]]
) -> None:
    handlers = {"bc:new_tx": at["mempool"], "bc:new_block": at["chain"], "search": at["search"]}
    items, links = Items(), GossipLinks()
    supervisor.enlist(
        "gossip",
        lambda: GossipActor(
            me=at["gossip"],
            handlers=handlers,
            limits_bytes=gossip_limits_bytes(settings.network),
            messaging=at["messaging"],
            peers=at["peers"],
            clock=machine.clock,
            rng=_generator(machine),
            rates=settings.rates,
            links=links,
        ),
    )
    supervisor.enlist(
        "search",
        lambda: SearchActor(
            me=at["search"],
            providers={"block": at["reader"]},
            items=items,
            gossip=at["gossip"],
            messaging=at["messaging"],
            peers=at["peers"],
            clock=machine.clock,
            rng=_generator(machine),
            rates=settings.rates,
        ),
    )


def _enlist_state(
    settings: Settings, machine: Machine, supervisor: Supervisor, at: dict[str, Address[Any]]
) -> None:
    neighbours = Neighbours(
        messaging=at["messaging"],
        peers=at["peers"],
        gossip=at["gossip"],
        search=at["search"],
        mempool=at["mempool"],
        miner=at["miner"],
        events=at["events"],
        supervisor=supervisor.address,
    )
    known = KnownSignatures()
    supervisor.enlist(
        "chain",
        lambda: ChainActor(
            store=machine.store,
            network=settings.network,
            agent=AGENT,
            clock=machine.clock,
            me=at["chain"],
            neighbours=neighbours,
            signatures=Signatures(settings.network, machine.team, known),
        ),
        group=STATE_ROOMS,
    )
    damage = Damage()
    supervisor.enlist(
        "reader",
        lambda: ReaderActor(
            store=machine.store.reader(),
            me=at["reader"],
            messaging=at["messaging"],
            peers=at["peers"],
            supervisor=supervisor.address,
            damage=damage,
        ),
    )
    supervisor.enlist("mempool", lambda: _mempool(settings, machine, known, at))
    orders = MiningOrders(settings.miner)
    supervisor.enlist("miner", lambda: _miner(settings, machine, orders, at))


def _mempool(
    settings: Settings, machine: Machine, known: KnownSignatures, at: dict[str, Address[Any]]
) -> MempoolActor:
    return MempoolActor(
        network=settings.network,
        settings=settings.mempool,
        accounts=machine.pool_view.account,
        accounts_at=machine.pool_view.account_at,
        team=machine.team,
        known=known,
        journal=machine.journal,
        clock=machine.clock,
        me=at["mempool"],
        peers=at["peers"],
        messaging=at["messaging"],
        gossip=at["gossip"],
        miner=at["miner"],
        events=at["events"],
    )


def _miner(
    settings: Settings, machine: Machine, orders: MiningOrders, at: dict[str, Address[Any]]
) -> MinerActor:
    return MinerActor(
        network=settings.network,
        orders=orders,
        engine=machine.build_engine(at["miner"]),
        accounts_at=machine.template_view.account_at,
        tip=machine.template_view.tip,
        clock=machine.clock,
        me=at["miner"],
        chain=at["chain"],
        mempool=at["mempool"],
        events=at["events"],
    )
