"""A node and its peers: whatever they say, and however they come and go, no actor falls, each frame's credit
comes back, and the money is right.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import cache

from actors.chain.tree import Status as BlockStatus
from actors.chain.wire import Status, encode_locator, encode_status
from actors.ledger.codec import decode_block, decode_transaction, make_block
from actors.ledger.network import Network
from actors.ledger.state import check_transaction
from actors.ledger.types import Block, BlockRef, Transaction
from actors.messaging.codec import decode, encode, encode_response
from actors.messaging.messages import MessageType
from actors.tcp.messages import ConnId
from tests.fuzz.draw import Draw
from tests.fuzz.house import House
from tests.fuzz.money import NETWORKS, addresses, person, signed
from tests.support.ledger import child

KINDS = (
    *("gossip:bc:new_tx", "gossip:bc:new_block", "gossip:search:block", "gossip:search:file"),
    *("gossip:chat", "gossip:", "search_response:block", "search_response:file", "p2p:hello"),
    *("p2p:get_peers", "chain:status", "chain:get_blocks", "mempool:get", "foo", ""),
)
SAID = {kind for kind in KINDS if kind} - {"p2p:hello", "gossip:", "foo"}
"""What a node says of itself, or passes on."""
NAMES = ("10.0.0.2:1", "10.0.0.3:1", "127.0.0.1:5", "localhost:7", "[::1]:9", "host.example:1")
ID_BYTES = 16
MAX_CONNECTIONS = 6


def one_input(data: bytes) -> None:
    draw = Draw(data)
    name = draw.pick(tuple(NETWORKS))
    with closing(House(NETWORKS[name], person(name, 0))) as house:
        Play(draw, house, name).run()
        house.check(NETWORKS[name])
        judge(house, NETWORKS[name])


def judge(house: House, network: Network) -> None:
    """What the node has said is well-formed, and what it has passed on is good (WIRE: gossip)."""
    decoded = decode(ConnId(1), house.wire.told)
    assert decoded.fault is None
    for message in decoded.inbound:
        assert message.kind in SAID, message.kind
        if message.kind == "gossip:bc:new_block":
            block = decode_block(message.payload[ID_BYTES:])
            assert isinstance(block, Block)
            header = house.store.header(block.hash)
            assert header is not None
            assert header.status is BlockStatus.VALID
        elif message.kind == "gossip:bc:new_tx":
            transaction = decode_transaction(message.payload[ID_BYTES:])
            assert isinstance(transaction, Transaction)
            assert check_transaction(network, transaction) is None


class Play:
    """What the bytes have the peers do."""

    def __init__(self, draw: Draw, house: House, name: str) -> None:
        self._draw, self._house, self._name = draw, house, name
        self._conns: list[ConnId] = []
        self._bits = bits(name)

    def run(self) -> None:
        steps: tuple[Callable[[], None], ...] = (
            self._connect,
            self._greet,
            self._speak,
            self._speak,
            self._speak,
            self._answer,
            self._rest,
            self._leave,
        )
        while self._draw:
            self._draw.pick(steps)()

    def _connect(self) -> None:
        if len(self._conns) < MAX_CONNECTIONS:
            host = self._draw.pick(("10.0.0.2", "10.0.0.3", "127.0.0.1", "127.0.0.9"))
            self._conns.append(self._house.wire.accept(f"{host}:{5_000 + len(self._conns)}"))
            self._house.pump.run_until_idle()

    def _greet(self) -> None:
        self._connect()
        hello = encode(MessageType.REQUEST, 1, "p2p:hello", self._draw.pick(NAMES).encode())
        self._send([hello])

    def _speak(self) -> None:
        """Some messages at once, well-formed or not."""
        self._send([self._message() for _ in range(1 + self._draw.below(4))])

    def _message(self) -> bytes:
        draw = self._draw
        if draw.below(16) == 1:
            return draw.blob()
        kind, type_ = draw.pick(KINDS), MessageType(draw.below(3))
        head = draw.take(1).ljust(ID_BYTES, b"\7") if kind.startswith(("gossip", "search")) else b""
        return encode(type_, draw.number(), kind, head + self._content())

    def _content(self) -> bytes:
        """What may be right where it stands, wrong, or somewhat damaged."""
        draw = self._draw
        match draw.below(8):
            case 0:
                return draw.blob()
            case 1:
                bit = draw.pick(self._bits)
                at = draw.number(2) % (len(bit) + 1)
                return bit[:at] + draw.take(1) + bit[at + draw.below(3) :]
            case 2:
                return b"\n".join(draw.pick(self._bits) for _ in range(draw.below(6)))
            case _:
                return draw.pick(self._bits)

    def _answer(self) -> None:
        """Answer the last question that the node has asked on a connection."""
        conn = self._conn()
        said = self._house.wire.said.get(conn, []) if conn is not None else []
        asked = [frame for frame in said if frame[0] == MessageType.REQUEST]
        if conn is not None and asked:
            message_id = int.from_bytes(asked[-1][1:5], "big")
            self._house.wire.hand_on(conn, [encode_response(message_id, self._content())])
            self._house.pump.run_until_idle()

    def _rest(self) -> None:
        self._house.pump.run_for(self._draw.pick((0.5, 3.5, 11.0, 40.0)))

    def _leave(self) -> None:
        conn = self._conn()
        if conn is not None:
            self._house.wire.hang_up(conn)
            self._house.pump.run_until_idle()

    def _conn(self) -> ConnId | None:
        return self._draw.pick(self._conns) if self._conns else None

    def _send(self, frames: list[bytes]) -> None:
        conn = self._conn()
        if conn is not None:
            self._house.wire.hand_on(conn, frames)
            if self._draw.below(2):  # else what follows overtakes the handling
                self._house.pump.run_until_idle()


@cache
def bits(name: str) -> tuple[bytes, ...]:
    """Contents: a chain and its fork, with money moved, orphans, what is far ahead, and texts about them."""
    network = NETWORKS[name]
    people, tip = addresses(name), network.genesis.ref
    chain, fork = [], []
    for number in range(6):
        included = [signed(name, 0, 1, number - 2, 1)] if number >= 2 else []
        chain.append(child(tip, people[0], included))
        tip = chain[-1].ref
    tip = chain[2].ref
    for number in range(5):
        fork.append(child(tip, people[1], [signed(name, 1, 2, 0, 5)] if number == 4 else []))
        tip = fork[-1].ref
    stray = child(BlockRef(3, b"\5" * 32), people[2])
    far = make_block(2**60, 0, chain[0].hash, people[2], ())
    return (
        *(block.raw for block in (*chain, *fork, stray, far)),
        *(block.hash for block in (chain[-1], fork[-1], stray)),
        *(signed(name, 0, 1, nonce, 1).raw for nonce in range(4)),
        *texts(network, chain[-1].ref),
    )


def texts(network: Network, tip: BlockRef) -> tuple[bytes, ...]:
    genesis = network.genesis.hash
    return (
        encode_status(Status(network.name, genesis, tip.number, tip.hash, "troupe/fuzz")),
        encode_status(Status(network.name, genesis, 2**63 - 1, b"\6" * 32, "troupe/liar")),
        encode_status(Status("other", genesis, 0, genesis, "troupe/other")),
        encode_locator([tip.hash, genesis]),
        b"\1" + ",".join(NAMES).encode(),
        b",,,",
        NAMES[0].encode(),
        b"me\0hello",
        b"",
    )
