"""What a liar lies about, one class each. Each of them must leave honest nodes as they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.chain.wire import GET_BLOCKS_KIND, MAX_BATCH_BLOCKS, STATUS_KIND, decode_locator
from actors.gossip.course import ID_BYTES
from actors.ledger.types import HASH_BYTES, BlockRef
from actors.messaging.messages import MessageType
from actors.simulation.forge import Flaw

if TYPE_CHECKING:
    from actors.simulation.liar import Liar
    from actors.simulation.network import End

BLOCK_GOSSIP, TX_GOSSIP = "gossip:bc:new_block", "gossip:bc:new_tx"
SEARCH_GOSSIP, SEARCH_ANSWER = "gossip:search:block", "search_response:block"
STATUS_COMMAS = 4
"""Between the fields of a status (WIRE: extensions)."""
HELLO, GET_PEERS = "p2p:hello", "p2p:get_peers"


class Lie:
    """By default it is none. Lies of one liar know nothing of each other."""

    name = ""

    def __init__(self, liar: Liar) -> None:
        self.liar, self.rng = liar, liar.rng

    def act(self) -> None:
        """Of its own accord."""

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:  # noqa: ARG002 - see the lies
        """What goes out in place of a message of this kind, or of the answer to it; None: it itself."""
        return None

    def hears(self, end: End, kind: str, payload: bytes) -> None:
        """What came in."""

    def tells(self) -> None:
        """Count one that is told."""
        self.liar.told[self.name] += 1

    def tip(self) -> BlockRef:
        store = self.liar.node.store
        with store.aside():
            return store.tip()


def claimed(status: bytes, more: int, tip: bytes) -> bytes:
    """A status of so many blocks more, on a tip of its own."""
    network, genesis, height, _, agent = status.split(b",")
    number = b"%d" % max(0, int(height) + more)
    return b",".join((network, genesis, number, tip.hex().encode(), agent))


class InvalidBlocks(Lie):
    """Gossips blocks with every flaw there is, on the tip."""

    name = "invalid-blocks"

    def act(self) -> None:
        flaw = self.rng.choice(tuple(Flaw))
        self.liar.gossip("bc:new_block", self.liar.forger().flawed(self.tip(), flaw).raw)
        self.tells()


class Withheld(Lie):
    """Mines in secret: shows blocks some at a time, or late (selfish mining)."""

    name = "withheld"
    MOST = 3
    LONGEST_S = 40.0

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._held: deque[bytes] = deque()
        self._since_s = 0.0

    def act(self) -> None:
        late = self._now_s() - self._since_s >= self.LONGEST_S
        if self._held and (late or len(self._held) >= self.MOST):
            while self._held:
                self.liar.say(MessageType.REGULAR, BLOCK_GOSSIP, self._held.popleft())

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:
        if kind == BLOCK_GOSSIP:
            if not self._held:
                self._since_s = self._now_s()
            if payload not in self._held and len(self._held) < MAX_BATCH_BLOCKS:
                self._held.append(payload)
            return ()
        return () if kind == GET_BLOCKS_KIND and question else None

    def _now_s(self) -> float:
        return self.liar.node.world.clock.now_s()


class Mutated(Lie):
    """Passes gossip on with a bit flipped, cut short, or many times under fresh ids."""

    name = "mutated"
    COPIES = 3

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:  # noqa: ARG002 - no answers
        if kind not in {BLOCK_GOSSIP, TX_GOSSIP} or len(payload) <= ID_BYTES + 1:
            return None
        rumour = payload[ID_BYTES:]
        match self.rng.randrange(4):
            case 0:
                at = self.rng.randrange(len(rumour))
                flipped = bytes([rumour[at] ^ 1 << self.rng.randrange(8)])
                return (payload[:ID_BYTES] + rumour[:at] + flipped + rumour[at + 1 :],)
            case 1:
                return (payload[: self.rng.randrange(len(payload))],)
            case 2:
                return [self.rng.randbytes(ID_BYTES) + rumour for _ in range(self.COPIES)]
            case _:
                return None


class FalseStatus(Lie):
    """Claims to be far ahead, or far behind, or on another chain of the same network."""

    name = "false-status"

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:  # noqa: ARG002 - any status
        if kind != STATUS_KIND or payload.count(b",") != STATUS_COMMAS:
            return None
        return (
            claimed(
                payload, self.rng.choice((1_000, 10**15, 3, -3)), self.rng.randbytes(HASH_BYTES)
            ),
        )


class FalseBatches(Lie):
    """Claims a little more than it has; answers requests for it with nothing, with nonsense, in disorder, or
    with the same again.
    """

    name = "false-batches"

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:
        if kind == STATUS_KIND and payload.count(b",") == STATUS_COMMAS:
            return (claimed(payload, 5, self.rng.randbytes(HASH_BYTES)),)
        if kind != GET_BLOCKS_KIND or not question:
            return None
        blocks = payload.split(b"\n")
        match self.rng.randrange(6):
            case 0:
                return (b"",)
            case 1:
                return (self.rng.randbytes(200),)
            case 2:
                return (b"\n".join(reversed(blocks)),)
            case 3:
                return (b"\n".join(blocks[:1] * MAX_BATCH_BLOCKS),)
            case 4:
                return (b"\n".join(blocks[: len(blocks) // 2]),)
            case _:
                return ()


class OddLocators(Lie):
    """Asks for blocks with locators that loop, are stale, unknown or too long."""

    name = "odd-locators"
    AT_ONCE = 8

    def act(self) -> None:
        genesis = self.liar.node.world.network.genesis.hash.hex()
        unknown = [self.rng.randbytes(HASH_BYTES).hex() for _ in range(32)]
        tip = self.tip().hash.hex()
        odd = (genesis, ",".join([tip] * 32), ",".join(unknown), ",".join([*unknown, tip]), "0,1")
        for _ in range(self.AT_ONCE):
            locator = self.rng.choice(odd).encode()
            self.liar.say(MessageType.REQUEST, GET_BLOCKS_KIND, locator)
        self.tells()


class TransactionFlood(Lie):
    """Gossips transactions that wait for others, that nobody can pay, or that contradict each other."""

    name = "transaction-flood"
    AT_ONCE = 4

    def act(self) -> None:
        forger = self.liar.forger()
        first = forger.account.nonce
        poor = type(forger)(forger.network, self.rng, forger.stranger(), forger.account)
        for _ in range(self.AT_ONCE):
            match self.rng.randrange(4):
                case 0:
                    transfer = forger.transfer(first + self.rng.randrange(1, 80), 0)
                case 1:
                    transfer = poor.transfer(self.rng.randrange(3), self.rng.randrange(2))
                case 2:
                    transfer = forger.transfer(first, self.rng.randrange(3))
                case _:
                    transfer = forger.transfer(first, forger.account.balance + 1)
            self.liar.gossip("bc:new_tx", transfer.raw)
        self.tells()


class Silent(Lie):
    """Takes everything and gives nothing, but for its hellos."""

    name = "silent"

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:  # noqa: ARG002 - whatever it is
        return None if kind == HELLO else ()


class EqualForks(Lie):
    """Shows half of its peers a sibling of the tip."""

    name = "equal-forks"

    def act(self) -> None:
        tip, store = self.tip(), self.liar.node.store
        if tip.number == 0:
            return
        with store.aside():
            header = store.header(tip.hash)
        assert header is not None
        parent = BlockRef(tip.number - 1, header.parent_hash)
        sibling = self.liar.forger().block(parent)
        half = self.rng.randrange(2)
        self.liar.gossip("bc:new_block", sibling.raw, lambda end: end.conn % 2 == half)
        self.tells()


class FakeBranch(Lie):
    """Offers a longer branch from deep below, with all its work, whose first block is invalid."""

    name = "fake-branch"
    DEEPEST = 8
    LONGER = 6

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._raws: dict[bytes, bytes] = {}
        self._batch = b""

    def act(self) -> None:
        tip, store = self.tip(), self.liar.node.store
        depth = self.rng.randrange(min(self.DEEPEST, tip.number) + 1)
        with store.aside():
            fork_hash = store.hash_at(tip.number - depth)
        assert fork_hash is not None
        fork = BlockRef(tip.number - depth, fork_hash)
        branch = self.liar.forger().branch(fork, depth + self.LONGER)
        self._raws = {block.hash: block.raw for block in branch}
        self._batch = b"\n".join(block.raw for block in branch)
        self.liar.gossip("bc:new_block", branch[-1].raw)
        self.tells()

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:
        if kind == STATUS_KIND and self._raws and payload.count(b",") == STATUS_COMMAS:
            return (claimed(payload, self.LONGER, list(self._raws)[-1]),)
        asked = kind == GET_BLOCKS_KIND and decode_locator(question) is not None
        return (self._batch,) if asked and self._batch else None

    def hears(self, end: End, kind: str, payload: bytes) -> None:
        """Answer searches for what it has made up."""
        raw = self._raws.get(payload[2 * ID_BYTES :]) if kind == SEARCH_GOSSIP else None
        if raw is not None:
            answer = payload[ID_BYTES : 2 * ID_BYTES] + raw
            self.liar.say(MessageType.REGULAR, SEARCH_ANSWER, answer, lambda each: each is end)
            self.tells()


class SearchLies(Lie):
    """Answers searches with another block or with noise, and searches for what there is not."""

    name = "search-lies"
    AT_ONCE = 5

    def act(self) -> None:
        for _ in range(self.AT_ONCE):
            query = self.rng.randbytes(ID_BYTES) + self.rng.randbytes(HASH_BYTES)
            self.liar.gossip("search:block", query)
        self.tells()

    def hears(self, end: End, kind: str, payload: bytes) -> None:
        if kind != SEARCH_GOSSIP:
            return
        store = self.liar.node.store
        with store.aside():
            raw = store.raw(store.tip().hash) or b""
        search_id = payload[ID_BYTES : 2 * ID_BYTES]
        for answer in (search_id + raw, search_id + self.rng.randbytes(50), raw):
            self.liar.say(MessageType.REGULAR, SEARCH_ANSWER, answer, lambda each: each is end)
        self.tells()


class PoisonedAddresses(Lie):
    """Tells of peers that do not exist, and says hello under nobody's name."""

    name = "poisoned-addresses"
    LISTED = 80

    def payloads(self, kind: str, question: bytes, payload: bytes) -> Sequence[bytes] | None:
        listed = ",".join(
            f"10.200.{self.rng.randrange(256)}.{self.rng.randrange(256)}:9000"
            for _ in range(self.LISTED)
        ).encode()
        if kind == HELLO and question:
            return (payload[:1] + listed,)
        return (listed,) if kind == GET_PEERS and payload else None


_ALL: tuple[type[Lie], ...] = (
    InvalidBlocks,
    Withheld,
    Mutated,
    FalseStatus,
    FalseBatches,
    OddLocators,
    TransactionFlood,
    Silent,
    EqualForks,
    FakeBranch,
    SearchLies,
    PoisonedAddresses,
)
LIES: dict[str, type[Lie]] = {lie.name: lie for lie in _ALL}
"""By name."""
