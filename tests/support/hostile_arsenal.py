"""What a hostile peer says: messages of every kind that a node must not be brought down, or blinded, by.

Each call makes one message (without its frame), and takes a few microseconds: one process can say tens of
thousands in a second. What takes a proof of work or a signature is made before. Nothing is at random that
the seed does not decide.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import cycle

from actors.ledger.codec import block_prefix_suffix, make_block
from actors.ledger.keys import PrivateKey
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.ledger.work import has_work
from tests.support.ledger import key, transfer
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, message

ID_BYTES = 16
BLOCK, TX = "gossip:bc:new_block", "gossip:bc:new_tx"
SEARCH, ANSWER = "gossip:search:block", "search_response:block"
PAID = 1_000
"""Transactions and senders of each sort; more than a pool holds for senders without a balance."""
WORKED = 120
"""Blocks of each sort: more than the orphans that a node holds."""
FAR_AHEAD = 10**9


def worked(network: Network, number: int, parent_hash: bytes, coinbase: bytes) -> Block:
    """An empty block with the network's proof of work, made as fast as Python can."""
    prefix, suffix = block_prefix_suffix(number, parent_hash, coinbase, ())
    begun = sha256(prefix)
    for nonce in itertools.count():
        attempt = begun.copy()
        attempt.update(b"%d%b" % (nonce, suffix))
        if has_work(attempt.digest(), network.difficulty):
            return make_block(number, nonce, parent_hash, coinbase, ())
    raise AssertionError


class Arsenal:
    """Messages of one hostile peer, or of many.

    ``rich`` are addresses with a balance, in whose name transactions are forged: others' are refused before
    anybody looks at a signature.
    """

    def __init__(self, network: Network, seed: int, rich: Sequence[bytes]) -> None:
        self._network, self._random = network, random.Random(seed)
        self._numbers = itertools.count(seed << 20)
        """Makes one thing differ from the next."""
        genesis, scheme = network.genesis, network.scheme
        payers = [key(scheme, f"broke {seed} {each}") for each in range(PAID)]
        payee = payers[0].public
        self._zeros = _raws(payers, payee, nonce=0, amount=0)
        self._unfunded = _raws(payers, payee, nonce=0, amount=1)
        self._gaps = _raws(payers, payee, nonce=7, amount=0)
        self._old = transfer(payers[0], payee, 0, 0).raw
        self._signature = self._old.rpartition(b",")[2]
        self._forgeable = [f"{each.hex()},{payee.hex()},0".encode() for each in rich]
        own = payee
        bytes_ = self._random.randbytes
        self._orphans = cycle([worked(network, 9, bytes_(32), own).raw for _ in range(WORKED)])
        self._ahead = cycle([worked(network, FAR_AHEAD, bytes_(32), own).raw for _ in range(8)])
        branch = [genesis]
        for number in range(1, WORKED):
            branch.append(worked(network, number, branch[-1].hash, own))
        self._branch = cycle([block.raw for block in branch[1:]])
        self._roots = [genesis.hash, *(block.hash for block in branch[1:4])]
        self._head = f":{genesis.hash.hex()}:{own.hex()}".encode()

    # -- noise ------------------------------------------------------------------------------------

    def unknown_kind(self) -> bytes:
        """A kind that nobody handles, often a new one."""
        number = next(self._numbers)
        return message(number % 2, number & 0xFFFF, f"x{number % 5_000}:y", b"?" * 40)

    def kind_of_noise(self) -> bytes:
        """A kind that is no text."""
        return b"\0\0\0\0\1" + self._random.randbytes(8).replace(b"\0", b"\1") + b"\0noise"

    def garbage(self) -> bytes:
        """Gossip whose payload is none of its kind."""
        kind = self._random.choice((BLOCK, TX, SEARCH, "gossip:chat", "gossip:x"))
        return self._gossip(kind, self._random.randbytes(200))

    def oversized_gossip(self) -> bytes:
        """Gossip above the limit of its kind."""
        return self._gossip(TX, b"1" * 4_096)

    def chat(self) -> bytes:
        return self._gossip("gossip:chat", b"mallory\0line %d" % next(self._numbers))

    def replay(self) -> bytes:
        """The same block, transaction and line again and again, the id now a new one, now the old one."""
        kind, payload = self._random.choice(((BLOCK, next(self._branch)), (TX, self._old)))
        if self._random.random() < 0.5:
            return message(REGULAR, 0, kind, bytes(ID_BYTES) + payload)
        return self._gossip(kind, payload)

    # -- transactions -----------------------------------------------------------------------------

    def bad_signature(self) -> bytes:
        unsigned, amount = self._random.choice(self._forgeable), next(self._numbers) % 1_000
        raw = b"%b,%d,%b" % (unsigned, amount, self._signature)
        return self._gossip(TX, raw)

    def unfunded(self) -> bytes:
        return self._gossip(TX, next(self._unfunded))

    def nonce_gap(self) -> bytes:
        return self._gossip(TX, next(self._gaps))

    def zero_amount(self) -> bytes:
        return self._gossip(TX, next(self._zeros))

    # -- blocks -----------------------------------------------------------------------------------

    def workless_block(self) -> bytes:
        return self._gossip(BLOCK, b"1:%d%b" % (next(self._numbers), self._head))

    def orphan(self) -> bytes:
        return self._gossip(BLOCK, next(self._orphans))

    def far_ahead(self) -> bytes:
        return self._gossip(BLOCK, next(self._ahead))

    def side_branch(self) -> bytes:
        return self._gossip(BLOCK, next(self._branch))

    # -- questions and answers --------------------------------------------------------------------

    def search(self) -> bytes:
        """For a block that nobody has."""
        return self._gossip(SEARCH, self._random.randbytes(ID_BYTES + 32))

    def look_up(self) -> bytes:
        """For a block that the node has."""
        search_id = self._random.randbytes(ID_BYTES)
        return self._gossip(SEARCH, search_id + self._random.choice(self._roots))

    def get_peers(self) -> bytes:
        return self._request("p2p:get_peers", b"")

    def get_blocks(self) -> bytes:
        return self._request("chain:get_blocks", self._roots[0].hex().encode())

    def get_pool(self) -> bytes:
        return self._request("mempool:get", b"")

    def get_status(self) -> bytes:
        return self._request("chain:status", self.status(0))

    def unsolicited(self) -> bytes:
        """A response to nothing."""
        return message(RESPONSE, self._random.getrandbits(32), "", b"\1")

    def lost_answer(self) -> bytes:
        """An answer to a search that nobody began, as likely without its id."""
        if self._random.random() < 0.5:
            return message(REGULAR, 0, ANSWER, next(self._orphans))
        return message(REGULAR, 0, ANSWER, self._random.randbytes(ID_BYTES) + next(self._orphans))

    def status(self, height: int) -> bytes:
        """Of one that has our genesis, and says that it has so many blocks more."""
        network, tip = self._network, self._random.randbytes(32)
        fields = (network.name, network.genesis.hash.hex(), height, tip.hex(), "mallory/1")
        return ",".join(map(str, fields)).encode()

    def _gossip(self, kind: str, payload: bytes) -> bytes:
        return message(REGULAR, 0, kind, self._random.randbytes(ID_BYTES) + payload)

    def _request(self, kind: str, payload: bytes) -> bytes:
        return message(REQUEST, next(self._numbers) & 0xFFFFFFFF, kind, payload)


Weapon = Callable[[Arsenal], bytes]


@dataclass(frozen=True)
class Character:
    """What one hostile peer does.

    Attributes:
        weapons: What it says, each as often.
        is_polite: Whether nothing of it earns points, from whomever it comes.
        claims: The height that its status tells; None: it tells none, as nodes in the field.
    """

    weapons: Sequence[Weapon]
    is_polite: bool = True
    claims: int | None = None


CHARACTERS = {
    "noise": Character((Arsenal.unknown_kind, Arsenal.kind_of_noise, Arsenal.garbage)),
    "spammer": Character((Arsenal.chat, Arsenal.oversized_gossip, Arsenal.unknown_kind)),
    "replayer": Character((Arsenal.replay,)),
    "broke": Character((Arsenal.unfunded, Arsenal.nonce_gap, Arsenal.zero_amount), claims=0),
    "orphans": Character((Arsenal.orphan, Arsenal.far_ahead), claims=0),
    "branches": Character((Arsenal.side_branch, Arsenal.orphan)),
    "searcher": Character((Arsenal.search, Arsenal.look_up), claims=0),
    "beggar": Character(
        (Arsenal.get_peers, Arsenal.get_blocks, Arsenal.get_pool, Arsenal.get_status), claims=0
    ),
    "forger": Character((Arsenal.bad_signature,), is_polite=False, claims=0),
    "workless": Character((Arsenal.workless_block,), is_polite=False),
    "answerer": Character((Arsenal.unsolicited, Arsenal.lost_answer), is_polite=False, claims=0),
    "liar": Character((Arsenal.garbage, Arsenal.get_status), is_polite=False, claims=FAR_AHEAD),
}


def _raws(payers: Sequence[PrivateKey], payee: bytes, *, nonce: int, amount: int) -> cycle[bytes]:
    return cycle([transfer(payer, payee, nonce, amount).raw for payer in payers])
