"""Blocks in any order and company: the chain is the longest valid one, as replaying every branch finds it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from actors.chain.importer import Importer, decode_run
from actors.chain.messages import BlockOutcome, BlockVerdict
from actors.chain.schema import open_store
from actors.chain.store import Store
from actors.ledger.codec import make_block
from actors.ledger.state import Applied, apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef
from tests.fuzz.draw import Draw
from tests.fuzz.money import NETWORKS, addresses, drawn_transfer
from tests.support.ledger import lookup

NAME = "main"
NETWORK = NETWORKS[NAME]
GENESIS = NETWORK.genesis
MAX_BLOCKS = 24
KEPT = (0, 2)
"""All of the history, or less than a reorganisation may need."""

State = dict[bytes, Account]


@dataclass
class Model:
    """Every block whose ancestors came before it, and what its branch comes to; None: it is invalid."""

    states: dict[bytes, State | None] = field(default_factory=lambda: {GENESIS.hash: {}})
    """In order of arrival."""
    numbers: dict[bytes, int] = field(default_factory=lambda: {GENESIS.hash: 0})
    tip: bytes = GENESIS.hash

    def add(self, blocks: Sequence[Block]) -> None:
        """Blocks that come together: the tip moves when all are there."""
        for block in blocks:
            parent = self.numbers.get(block.parent_hash)
            if block.hash not in self.numbers and parent == block.number - 1:
                self.numbers[block.hash] = block.number
                self.states[block.hash] = self._execute(block)
        valid = [each for each, state in self.states.items() if state is not None]
        best = max(self.numbers[each] for each in valid)
        if best > self.numbers[self.tip]:
            self.tip = next(each for each in valid if self.numbers[each] == best)

    def _execute(self, block: Block) -> State | None:
        state = self.states[block.parent_hash]
        if state is None:
            return None
        parent = BlockRef(block.number - 1, block.parent_hash)
        applied = apply_block(NETWORK, parent, lookup(state), block)
        return {**state, **applied.accounts} if isinstance(applied, Applied) else None


def one_input(data: bytes) -> None:
    draw = Draw(data)
    # Not through Store.open, which takes no history as short as this.
    store = Store(open_store(None, NETWORK), None, NETWORK, draw.pick(KEPT))
    with closing(store):
        play(draw, store)


def play(draw: Draw, store: Store) -> None:
    importer, model, made = Importer(store, NETWORK), Model(), [GENESIS]
    arrivals = grow(draw, made)
    while arrivals:
        count = 1 + draw.below(4)
        part, arrivals = arrivals[:count], arrivals[count:]
        if draw.below(8) == 0:  # what is uploaded must follow one another
            run, _refused = decode_run([block.raw for block in part])
            part = list(run)
        if draw.below(8) == 0:
            importer.add(part, keep=False)
        verdicts = importer.add(part).verdicts
        model.add(part)
        agree(store, model, part, verdicts)


def grow(draw: Draw, made: list[Block]) -> list[Block]:
    """Blocks on any block so far, in the order in which they arrive; some before their parents."""
    while draw.below(16) and len(made) <= MAX_BLOCKS:
        parent = made[-1 - min(draw.below(8), len(made) - 1)]
        included = [drawn_transfer(draw, NAME) for _ in range(max(0, draw.below(8) - 5))]
        number = parent.number + 1 + (draw.below(32) == 1)
        coinbase = draw.pick(addresses(NAME))
        made.append(make_block(number, draw.below(3), parent.hash, coinbase, included))
    arrivals = made[1:]
    for _ in range(draw.below(8)):
        if arrivals:
            arrivals.insert(draw.below(len(arrivals)), arrivals.pop(draw.below(len(arrivals))))
    return arrivals


def agree(
    store: Store, model: Model, part: Sequence[Block], verdicts: Sequence[BlockVerdict]
) -> None:
    """What is stored is what the model has, and every verdict says so."""
    tip = store.tip()
    assert (tip.number, tip.hash) == (model.numbers[model.tip], model.tip)
    state = model.states[model.tip]
    assert state is not None
    for address in addresses(NAME):
        assert store.account(address) == state.get(address, EMPTY_ACCOUNT)
    supply = sum(account.balance for account in state.values())
    assert supply == NETWORK.block_reward * tip.number
    for block, verdict in zip(part, verdicts, strict=True):
        assert verdict.hash == block.hash
        known = block.hash in model.numbers
        assert (store.header(block.hash) is not None) == known
        match verdict.outcome:
            case BlockOutcome.CONNECTED:
                assert store.is_canonical(block.ref)
            case BlockOutcome.SIDE_BRANCH | BlockOutcome.KNOWN:
                assert known
            case BlockOutcome.ORPHAN:
                assert not known
            case outcome:
                assert outcome is BlockOutcome.INVALID
                assert model.states.get(block.hash) is None
