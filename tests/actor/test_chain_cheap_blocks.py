"""The chain actor and blocks that cost little to make: what of them it takes is bounded, and nothing is lost."""

from __future__ import annotations

import pytest

from actors.chain import side, wire
from actors.chain.messages import SyncState
from actors.chain.orphans import MAX_ORPHANS, MAX_ORPHANS_PER_PEER
from actors.config import MIB
from actors.gossip.messages import Decision
from actors.ledger.codec import make_transaction
from actors.ledger.types import Block, BlockRef
from actors.messaging.messages import SendRequest
from actors.peers.messages import PeerId
from tests.actor.test_chain_download import batch, serve
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, mine_chain, transfer

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 40)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Little of side branches is taken: a thousand bytes of one peer, and three times as much of all."""
    monkeypatch.setattr(side, "OF_ONE", (1, 1_000))
    monkeypatch.setattr(side, "OF_ALL", (1, 3_000))
    return 1_000 // len(CHAIN[0].raw)


def siblings(parent: BlockRef, count: int) -> list[Block]:
    """Blocks that all stand on the same one."""
    made, nonce = list[Block](), 0
    for _ in range(count):
        made.append(mine(EASY, parent, BOB.public, first_nonce=nonce))
        nonce = made[-1].nonce + 1
    return made


def stored(chain: ChainStage, blocks: list[Block]) -> int:
    return sum(chain.store.header(block.hash) is not None for block in blocks)


def test_one_peer_fills_the_disk_with_cheap_blocks_only_so_far(small: int) -> None:
    chain = ChainStage(*CHAIN)
    cheap = siblings(CHAIN[0].ref, 60)
    assert set(chain.gossiped(*cheap)) == {Decision.DROP}
    assert small - 2 <= stored(chain, cheap) <= small + 1
    other = mine(EASY, CHAIN[1].ref, BOB.public)
    chain.gossiped(other, peer=B)
    assert stored(chain, [other]) == 1, "and nobody else pays for that"


def test_all_peers_together_fill_it_only_so_far_whatever_they_are_called(small: int) -> None:
    chain = ChainStage(*CHAIN)
    cheap = siblings(CHAIN[0].ref, 100)
    for number, block in enumerate(cheap):
        peer = PeerId(f"liar{number}:1")
        CONNS[peer] = CONNS[A]
        chain.gossiped(block, peer=peer)
        del CONNS[peer]
    assert stored(chain, cheap) <= 3 * small + 3


def test_what_stands_on_an_invalid_block_counts_as_well_however_high_it_is(small: int) -> None:
    chain = ChainStage(*CHAIN)
    unfunded = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(CAROL, BOB.public, 0, 1)])
    chain.gossiped(unfunded)
    assert stored(chain, [unfunded]) == 1
    cheap = siblings(unfunded.ref, 60)
    chain.gossiped(*cheap)
    assert stored(chain, cheap) <= small + 1


def test_with_time_more_is_taken(small: int) -> None:
    chain = ChainStage(*CHAIN)
    cheap = siblings(CHAIN[0].ref, 60)
    chain.gossiped(*cheap[:50])
    taken = stored(chain, cheap)
    chain.clock.advance(3_000.0)
    chain.gossiped(*cheap[50:])
    assert stored(chain, cheap) > taken + small // 2


@pytest.mark.usefixtures("small")
def test_a_branch_that_was_refused_and_becomes_the_longest_is_fetched_and_followed() -> None:
    chain = ChainStage(*CHAIN)
    chain.link_troupe(A, *CHAIN)
    chain.gossiped(*siblings(CHAIN[0].ref, 60))
    longer = mine_chain(EASY, CHAIN[20].ref, 25, CAROL.public)
    chain.gossiped(*longer[:10])
    assert stored(chain, list(longer)) == 0
    chain.requests()
    chain.gossiped(longer[-1])
    assert serve(chain, (*CHAIN[:21], *longer)) > 0
    assert chain.info().tip == longer[-1].ref


@pytest.mark.usefixtures("small")
def test_blocks_that_move_the_tip_are_never_refused() -> None:
    chain = ChainStage(*CHAIN[:1])
    chain.gossiped(*siblings(GENESIS.ref, 60))
    assert set(chain.gossiped(*CHAIN[1:])) == {Decision.RELAY}


@pytest.mark.usefixtures("small")
def test_known_blocks_and_those_without_work_cost_no_share() -> None:
    chain = ChainStage(*CHAIN)
    for _ in range(5):
        assert set(chain.gossiped(*CHAIN[:20])) == {Decision.FINAL}
    cheap = siblings(CHAIN[0].ref, 1)
    chain.gossiped(*cheap)
    assert stored(chain, cheap) == 1


def test_orphans_far_ahead_are_held_within_bounds_and_cost_nothing_on_the_disk() -> None:
    chain = ChainStage(*CHAIN[:1])
    far = [mine(EASY, BlockRef(10**15 + n, bytes([n]) * 32)) for n in range(40)]
    assert set(chain.gossiped(*far)) == {Decision.DROP}
    assert chain.info().orphans <= MAX_ORPHANS_PER_PEER
    assert MAX_ORPHANS_PER_PEER < MAX_ORPHANS
    assert chain.store.pending_count() <= 1, "the one that is walked back from"


def test_a_number_far_ahead_is_a_claim_that_costs_one_question() -> None:
    chain = ChainStage(*CHAIN[:5])
    chain.link_troupe(A, *CHAIN[:5])
    chain.gossiped(mine(EASY, BlockRef(2**62, b"f" * 32)))
    (request,) = [r for r in chain.requests() if r.kind == wire.GET_BLOCKS_KIND]
    answer(chain, request, b"")
    assert chain.info().sync is SyncState.IDLE
    assert chain.info().tip == CHAIN[4].ref


def answer(chain: ChainStage, request: SendRequest, payload: bytes) -> None:
    chain.messaging.messages.append(request)
    chain.answer(payload)


def test_no_block_longer_than_a_valid_one_can_be_is_downloaded() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    endless = make_transaction(b"s" * 10_000, ALICE.public, 0, 1, b"x" * 64)
    huge = mine(EASY, GENESIS.ref, ALICE.public, [endless])
    assert len(huge.raw) < MIB
    chain.answer(batch((huge,)))
    assert chain.store.header(huge.hash) is None
    assert chain.info().sync is SyncState.IDLE
