"""Settings of a node: frozen, with units in their names, and a default with a reason for each bound.

Values only: reading flags, environment and files is the command's business (``admin``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from actors.ledger.network import MAIN, Network

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """WIRE: limits, the rows about connections and frames."""

    accepted_frame_limit_bytes: int = 1 * KIB
    """Until hello: a hello is a kind and an address."""
    dialed_frame_limit_bytes: int = 64 * KIB
    """Until the hello response: it may carry a peer list."""
    frame_limit_bytes: int = 1 * MIB
    hello_timeout_s: float = 5.0
    connect_timeout_s: float = 10.0
    frame_timeout_s: float = 20.0
    write_timeout_s: float = 20.0
    unsent_limit_bytes: int = 2 * MIB
    """Above it the connection's requests are not read: it would only make us queue more."""
    credit_frames: int = 256
    """Frames handed on and not yet handled, per connection (WIRE: requests in flight)."""
    credit_bytes: int = 1 * MIB
    buffer_limit_bytes: int = 64 * MIB
    """Held for all connections together: frames half received, not handled or not sent. 80 could come to
    1.5 GiB, each within its own limits; a host that has memory for a node at all has this."""
    max_connections: int = 328
    """All links of twice ``max_peers``, and the strangers: the composition root derives it."""
    kept_for_dialed: int = 0
    """Of those, seats that nobody takes by dialing us: for whom we choose (derived from ``max_peers``)."""
    max_unestablished: int = 8
    max_per_ip: int = 4
    """Loopback is exempt: a network on one machine is a use, not an attack."""
    idle_s: float = 30.0
    silent_s: float = 90.0


@dataclass(frozen=True, slots=True)
class RateSettings:
    """WIRE: limits: how often one peer may do what costs us or others more than it costs the peer. A burst is
    what it may do at once.
    """

    useless_per_s: int = 200
    useless_burst: int = 2_000
    """Messages that are of no use to anybody here (unknown kinds, malformed gossip, answers to nothing), of a
    connection; above it, it is read more slowly. Somebody's extension of the protocol may say so much to all
    his peers; a hundred connections that say nothing else cost a tenth of a processor."""
    talk_relays_per_s: int = 5
    talk_relay_burst: int = 5
    """Gossip that no room judges (chat), passed on for a peer."""
    talk_heard_per_s: int = 100
    talk_heard_burst: int = 500
    """The same, heard by listeners: half of what may wait for one (ADMIN_API), so that no single peer makes one
    fall behind."""
    look_ups_per_s: int = 2_000
    look_up_burst: int = 256
    """Searches answered from our store, delayed by not reading; at once what one connection's read credit
    lets in."""
    search_relays_per_s: int = 5
    search_relay_burst: int = 50
    """Searches passed on for a peer."""


DEFAULT_RATES = RateSettings()


@dataclass(frozen=True, slots=True)
class PeersSettings:
    """WIRE: peers."""

    advertise: str = ""
    """``host:port`` that our hello carries; the composition root fills in the bound port."""
    bootstrap: tuple[str, ...] = ()
    max_peers: int = 40
    maintain_every_s: float = 5.0
    redial_first_s: float = 2.0
    redial_most_s: float = 64.0
    reject_linger_s: float = 10.0
    """How long a rejected dialer may keep its connection (WIRE: peers)."""
    known_addresses: int = 1_000
    """A peer list holds 100; ten full lists are more than a node of 40 peers can use. With more than 333 peers
    the address book grows with them."""


@dataclass(frozen=True, slots=True)
class MempoolSettings:
    """LEDGER: mempool policy."""

    max_per_sender: int = 64
    max_pending_per_sender: int = 16
    max_pending: int = 5_000
    max_queued: int = 1_000
    expiry_s: float = 3 * 3600.0
    broke_share: float = 0.10
    """Of all places, for senders without a balance: zero-amount transfers are free."""


KERNEL_CHOICES = ("auto", "avx512", "sha_ni", "avx2", "armv8", "portable", "hashlib")
"""How nonces can be scanned: by the best way there is, one kernel of the native scan, or ``hashlib`` in
worker processes."""
MAX_THREADS = 256
"""That scan: each may be a process and a connection to it, of which a system allows some thousand; beyond
what the largest machines have, a number is a slip. ADMIN_API says it too."""


@dataclass(frozen=True, slots=True)
class MinerSettings:
    """How a node mines."""

    mine: bool = False
    threads: int = 1
    coinbase: bytes = b""
    kernel: str = "auto"
    """One of :data:`KERNEL_CHOICES`."""


MIN_KEEP_HISTORY = 1_000
"""The mempool, whose view may lag behind by some batches of a sync, and everyday reorganisations must find
the state of their blocks; 1,000 blocks also take no space worth saving."""


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What the store keeps."""

    keep_history: int = 0
    """Accounts can be asked for as of the newest so many blocks, at least :data:`MIN_KEEP_HISTORY`; what only
    older blocks need is deleted. 0: all is kept."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS of the admin server; without a certificate of one's own it is automatic."""

    automatic: bool = False
    names: tuple[str, ...] = ()
    """Host names and IP addresses of an automatic certificate, beside those of this machine."""
    certificate: Path | None = None
    """PEM; with ``key``, in place of an automatic one."""
    key: Path | None = None
    client_ca: Path | None = None
    """PEM of who signs the certificates that clients must show."""

    @property
    def is_on(self) -> bool:
        return self.automatic or self.certificate is not None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of a node's settings."""

    data_dir: Path
    network: Network = MAIN
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    tls: TlsSettings = field(default_factory=TlsSettings)
    channelz: bool = False
    """Whether the admin server serves grpc.channelz.v1 beside its own services."""
    tcp: TcpSettings = field(default_factory=TcpSettings)
    rates: RateSettings = field(default_factory=RateSettings)
    peers: PeersSettings = field(default_factory=PeersSettings)
    mempool: MempoolSettings = field(default_factory=MempoolSettings)
    chain: ChainSettings = field(default_factory=ChainSettings)
    miner: MinerSettings = field(default_factory=MinerSettings)
