"""Dials: from the decision to dial an address to the answer to our hello, and who waits for it.

Lives here: the dials under way, and what an outcome means for the book. Must not live here: which
addresses are known (`book`), who is a peer (`table`), or the hello itself (`actor`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain

from actors.peers.addresses import host_of, parse_address, split_address
from actors.peers.book import REST_S, AddressBook
from actors.peers.hosts import Hosts
from actors.peers.messages import ConnectOutcome, PeerId
from actors.peers.table import PeerTable
from actors.runtime.address import Address
from actors.tcp.messages import Connect, Connected, ConnId

MAX_DIALS = 16
"""Each costs a socket and up to 20 s; more at once only look like a scan to others."""
MAX_SEEKING = 8
"""Dials of our own accord; the rest of `MAX_DIALS` is the operator's."""
MAX_WAITING = 16
"""Askers for one dial; more of them is somebody's loop."""


@dataclass(slots=True)
class Dial:
    """A dial under way. ``conn`` is None until the connection is up."""

    address: PeerId
    host: str
    """Where it leads: as the address says, then as the socket does."""
    conn: ConnId | None = None
    own_hello: bool = False
    """A hello from our own address came in while this dial alone awaited its answer."""
    waiting: list[Future[ConnectOutcome]] = field(default_factory=list)


class Dialer:
    """At most one dial for an address, and none for one that is banned."""

    def __init__(
        self,
        *,
        own: PeerId,
        kept: Container[PeerId],
        table: PeerTable,
        book: AddressBook,
        tcp: Address[Connect],
        is_banned: Callable[[PeerId], bool],
        seek_after: Callable[[float], None],
        tokens: Iterator[int],
    ) -> None:
        self._own, self._kept, self._table, self._book = own, kept, table, book
        self._tcp, self._is_banned, self._seek_after = tcp, is_banned, seek_after
        self._tokens = tokens
        self._dials: dict[int, Dial] = {}

    def __len__(self) -> int:
        return len(self._dials)

    def get(self, token: int | None) -> Dial | None:
        return None if token is None else self._dials.get(token)

    def connect(
        self, text: str, take_over: Callable[[], Future[ConnectOutcome]]
    ) -> ConnectOutcome | None:
        """Dial for an operator, whatever the book says.

        Returns the answer, or None where the dial will give it to the future of ``take_over``.
        """
        address = parse_address(text)
        if address is None:
            return ConnectOutcome.BAD_ADDRESS
        if address == self._own:
            return ConnectOutcome.OURSELVES
        if self._is_banned(address):
            return ConnectOutcome.BANNED
        if self._table.is_verified(address):
            return ConnectOutcome.ALREADY_CONNECTED
        dial = next((dial for dial in self._dials.values() if dial.address == address), None)
        if dial is None and len(self._dials) < MAX_DIALS:
            dial = self._dial(address)
        if dial is None or len(dial.waiting) >= MAX_WAITING:
            return ConnectOutcome.BUSY
        dial.waiting.append(take_over())
        return None

    def seek(self, missing: int, now_s: float) -> None:
        """Dial so many addresses that the book holds due, dials under way counted in.

        An address that a peer only claims is dialed like any other: the owner is found, or the claim
        comes true and the dial gives the peer a further link, or the back-off slows it down.
        """
        limit = min(missing, MAX_SEEKING) - len(self._dials)
        if limit <= 0:
            return
        taken = {peer.id for peer in self._table if peer.verified}
        taken |= {dial.address for dial in self._dials.values()}
        hosts = self._hosts()

        def is_barred(address: PeerId) -> bool:
            host = host_of(address)
            if self._is_banned(address) or (hosts.is_full(host) and address not in self._kept):
                return True
            hosts.add(host)
            return False

        for address in self._book.due(now_s, limit, taken, is_barred):
            self._dial(address)

    def reached(self, dial: Dial, connected: Connected) -> bool:
        """A dial is up, and nothing said yet; False: it led to a host where enough are, and nobody named it."""
        host = host_of(connected.remote)
        is_named = dial.waiting or dial.address in self._kept
        if not is_named and self._hosts(but=dial).is_full(host):
            return False
        dial.conn, dial.host = connected.conn, host
        return True

    def end(self, token: int, outcome: ConnectOutcome, now_s: float) -> None:
        """A dial is decided; nothing happens when it was decided before."""
        dial = self._dials.pop(token, None)
        if dial is None:
            return
        if outcome is ConnectOutcome.CONNECTED:
            self._book.answered(dial.address, now_s)
        else:
            self.lost(dial.address, now_s)
        if outcome is ConnectOutcome.REJECTED and dial.own_hello:
            outcome = ConnectOutcome.OURSELVES
            self._book.rest(dial.address, now_s + REST_S)
        for future in dial.waiting:
            future.set_result(outcome)

    def lost(self, address: PeerId, now_s: float, *, lasted_s: float = 0.0) -> None:
        """There is no peer at this address, or after ``lasted_s`` there is none any more."""
        delay_s = self._book.failed(address, now_s, lasted_s=lasted_s)
        if delay_s is not None:
            self._seek_after(delay_s)

    def note_own_hello(self) -> None:
        """We were greeted by our own address: if one dial alone has said hello, it reached us.

        With several there is no telling which, since all our hellos are the same bytes; a later redial
        will be alone.
        """
        greeting = [dial for dial in self._dials.values() if dial.conn is not None]
        if len(greeting) == 1:
            greeting[0].own_hello = True

    def abandon(self, error: Exception) -> None:
        """Let down whoever waits: no dial will be decided any more."""
        for dial in self._dials.values():
            for future in dial.waiting:
                future.set_exception(error)
        self._dials.clear()

    def _hosts(self, but: Dial | None = None) -> Hosts:
        """Of the peers that we dialed and the dials under way, without that one."""
        dials = (dial.host for dial in self._dials.values() if dial is not but)
        return Hosts(chain(self._table.outbound_hosts(), dials))

    def _dial(self, address: PeerId) -> Dial:
        token = next(self._tokens)
        dial = self._dials[token] = Dial(address, host_of(address))
        host, port = split_address(address)
        self._tcp.tell(Connect(token, host, port))
        return dial
