"""What the admin plane is given of the node: addresses, facts, and two capabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actors.chain.archive import Archive
from actors.chain.messages import ChainCommand, ReaderCommand
from actors.gossip.messages import GossipCommand
from actors.ledger.keys import PrivateKey
from actors.ledger.network import Network
from actors.mempool.messages import MempoolCommand
from actors.messaging.messages import MessagingCommand
from actors.miner.messages import MinerCommand
from actors.peers.messages import PeersCommand
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.runtime.events import EventsInput
from actors.runtime.supervisor import SupervisorInput
from actors.search.messages import SearchCommand
from actors.tcp.messages import TcpEvent, TcpInput
from admin.tuning import Tuning


@dataclass(frozen=True, slots=True)
class House:
    """The node as the admin server sees it.

    Attributes:
        started_s: ``clock.now_s()`` when the node started.
        listen_address: Where peers are accepted, ``host:port``, with the bound port.
        advertise_address: What peers are told, ``host:port``.
        tuning: The node's settings, as they are now.
        archive: Starts the long jobs over the stored chain.
        wallet: Signs transfers; the server shows its public half alone.
        shutdown: Begins to stop the node and returns at once; may be called again. From any thread.
    """

    supervisor: Address[SupervisorInput]
    tcp: Address[TcpInput]
    messaging: Address[MessagingCommand | TcpEvent]
    peers: Address[PeersCommand]
    gossip: Address[GossipCommand]
    search: Address[SearchCommand]
    chain: Address[ChainCommand]
    reader: Address[ReaderCommand]
    mempool: Address[MempoolCommand]
    miner: Address[MinerCommand]
    events: Address[EventsInput]
    clock: Clock
    version: str
    network: Network
    started_s: float
    listen_address: str
    advertise_address: str
    data_dir: Path
    archive: Archive
    wallet: PrivateKey
    shutdown: Callable[[], None]
    tuning: Tuning
