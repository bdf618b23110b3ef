"""The chain actor among peers that claim more than they deliver, and the honest ones that look like it."""

from dataclasses import replace

import pytest

from actors.chain import wire
from actors.chain.importer import Importer
from actors.chain.messages import SyncState
from actors.chain.store import Store
from actors.chain.sync import ASK_AGAIN_S, BATCH_TIMEOUT_S, MAX_KNOWN_BATCHES
from actors.chain.table import MAX_DOUBLINGS
from actors.gossip.messages import Decision
from actors.ledger.types import Block
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import Misbehaved, PeerId, PeerUnlinked
from actors.runtime.restraint import LINES_AT_ONCE
from tests.actor.test_chain_download import batch, locator, serve
from tests.support.chain_stage import CONNS, A, B, C, ChainStage
from tests.support.chains import BOB, EASY, mine_chain

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 300)
SHORT = CHAIN[:5]


def link_while_downloading(chain: ChainStage, peer: PeerId, *blocks: Block) -> None:
    """A further peer of our kind, whose status is not the newest request's answer."""
    chain.link(peer)
    (status,) = [r for r in chain.requests() if r.kind == wire.STATUS_KIND]
    chain.tell(Response(status.token, status.conn, chain.status_of(blocks[-1])))


def claim(chain: ChainStage, height: int) -> bytes:
    """The status of a peer that says more than it has."""
    network = chain.network
    return wire.encode_status(
        wire.Status(network.name, network.genesis.hash, height, b"x" * 32, "troupe/liar")
    )


def downloads(chain: ChainStage) -> list[SendRequest]:
    """All requests for blocks since the last look."""
    return [request for request in chain.requests() if request.kind == wire.GET_BLOCKS_KIND]


def liar_and_honest_peer(chain: ChainStage) -> SendRequest:
    """A claims a billion, B has what it says; the request that A got."""
    chain.link(A)
    chain.answer(claim(chain, 10**9))
    (request,) = downloads(chain)
    link_while_downloading(chain, B, *CHAIN)
    return request


def test_a_liar_that_replays_our_own_chain_block_by_block_does_not_keep_us_from_others() -> None:
    chain = ChainStage(*CHAIN[:100])
    request = liar_and_honest_peer(chain)
    chain.tell(Response(request.token, request.conn, CHAIN[0].raw))
    (request,) = downloads(chain)
    assert request.conn == CONNS[A], "the next block might have been too large for the rest"
    chain.tell(Response(request.token, request.conn, CHAIN[1].raw))
    assert serve(chain, CHAIN) == 2
    assert chain.info().tip == CHAIN[-1].ref
    assert chain.info().best_known_height == 300


def test_a_liar_that_replays_it_in_full_batches_does_not_either() -> None:
    chain = ChainStage(*CHAIN[:200])
    request = liar_and_honest_peer(chain)
    chain.tell(Response(request.token, request.conn, batch(CHAIN[:128])))
    assert serve(chain, CHAIN) == 1
    assert chain.info().tip == CHAIN[-1].ref


def test_a_liar_that_sends_less_than_there_is_room_for_is_given_up() -> None:
    chain = ChainStage()
    request = liar_and_honest_peer(chain)
    for block in CHAIN[:2]:
        chain.tell(Response(request.token, request.conn, block.raw))
        (request,) = downloads(chain)
    assert request.conn == CONNS[B]


def test_who_says_it_a_thousand_times_fills_no_disk_with_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = ChainStage()
    chain.link(A)
    elsewhere = replace(chain.network, name="elsewhere")
    caplog.clear()
    for _ in range(1_000):
        chain.ask_by_wire(A, wire.STATUS_KIND, chain.status_of(SHORT[-1], elsewhere))
    assert len(caplog.messages) == LINES_AT_ONCE
    caplog.set_level("INFO")
    caplog.clear()
    for _ in range(1_000):
        chain.tell(PeerUnlinked(A, CONNS[A], None))
        chain.link_troupe(A, *SHORT)
        chain.answer(b"rubbish")
    assert len(caplog.messages) == 3 * LINES_AT_ONCE, "that it begins, how far it is, how it ends"


def test_a_peer_that_failed_is_believed_again_only_when_we_ask_it() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *SHORT)
    chain.answer(b"rubbish")
    chain.ask_by_wire(A, wire.STATUS_KIND, claim(chain, 10**9))
    chain.gossiped(CHAIN[20])
    assert chain.info().sync is SyncState.IDLE
    chain.requests()
    chain.pump.run_for(ASK_AGAIN_S)
    (status,) = chain.requests()
    chain.tell(Response(status.token, status.conn, chain.status_of(SHORT[-1])))
    serve(chain, SHORT)
    assert chain.info().tip == SHORT[-1].ref


def test_a_peer_that_failed_and_then_was_slow_counts_again_by_its_news() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *SHORT)
    chain.answer(None)
    chain.pump.run_for(ASK_AGAIN_S)
    chain.answer(None)
    chain.requests()
    chain.ask_by_wire(A, wire.STATUS_KIND, chain.status_of(SHORT[-1]))
    assert chain.info().sync is SyncState.DOWNLOADING


def test_a_peer_whose_tip_rose_while_it_answered_did_not_send_too_little() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *SHORT)
    (_, request) = chain.requests()
    chain.gossiped(CHAIN[6])
    chain.tell(Response(request.token, request.conn, batch(SHORT)))
    assert serve(chain, CHAIN[:7]) == 1
    assert chain.info().tip == CHAIN[6].ref
    assert chain.info().best_known_height == 7


def test_a_fork_in_a_wide_gap_of_the_locator_is_found() -> None:
    common = mine_chain(EASY, GENESIS.ref, 600)
    ours = mine_chain(EASY, common[-1].ref, 700, BOB.public)
    theirs = (*common, *mine_chain(EASY, common[-1].ref, 710))
    chain = ChainStage(*common, *ours)
    chain.link_troupe(A, *theirs)
    chain.messaging.messages.pop(0)
    served = serve(chain, theirs)
    assert chain.info().tip == theirs[-1].ref
    assert served == 1 + 7, "one batch of blocks that we have, then from 525 on"


def test_a_side_branch_that_we_have_most_of_is_downloaded_to_its_end_in_turns() -> None:
    ours = mine_chain(EASY, GENESIS.ref, 2_310, BOB.public)
    theirs = mine_chain(EASY, GENESIS.ref, 2_320)
    store = Store.open(None, EASY)
    for blocks in (ours, theirs[:2_300]):
        Importer(store, EASY).add(blocks)
    chain = ChainStage(store=store)
    chain.link_troupe(A, *theirs)
    chain.messaging.messages.pop(0)
    assert serve(chain, theirs) == MAX_KNOWN_BATCHES + 1
    assert chain.info().sync is SyncState.IDLE
    chain.pump.run_for(ASK_AGAIN_S)
    chain.answer(chain.status_of(theirs[-1]))
    chain.messaging.messages.pop(0)
    assert serve(chain, theirs) == 2
    assert chain.info().tip == theirs[-1].ref


# -- those who promise and never give -----------------------------------------------------------------


def asked_again_after(chain: ChainStage, peer: PeerId, at_most_s: int) -> int | None:
    """The seconds until a peer is asked for its status."""
    for second in range(1, at_most_s + 1):
        chain.pump.run_for(1.0)
        for request in chain.requests():
            if request.kind == wire.STATUS_KIND and request.conn == CONNS[peer]:
                chain.tell(Response(request.token, request.conn, claim(chain, 10**9)))
                return second
    return None


def test_a_peer_that_promises_and_never_gives_is_asked_ever_more_rarely() -> None:
    chain = ChainStage()
    chain.link(A)
    chain.answer(claim(chain, 10**9))
    waits = []
    for _ in range(MAX_DOUBLINGS + 3):
        (request,) = downloads(chain)
        chain.tell(Response(request.token, request.conn, b""))
        waits.append(asked_again_after(chain, A, 1_000))
    expected = [ASK_AGAIN_S * 2 ** min(n, MAX_DOUBLINGS) for n in range(MAX_DOUBLINGS + 3)]
    assert waits == expected


def test_a_peer_that_failed_and_then_gave_is_trusted_as_at_first() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *SHORT)
    for _ in range(3):
        (request,) = downloads(chain)
        chain.tell(Response(request.token, request.conn, b""))
        assert asked_again_after(chain, A, 1_000) is not None
    (request,) = downloads(chain)
    chain.tell(Response(request.token, request.conn, batch(CHAIN)))
    assert chain.info().tip == CHAIN[127].ref
    (request,) = downloads(chain)
    chain.tell(Response(request.token, request.conn, b""))
    assert asked_again_after(chain, A, 1_000) == ASK_AGAIN_S


def test_two_liars_at_once_do_not_keep_an_honest_peer_from_its_turn() -> None:
    chain = ChainStage()
    chain.link(A)
    chain.answer(claim(chain, 10**9))
    waiting = downloads(chain)
    chain.link(C)
    (status,) = [r for r in chain.requests() if r.kind == wire.STATUS_KIND]
    chain.tell(Response(status.token, status.conn, claim(chain, 10**9)))
    link_while_downloading(chain, B, *CHAIN)
    while chain.info().tip != CHAIN[-1].ref:
        waiting += downloads(chain)
        request = waiting.pop(0)
        start = max((b.number for b in CHAIN if b.hash in locator(request)), default=0)
        honest = batch(CHAIN[start : start + 128])
        answer = honest if request.conn == CONNS[B] else b""
        chain.tell(Response(request.token, request.conn, answer))
    told = {(m.peer, m.points) for m in chain.peers.of(Misbehaved)}
    assert told <= {(A, 10), (C, 10)}, "and the honest one is not blamed"


def test_news_that_come_by_download_go_on_while_a_liar_is_waited_for() -> None:
    chain = ChainStage(*CHAIN[:100])
    request = liar_and_honest_peer(chain)
    assert request.conn == CONNS[A]
    chain.pump.run_for(BATCH_TIMEOUT_S / 2)  # it is late: the other is asked as well
    serve(chain, CHAIN)
    assert chain.info().tip == CHAIN[-1].ref
    assert chain.info().sync is SyncState.DOWNLOADING, "there is a billion blocks to come"
    assert CHAIN[-1].raw in chain.published()
    assert chain.gossiped(CHAIN[-1], peer=B) == [Decision.FINAL], "so its gossip adds nothing"
