"""The chain actor steered by its operator: who hears of it, and what is fetched from peers."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.chain import wire
from actors.chain.messages import (
    AccountsPage,
    BlockOutcome,
    InvalidateBlock,
    ListAccounts,
    ListTips,
    ReconsiderBlock,
    SteerOutcome,
    SteerVerdict,
    SubmitBlock,
    TipChanged,
    TipStatus,
    tip_moved,
)
from actors.chain.sync import ASK_AGAIN_S
from actors.gossip.messages import Decision
from actors.ledger.types import Block
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import DropPeer
from actors.runtime.events import Happened
from actors.search.messages import LookedUp, LookUp
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import BOB, EASY, mine_chain, raws
from tests.support.probe import Probe

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 6)
SIDE = mine_chain(EASY, CHAIN[1].ref, 3, BOB.public)
ABOVE = mine_chain(EASY, CHAIN[5].ref, 300)
"""What peers build on a chain that we were told not to follow."""


def invalidate(chain: ChainStage, block: Block) -> SteerVerdict:
    return chain.pump.ask(chain.chain, InvalidateBlock(block.hash))


def reconsider(chain: ChainStage, block: Block) -> SteerVerdict:
    return chain.pump.ask(chain.chain, ReconsiderBlock(block.hash))


def settle(chain: ChainStage) -> None:
    chain.pump.run_until_idle()


def answer_all(chain: ChainStage, blocks: tuple[Block, ...]) -> list[Block]:
    """Answer as an honest peer with this chain until no more is asked; the blocks that it sent."""
    sent: list[Block] = []
    while requests := chain.requests():
        for request in requests:
            if request.kind == wire.STATUS_KIND:
                payload = chain.status_of(blocks[-1])
            else:
                hashes = wire.decode_locator(request.payload)
                assert hashes is not None
                known = set(hashes)
                start = max((block.number for block in blocks if block.hash in known), default=0)
                batch = blocks[start : start + 128]
                sent += batch
                payload = wire.encode_batch(raws(batch))
            chain.tell(Response(request.token, request.conn, payload))
    return sent


# -- who hears of it ----------------------------------------------------------------------------------


def test_the_mempool_the_miner_and_the_events_follow_where_the_word_leads() -> None:
    chain = ChainStage(*CHAIN, *SIDE)
    assert invalidate(chain, CHAIN[2]) == SteerVerdict(SteerOutcome.DONE, SIDE[2].ref, 4, 3)
    settle(chain)
    change = TipChanged(SIDE[2].ref, SIDE, tuple(reversed(CHAIN[2:])))
    assert chain.mempool.messages == [change]
    assert chain.miner.messages == [change]
    assert chain.events.messages == [Happened(tip_moved(change), 8)]
    assert chain.published() == [SIDE[2].raw]


def test_a_tip_that_only_goes_back_is_told_with_nothing_connected() -> None:
    chain = ChainStage(*CHAIN)
    assert invalidate(chain, CHAIN[5]) == SteerVerdict(SteerOutcome.DONE, CHAIN[4].ref, 1, 0)
    settle(chain)
    assert chain.miner.messages == [TipChanged(CHAIN[4].ref, (), CHAIN[5:])]
    assert chain.info().tip == CHAIN[4].ref


def test_a_word_that_moves_nothing_is_told_nobody() -> None:
    chain = ChainStage(*CHAIN, *SIDE)
    assert invalidate(chain, SIDE[0]) == SteerVerdict(SteerOutcome.DONE, CHAIN[5].ref)
    assert reconsider(chain, SIDE[0]) == SteerVerdict(SteerOutcome.DONE, CHAIN[5].ref)
    assert reconsider(chain, SIDE[0]) == SteerVerdict(SteerOutcome.UNCHANGED, CHAIN[5].ref)
    assert invalidate(chain, GENESIS) == SteerVerdict(SteerOutcome.GENESIS, CHAIN[5].ref)
    settle(chain)
    assert chain.mempool.messages == chain.events.messages == chain.published() == []


def test_reconsidering_goes_back_to_the_best_chain() -> None:
    chain = ChainStage(*CHAIN, *SIDE)
    invalidate(chain, CHAIN[2])
    assert reconsider(chain, CHAIN[5]) == SteerVerdict(SteerOutcome.DONE, CHAIN[5].ref, 3, 4)


def test_a_mark_survives_a_restart(tmp_path: Path) -> None:
    before = ChainStage(*CHAIN, *SIDE, path=tmp_path / "chain.db")
    invalidate(before, CHAIN[2])
    before.pump.kill(before.chain._mailbox)
    after = ChainStage(path=tmp_path / "chain.db")
    assert after.mempool.messages == [TipChanged(SIDE[2].ref)]
    assert after.gossiped(*ABOVE[:1]) == [Decision.DROP]
    assert after.info().tip == SIDE[2].ref


# -- blocks on what is not followed -------------------------------------------------------------------


def test_a_block_on_an_invalidated_one_is_stored_and_neither_relayed_nor_served() -> None:
    chain = ChainStage(*CHAIN)
    invalidate(chain, CHAIN[5])
    assert chain.gossiped(ABOVE[0]) == [Decision.DROP]
    verdict = chain.pump.ask(chain.chain, SubmitBlock(ABOVE[1].raw))
    assert verdict.outcome is BlockOutcome.INVALIDATED
    rehearsed = chain.pump.ask(chain.chain, SubmitBlock(ABOVE[2].raw, validate_only=True))
    assert rehearsed.outcome is BlockOutcome.INVALIDATED
    found = Probe(chain.pump, "found")
    chain.reader.tell(LookUp(1, ABOVE[0].hash, found.address))
    chain.pump.run_until_idle()
    assert found.messages == [LookedUp(1, None)]
    assert chain.info().tip == CHAIN[4].ref
    reconsider(chain, CHAIN[5])
    assert chain.info().tip == ABOVE[1].ref, "and there they are"


def test_orphans_of_an_invalidated_chain_are_let_in_once_their_parent_is_there() -> None:
    chain = ChainStage(*CHAIN)
    chain.link_troupe(A, *CHAIN)
    invalidate(chain, CHAIN[5])
    chain.gossiped(ABOVE[1])
    assert chain.info().orphans == 1
    chain.gossiped(ABOVE[0])
    assert chain.info().orphans == 0
    assert chain.store.header(ABOVE[1].hash) is not None


# -- peers that follow what we do not -----------------------------------------------------------------


def test_a_peer_whose_tip_we_hold_and_do_not_follow_is_not_downloaded_from() -> None:
    chain = ChainStage(*CHAIN)
    chain.link_troupe(A, *CHAIN)
    chain.forget()
    invalidate(chain, CHAIN[2])
    settle(chain)
    assert [request.kind for request in chain.messaging.of(SendRequest)] == [wire.STATUS_KIND]
    assert answer_all(chain, CHAIN) == []
    chain.clock.advance(3 * ASK_AGAIN_S)
    settle(chain)
    assert chain.requests() == []
    assert chain.peers.of(DropPeer) == []


def test_a_gossiped_block_of_a_chain_not_followed_is_no_reason_to_download() -> None:
    chain = ChainStage(*CHAIN)
    chain.link_troupe(A, *CHAIN)
    invalidate(chain, CHAIN[2])
    settle(chain)
    answer_all(chain, CHAIN)
    chain.gossiped(ABOVE[0])
    assert chain.requests() == []
    assert chain.info().best_known_height == chain.info().tip.number


def test_each_block_above_is_fetched_once_and_the_peer_is_not_dropped() -> None:
    chain = ChainStage(*CHAIN)
    invalidate(chain, CHAIN[2])
    peer = (*CHAIN, *ABOVE)
    chain.link(A)
    sent = answer_all(chain, peer)
    assert sent == list(ABOVE[:128]), "it is not asked for the blocks that we have"
    for _ in range(10):
        chain.clock.advance(ASK_AGAIN_S)
        settle(chain)
        sent += answer_all(chain, peer)
    assert sent == list(ABOVE)
    assert chain.info().tip == CHAIN[1].ref
    assert chain.peers.of(DropPeer) == []
    chain.link(B)
    assert answer_all(chain, peer) == [], "nor is the next peer"


def test_another_peers_chain_is_found_behind_one_that_is_not_followed() -> None:
    good = (*CHAIN[:2], *mine_chain(EASY, CHAIN[1].ref, 2, BOB.public))
    chain = ChainStage(*CHAIN)
    chain.link(A)
    answer_all(chain, (*CHAIN, *ABOVE[:5]))
    invalidate(chain, CHAIN[2])
    settle(chain)
    answer_all(chain, (*CHAIN, *ABOVE[:5]))
    chain.link(B)
    answer_all(chain, good)
    assert chain.info().tip == good[-1].ref


def test_after_reconsidering_the_peers_are_asked_and_their_chain_is_fetched() -> None:
    chain = ChainStage(*CHAIN)
    chain.link_troupe(A, *CHAIN)
    invalidate(chain, CHAIN[2])
    settle(chain)
    answer_all(chain, CHAIN)
    reconsider(chain, CHAIN[2])
    settle(chain)
    answer_all(chain, (*CHAIN, *ABOVE[:7]))
    assert chain.info().tip == ABOVE[6].ref


def test_a_legacy_peers_chain_is_walked_back_once_and_then_known() -> None:
    chain = ChainStage(*CHAIN)
    invalidate(chain, CHAIN[5])
    chain.link_legacy(A)
    chain.gossiped(ABOVE[4])
    chain.walk(ABOVE, CONNS[A])
    assert chain.store.header(ABOVE[4].hash) is not None
    assert chain.store.pending_count() == 0
    chain.forget()
    chain.gossiped(ABOVE[5], ABOVE[4])
    assert chain.search.messages == []
    assert chain.info().tip == CHAIN[4].ref


# -- what people ask ----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [InvalidateBlock(b"x" * 32), ReconsiderBlock(b"x" * 32)])
def test_a_word_about_no_block_of_ours_is_not_found(word: InvalidateBlock) -> None:
    chain = ChainStage(*CHAIN)
    assert chain.pump.ask(chain.chain, word).outcome is SteerOutcome.NOT_FOUND


def test_tips_and_accounts_are_listed() -> None:
    chain = ChainStage(*CHAIN, *SIDE)
    tips = chain.pump.ask(chain.reader, ListTips(10)).tips
    assert [(view.tip, view.status) for view in tips] == [
        (CHAIN[5].ref, TipStatus.CANONICAL),
        (SIDE[2].ref, TipStatus.UNEXECUTED),
    ]
    listed = chain.pump.ask(chain.reader, ListAccounts(10, at=4))
    assert isinstance(listed, AccountsPage)
    assert [view.account.balance for view in listed.accounts] == [400]
