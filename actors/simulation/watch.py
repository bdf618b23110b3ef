"""The invariants of a simulated world, looked at after every letter that any actor has handled.

A look costs what the letter changed: a mailbox its length, a commit the accounts of its blocks. What a room
holds and whom a node bans are read off the actors' own reports, which cost more: behind every
`REPORT_EVERY`th letter of that room. :meth:`Watch.audit` looks at all of it.

1. A node follows valid blocks only, and its store holds what the model has made of them, in each account
   that changed; in the audit in all of them. So: supply = reward x height, no negative balance, contiguous
   nonces.
2. No mailbox, and nothing else that a peer can fill, is longer than its bound.
3. No actor falls over whom nobody has felled on purpose.
4. Who is honest bans nobody honest.
5. What was committed before a power cut is there after it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from actors.chain.schema import StoreError
from actors.ledger.types import EMPTY_ACCOUNT, Account, BlockRef
from actors.peers.messages import ConnectionMisbehaved, Misbehaved
from actors.runtime.actor import Fall
from actors.runtime.mailbox import Mailbox
from actors.runtime.orders import Ended
from actors.runtime.supervisor import GetDegraded
from actors.simulation.bounds import MAILBOX_FREE, asked, check_bans, check_bounds, mailbox_bound
from actors.simulation.model import Model
from actors.simulation.spread import Spread
from actors.simulation.trace import Trace
from actors.simulation.violation import ViolationError, violated

if TYPE_CHECKING:
    from actors.simulation.node import SimNode
    from actors.simulation.world import World

FALLS_SETTLE_S = 90.0
"""After a fault: a member that fell too often rests (`supervisor.RETRY_S`), and its falls count for a minute."""
POISON = "no message of any room"
"""Fells every actor that is told it."""
REPORT_EVERY = 16
"""Letters of a room between two of its reports."""


@dataclass(slots=True)
class Seen:
    """What is known of one node.

    Attributes:
        chain: The hashes of its canonical chain, genesis first.
        excused_until_s: Falls until then that look like it are the doing of the simulation.
        reorgs: How often it went back how many blocks.
    """

    chain: list[bytes]
    excused_until_s: float = -1.0
    reorgs: Counter[int] = field(default_factory=Counter)


class Watch:
    """Looks on, and raises :class:`ViolationError` where an invariant does not hold."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._world: World
        self._nodes: list[SimNode] = []
        self._seen: list[Seen] = []
        self.model: Model
        self.spread: Spread
        self.deepest: Counter[str] = Counter()
        """The longest that the mailbox of each actor's name was."""
        self.blamed: Counter[str] = Counter()
        """Points that the honest gave the honest, by reason; they fade before they add up to a ban."""
        self.liars_blamed: Counter[str] = Counter()
        self.falls = 0
        self._written_s, self._written = -1.0, ""

    def attend(self, world: World) -> None:
        """The world is built, and nobody plays yet."""
        self._world, self._nodes = world, world.nodes
        self.model, self.spread = Model(world.network), Spread(world.clock)
        self._seen = [Seen([world.network.genesis.hash]) for _ in world.nodes]

    def excuse(self, node: int, seconds: float) -> None:
        """What falls on a node for so long, and for as long as falls settle, is not its own fault."""
        until_s = self._world.clock.now_s() + seconds + FALLS_SETTLE_S
        self._seen[node].excused_until_s = max(self._seen[node].excused_until_s, until_s)

    def chain_of(self, node: int) -> list[bytes]:
        """The canonical chain as of the last commit."""
        return self._seen[node].chain

    def reorgs(self) -> Counter[int]:
        """How many honest nodes went back how many blocks."""
        depths: Counter[int] = Counter()
        for node, seen in zip(self._nodes, self._seen, strict=True):
            if node.is_honest:
                depths += seen.reorgs
        return depths

    # -- onlooker ---------------------------------------------------------------------------------

    def begins(self, node: int, actor: str, message: Any) -> None:
        self._trace.note(f"{self._time()} {node} {actor} {type(message).__name__}")
        match message:
            case Ended(name, stopped, Fall(error, None)) if stopped.has_begun:
                self.fell(node, name, error)  # in its ``on_stop``, of which no letter tells
        if actor != "peers" or not self._nodes[node].is_honest:
            return
        if isinstance(message, Misbehaved | ConnectionMisbehaved):
            blamed = self.blamed if self._is_slander(node, message) else self.liars_blamed
            blamed[message.reason] += message.points

    def ended(self, node: int, mailbox: Mailbox) -> None:
        depth, name = mailbox.qsize(), mailbox.name
        if depth > self.deepest[name]:
            self.deepest[name] = depth
            if depth > MAILBOX_FREE:
                self._require_depth(node, name, depth)
        if name == "chain" and self._nodes[node].store.has_committed:
            self._look_at_store(node)
        if not mailbox.handled % REPORT_EVERY:
            self._look_at_room(self._nodes[node], name)

    def fell(self, node: int, actor: str, error: BaseException | None) -> None:
        self.falls += 1
        if actor == "chain" and self._nodes[node].store.has_committed:
            self._look_at_store(node)
        excused = self._world.clock.now_s() <= self._seen[node].excused_until_s
        if self._nodes[node].is_honest and not (excused and _is_meant(error)):
            violated(f"node {node}: {actor} fell: {error!r}")

    def darkened(self, node: int) -> None:
        if self._nodes[node].store.has_committed:  # in the letter that the power cut came into
            self._look_at_store(node)

    def _time(self) -> str:
        """Now, as a trace has it; most letters are of the same moment as the one before."""
        now_s = self._world.clock.now_s()
        if now_s != self._written_s:
            self._written_s, self._written = now_s, f"{now_s:.6f}"
        return self._written

    def _is_slander(self, node: int, message: Misbehaved | ConnectionMisbehaved) -> bool:
        """Whether somebody honest is blamed. A name that nobody has is that of a liar who has moved."""
        if isinstance(message, Misbehaved):
            return message.peer in self._honest_names
        host = self._nodes[node].host
        end = None if host is None else host.ends.get(message.conn)
        if end is None or end.other is None:
            return False
        return end.other.host.name not in self._world.wire.meddlers

    # -- looks ------------------------------------------------------------------------------------

    def _require_depth(self, node: int, name: str, depth: int) -> None:
        host = self._nodes[node].host
        bound = mailbox_bound(0 if host is None else len(host.ends))
        if depth > bound:
            violated(f"node {node}: {depth} letters wait for {name}, {bound} may")

    def _look_at_store(self, index: int) -> None:
        store = self._nodes[index].store
        store.has_committed = False
        with store.aside():
            self._committed(index)

    def _committed(self, index: int) -> None:
        """A commit moved the tip, or stored a block aside."""
        node, seen = self._nodes[index], self._seen[index]
        tip = node.store.tip()
        if seen.chain[-1] == tip.hash:
            return
        fresh = self._branch(node, seen, tip)
        fork = tip.number - len(fresh)
        gone = seen.chain[fork + 1 :]
        del seen.chain[fork + 1 :]
        seen.chain += fresh
        touched: dict[bytes, None] = {}
        for block_hash in (*gone, *fresh):
            touched.update(dict.fromkeys(self.model.state(block_hash).changed))
        accounts = self.model.state(tip.hash).accounts
        for address in touched:
            self._require_account(node, address, accounts.get(address, EMPTY_ACCOUNT))
        self._trace.note(
            f"{self._time()} {index} tip {tip.number} {tip.hash.hex()[:16]} -{len(gone)}"
        )
        if gone:
            seen.reorgs[len(gone)] += 1
        if node.is_honest:
            for block_hash in fresh:
                self.spread.has(block_hash, index)

    def _branch(self, node: SimNode, seen: Seen, tip: BlockRef) -> list[bytes]:
        """The hashes behind the newest block that was canonical before, oldest first."""
        hashes: list[bytes] = []
        number, block_hash = tip.number, tip.hash
        while number >= len(seen.chain) or seen.chain[number] != block_hash:
            if number == 0:
                violated(f"node {node.index} stands on another genesis")
            hashes.append(block_hash)
            number -= 1
            stored = node.store.hash_at(number)
            if stored is None:
                violated(f"node {node.index} has no block {number} below its tip")
            block_hash = stored
        for each in reversed(hashes):
            if each not in self.model:
                raw = node.store.raw(each)
                if raw is None:
                    violated(f"node {node.index} follows a block that it has not")
                self._require(node, raw)
        return hashes[::-1]

    def _require(self, node: SimNode, raw: bytes) -> None:
        try:
            self.model.take(raw)
        except ViolationError as error:
            violated(f"node {node.index}: {error.text}")

    def _require_account(self, node: SimNode, address: bytes, due: Account) -> None:
        stored = node.store.account_at(address, node.store.tip().number)
        if stored != due or node.store.account(address) != due:
            violated(f"node {node.index}: account {address.hex()[:12]} is {stored}, and not {due}")

    def _look_at_room(self, node: SimNode, room: str | None = None) -> None:
        """Bounds of one room or of all, and bans."""
        if not node.is_honest:
            return
        check_bounds(node, room)
        if room in {"peers", None}:
            check_bans(node, self._honest_names)

    @cached_property
    def _honest_names(self) -> frozenset[str]:
        """The names of all honest nodes, which keep theirs, and what a ban would call their hosts."""
        names = [node.name for node in self._nodes if node.is_honest]
        return frozenset((*names, *(name.partition(":")[0] for name in names)))

    # -- now and then -----------------------------------------------------------------------------

    def restarted(self, index: int) -> None:
        """A node is up again: what it had committed is there."""
        node, seen = self._nodes[index], self._seen[index]
        tip = node.tip()
        if tip.hash != seen.chain[-1]:
            violated(
                f"node {index}: block {len(seen.chain) - 1} was committed before the power cut"
                f" and is gone: the tip is {tip.number}"
            )

    def audit(self) -> None:
        """Whole stores against the model, and every node against what it says of itself."""
        for node, seen in zip(self._nodes, self._seen, strict=True):
            if node.alive:
                self._look_at_room(node)
            self._require_health(node, seen)
            with node.store.aside():
                self._require_store(node, seen)

    def _require_store(self, node: SimNode, seen: Seen) -> None:
        """The whole of it is what the model has."""
        accounts = self.model.state(seen.chain[-1]).accounts
        tip = node.tip()
        if tip.hash != seen.chain[-1] or tip.number != len(seen.chain) - 1:
            violated(f"node {node.index} moved its tip without a commit")
        for address in (*accounts, *node.store.addresses(b"", len(accounts) + 2)):
            self._require_account(node, address, accounts.get(address, EMPTY_ACCOUNT))

    def _require_health(self, node: SimNode, seen: Seen) -> None:
        """Whom nothing ails any more says so."""
        excused = self._world.clock.now_s() <= seen.excused_until_s
        if node.supervisor is None or excused or not node.is_honest:
            return
        reasons = asked(node, "supervisor", GetDegraded(), tuple)
        if reasons:
            violated(f"node {node.index} is still degraded: {reasons}")


def _is_meant(error: BaseException | None) -> bool:
    """Whether this is what a disk fault or a felled actor looks like: a bug beside it is none the less one."""
    return isinstance(error, sqlite3.Error | StoreError | OSError) or POISON in str(error)
