"""Frames of every kind of WIRE, right and wrong in every way that a grammar knows, in batches ready to send.

Half of the work of a live run is making its input. So frames are built once, hundreds in one string of bytes,
and each time a batch is sent only its message ids and a few bytes that mean nothing are drawn anew: a few
slices for a few hundred frames that the node has not seen.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from actors.chain.wire import Status, encode_locator, encode_status
from actors.ledger.codec import block_prefix_suffix, make_block, make_transaction, signing_bytes
from actors.ledger.keys import PrivateKey
from actors.ledger.network import Network
from actors.ledger.types import MAX_INTEGER, Block, BlockRef, Transaction
from actors.miner.scan import Template, scan
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, frame, message

ID_BYTES = 16
HEADER_BYTES = 4
MAX_FRAME_BYTES = 1024 * 1024
NOISE = b"GHIJKLMNOPQRSTUVWXYZ"
"""In no canonical text: what has one of these stays malformed."""
EDGES = (
    *(b"0", b"-1", b"+5", b"00", b"1_0", b" 1", b"9" * 19, b"9" * 20, b"9" * 5_000, b"", b"1e3"),
    *("\u0663".encode(), b"\xff\xfe", b"\0"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """One frame's message: what it is called, and which of its bytes are drawn anew at each sending.

    Attributes:
        id_at: Where 16 bytes of a gossip or search id begin; None: it has none.
        noise_at: A byte that may be any of ``NOISE``; None: it has none.
    """

    label: str
    body: bytes
    id_at: int | None = None
    noise_at: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames in one string, where their ids and noise are, and how many there are of each kind."""

    data: bytearray
    ids: Sequence[int]
    noise: Sequence[int]
    counts: Counter[str]

    def renew(self, rng: random.Random) -> bytes:
        """The same frames under other ids and with other noise."""
        data, draw = self.data, rng.randbytes
        fresh = draw(ID_BYTES * len(self.ids))
        for index, at in enumerate(self.ids):
            data[at : at + ID_BYTES] = fresh[index * ID_BYTES : (index + 1) * ID_BYTES]
        for at, byte in zip(self.noise, draw(len(self.noise)), strict=True):
            data[at] = NOISE[byte % len(NOISE)]
        return bytes(data)


def batch_of(made: Sequence[Made]) -> Batch:
    data, ids, noise = bytearray(), list[int](), list[int]()
    for each in made:
        start = len(data) + HEADER_BYTES
        data += frame(each.body)
        if each.id_at is not None:
            ids.append(start + each.id_at)
        if each.noise_at is not None:
            noise.append(start + each.noise_at)
    return Batch(data, ids, noise, Counter(each.label for each in made))


def mined(
    network: Network, parent: BlockRef, coinbase: bytes, transactions: Sequence[Transaction] = ()
) -> Block:
    """A block with its proof of work; what is in it is not looked at."""
    number = parent.number + 1
    prefix, suffix = block_prefix_suffix(number, parent.hash, coinbase, transactions)
    template = Template(prefix, suffix, network.difficulty)
    nonce, _ = scan(template, 0, 2**32, lambda: False)
    assert nonce is not None, "the network is an easy one"
    return make_block(number, nonce, parent.hash, coinbase, transactions)


class Grammar:
    """Draws frames. Of one network, with a few valid blocks and transactions to begin from."""

    def __init__(self, rng: random.Random, network: Network, payer: PrivateKey) -> None:
        self._rng, self._network, self._payer = rng, network, payer
        self._transactions = [self._pay(nonce, nonce % 7) for nonce in range(200)]
        self._blocks = self._grow()
        self._raws = [block.raw for block in self._blocks]
        self._harmless: tuple[tuple[int, str, Callable[[], Made]], ...] = (
            (14, "bc:new_tx, malformed", self._bad_transaction),
            (4, "bc:new_tx, valid", self._transaction),
            (14, "bc:new_block, malformed", self._bad_block),
            (3, "bc:new_block, valid or orphan", self._block),
            (3, "search:block", self._search),
            (3, "search, other kinds", self._odd_search),
            (5, "search_response", self._search_response),
            (4, "chat", self._chat),
            (8, "gossip of unknown kinds", self._odd_gossip),
            (4, "gossip too short for its id", self._short_gossip),
            (6, "p2p:get_peers", self._get_peers),
            (4, "p2p:hello again", self._hello),
            (3, "chain:status, malformed", self._bad_status),
            (3, "chain:get_blocks", self._get_blocks),
            (1, "mempool:get", lambda: self._ask(b"mempool:get", b"")),
            (8, "unknown requests", lambda: self._ask(self._word(), self._noise())),
            (8, "unknown messages", lambda: self._tell(self._word(), self._noise())),
            (4, "our kinds, wrong type", self._wrong_type),
        )
        self._crimes: tuple[tuple[int, str, Callable[[], Made]], ...] = (
            (3, "bc:new_tx, bad signature", self._forged),
            (1, "bc:new_block, no work", self._workless),
            (6, "responses never asked for", self._response),
            (1, "chain:status", self._status),
            (1, "chain:status of another network", self._other_status),
        )

    @property
    def labels(self) -> list[str]:
        return [label for _, label, _ in (*self._harmless, *self._crimes)]

    def batch(self, count: int, *, crimes: int) -> Batch:
        """Frames of all kinds, with so many among them that cost points."""
        made = [self._draw(self._harmless) for _ in range(count - crimes)]
        for _ in range(crimes):
            made.insert(self._rng.randrange(len(made) + 1), self._draw(self._crimes))
        return batch_of(made)

    def ending(self) -> bytes:
        """What no connection survives, or half of something."""
        rng = self._rng
        whole = frame(self._draw(self._harmless).body)
        return rng.choice(
            (
                whole[: rng.randrange(len(whole))],
                (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
                b"\xff\xff\xff\xff" + rng.randbytes(100),
                frame(b""),
                frame(b"\0\0\0\0"),
                frame(b"\3" + bytes(4) + b"p2p:hello\0"),
                frame(bytes(5) + b"k" * 65),
                frame(bytes(MAX_FRAME_BYTES)),
                rng.randbytes(rng.randrange(1, 400)),
            )
        )

    def status(self) -> bytes:
        """Of a peer of the node's own kind, who is expected to know better than to pass on what is malformed."""
        genesis = self._network.genesis.hash
        return encode_status(Status(self._network.name, genesis, 0, genesis, "troupe/fuzz"))

    def lie(self) -> bytes:
        """An answer to whatever the node has asked."""
        rng = self._rng
        return rng.choice(
            (
                b"",
                self._noise(),
                b"\n".join(self._raws[: rng.randrange(1, 20)]),
                b"\n".join(rng.choices(self._raws, k=20)),
                b"\n" * 200,
                mutated(rng.choice(self._raws), rng),
                f"{self._network.name},{self._network.genesis.hash.hex()},{MAX_INTEGER},"
                f"{'ab' * 32},troupe/9".encode(),
            )
        )

    def _draw(self, recipes: Sequence[tuple[int, str, Callable[[], Made]]]) -> Made:
        weights, labels, makers = zip(*recipes, strict=True)
        (index,) = self._rng.choices(range(len(recipes)), weights)
        made = makers[index]()
        return Made(labels[index], made.body, made.id_at, made.noise_at)

    # -- what frames are made of ------------------------------------------------------------------

    def _pay(self, nonce: int, amount: int) -> Transaction:
        public = self._payer.public
        signature = self._payer.sign(signing_bytes(public, public, nonce, amount))
        return make_transaction(public, public, nonce, amount, signature)

    def _grow(self) -> list[Block]:
        """Blocks with work: short branches on genesis, some invalid, and some that stand on nothing."""
        network, tip = self._network, self._network.genesis.ref
        blocks = []
        for index in range(30):
            coinbase = bytes([index]) * 32
            # Their payer has nothing there.
            included = self._transactions[index : index + index % 3]
            parent = BlockRef(tip.number, sha256(coinbase).digest()) if index % 5 == 4 else tip
            blocks.append(mined(network, parent, coinbase, included))
            tip = blocks[-1].ref if index % 3 else network.genesis.ref
        return blocks

    def _noise(self) -> bytes:
        return self._rng.randbytes(self._rng.randrange(60))

    def _word(self) -> bytes:
        """A kind that nobody has: some come again and again, some never, some are no text."""
        rng = self._rng
        words = (b"foo:bar", b"p2p:", b":", b"", b"gossip", b"chain:tips", b"\xff\xfe", b"k" * 64)
        return rng.choice((*words, b"k%d" % rng.randrange(10_000)))

    def _tell(self, kind: bytes, payload: bytes) -> Made:
        return Made("", body_of(REGULAR, self._rng.getrandbits(32), kind, payload))

    def _ask(self, kind: bytes, payload: bytes) -> Made:
        return Made("", body_of(REQUEST, self._rng.getrandbits(32), kind, payload))

    def _gossip(self, kind: bytes, payload: bytes, *, noisy: bool = False) -> Made:
        """Gossip under an id; ``noisy``: a byte of its payload is made one that is in no canonical text."""
        body = body_of(REGULAR, 0, b"gossip:" + kind, bytes(ID_BYTES) + payload)
        start = len(body) - len(payload)
        noise_at = start + self._rng.randrange(len(payload)) if noisy and payload else None
        return Made("", body, start - ID_BYTES, noise_at)

    # -- a kind each ------------------------------------------------------------------------------

    def _transaction(self) -> Made:
        return self._gossip(b"bc:new_tx", self._rng.choice(self._transactions).raw)

    def _bad_transaction(self) -> Made:
        raw = mutated(self._rng.choice(self._transactions).raw, self._rng)
        return self._gossip(b"bc:new_tx", raw, noisy=True)

    def _forged(self) -> Made:
        raw = self._rng.choice(self._transactions).raw
        return self._gossip(b"bc:new_tx", raw[:-8] + self._rng.randbytes(4).hex().encode())

    def _block(self) -> Made:
        return self._gossip(b"bc:new_block", self._rng.choice(self._raws))

    def _bad_block(self) -> Made:
        raw = mutated(self._rng.choice(self._raws), self._rng)
        return self._gossip(b"bc:new_block", raw, noisy=True)

    def _workless(self) -> Made:
        parent = self._network.genesis
        block = make_block(1, self._rng.getrandbits(60), parent.hash, parent.coinbase, ())
        return self._gossip(b"bc:new_block", block.raw)

    def _search(self) -> Made:
        block = self._rng.choice((*self._blocks, self._network.genesis))
        lengths = (block.hash, block.hash, self._rng.randbytes(32), block.hash[:31], b"")
        return self._gossip(b"search:block", bytes(ID_BYTES) + self._rng.choice(lengths))

    def _odd_search(self) -> Made:
        kind = b"search:" + self._rng.choice((b"", b"file", b"block:", self._word()))
        return self._gossip(kind[:50], self._noise())

    def _search_response(self) -> Made:
        head = self._rng.choice((b"", bytes(ID_BYTES), self._rng.randbytes(15)))
        answer = self._rng.choice((self._rng.choice(self._raws), self._noise(), b""))
        kind = b"search_response:" + self._rng.choice((b"block", b"block", b"file", b""))
        return self._tell(kind, head + answer)

    def _chat(self) -> Made:
        text = self._rng.choice((b"me\0hello", b"\0x", b"me", b"me\0\xff", b"me\0" + b"x" * 4_200))
        return self._gossip(b"chat", text)

    def _odd_gossip(self) -> Made:
        return self._gossip(self._word()[:50], self._noise())

    def _short_gossip(self) -> Made:
        kind = self._rng.choice((b"bc:new_tx", b"bc:new_block", b"search:block", b"chat"))
        return self._tell(b"gossip:" + kind, self._rng.randbytes(self._rng.randrange(ID_BYTES)))

    def _get_peers(self) -> Made:
        return self._ask(b"p2p:get_peers", self._rng.choice((b"", b"", self._noise())))

    def _hello(self) -> Made:
        name = self._rng.choice((b"127.0.0.1:1", b"", b"a:b:c", b"x" * 900, self._noise()))
        return self._ask(b"p2p:hello", name)

    def _status(self) -> Made:
        return self._ask(b"chain:status", self.status())

    def _bad_status(self) -> Made:
        wrong = (self.status()[:-1] + b"\n", b"", b",,,,", self._noise())
        return self._ask(b"chain:status", self._rng.choice(wrong))

    def _other_status(self) -> Made:
        return self._ask(b"chain:status", b"other,%b,0,%b,t/1" % (b"00" * 32, b"00" * 32))

    def _get_blocks(self) -> Made:
        rng, genesis = self._rng, self._network.genesis.hash
        hashes = [rng.choice((rng.randbytes(32), genesis)) for _ in range(rng.randrange(34))]
        locator = encode_locator(hashes)
        wrong = mutated(locator, rng) if locator else b","
        return self._ask(b"chain:get_blocks", rng.choice((locator, wrong, wrong)))

    def _wrong_type(self) -> Made:
        kinds = (b"p2p:hello", b"p2p:get_peers", b"chain:status", b"chain:get_blocks")
        if self._rng.randrange(2):
            return self._tell(self._rng.choice((*kinds, b"mempool:get")), self._noise())
        gossip = (b"gossip:bc:new_tx", b"gossip:bc:new_block", b"search_response:block")
        return self._ask(self._rng.choice(gossip), self._rng.choice(self._raws))

    def _response(self) -> Made:
        kind = self._rng.choice((b"", b"p2p:hello"))
        return Made("", body_of(RESPONSE, self._rng.getrandbits(32), kind, self._noise()))


def body_of(type_: int, message_id: int, kind: bytes, payload: bytes) -> bytes:
    """A message whose kind need be no text."""
    return message(type_, message_id, "", b"")[:-1] + kind + b"\0" + payload


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """A text that is changed in one of the ways in which texts are wrong."""
    separator = b":" if b":" in raw else b","
    fields = raw.split(separator)
    at = rng.randrange(len(fields))
    cut = rng.randrange(len(raw) + 1)
    match rng.randrange(7):
        case 0:
            fields[at] = rng.choice(EDGES)
        case 1:
            fields[at], fields[-1] = fields[-1], fields[at]
        case 2:
            fields.insert(at, fields[at])
        case 3:
            del fields[at]
        case 4:
            fields[at] = fields[at].upper()
        case 5:
            return raw[:cut] + rng.randbytes(rng.randrange(8)) + raw[cut + rng.randrange(8) :]
        case _:
            return raw[:cut]
    return separator.join(fields)
