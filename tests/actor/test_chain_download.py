"""The chain actor among peers of its own kind: status, downloads, and those who fail or lie."""

from dataclasses import replace

import pytest

from actors.chain import wire
from actors.chain.messages import SyncState
from actors.chain.sync import ASK_AGAIN_S
from actors.gossip.messages import Decision, PublishTo
from actors.ledger.types import Block
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import (
    Brought,
    Classify,
    DropPeer,
    LinksReset,
    PeerKind,
    PeerLinked,
    PeerUnlinked,
)
from actors.tcp.messages import CloseReason, ConnId
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import ALICE, BOB, EASY, EASY_OTHER, mine, mine_chain, raws, transfer

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 300)
SHORT = CHAIN[:5]


def batch(blocks: tuple[Block, ...]) -> bytes:
    return wire.encode_batch(raws(blocks))


def locator(request: SendRequest) -> tuple[bytes, ...]:
    assert request.kind == wire.GET_BLOCKS_KIND
    hashes = wire.decode_locator(request.payload)
    assert hashes is not None
    return hashes


def serve(chain: ChainStage, blocks: tuple[Block, ...]) -> int:
    """Answer requests like an honest peer with this chain until no more come; how many."""
    served = 0
    while requests := chain.requests():
        (request,) = requests
        known = set(locator(request))
        start = max((block.number for block in blocks if block.hash in known), default=0)
        chain.tell(Response(request.token, request.conn, batch(blocks[start : start + 128])))
        served += 1
    return served


# -- status -----------------------------------------------------------------------------------------


def test_a_new_peer_is_asked_for_its_status_within_three_seconds() -> None:
    chain = ChainStage()
    chain.link(A)
    (request,) = chain.requests()
    assert (request.conn, request.kind, request.timeout_s) == (CONNS[A], wire.STATUS_KIND, 3.0)
    assert request.payload == chain.status_of(GENESIS).replace(b"troupe/peer", b"troupe/test")


def test_a_further_connection_of_a_peer_is_not_asked() -> None:
    chain = ChainStage()
    chain.link(A)
    chain.requests()
    chain.tell(PeerLinked(A, ConnId(9), initiated=False, first=False))
    assert chain.requests() == []


def test_a_peer_that_answers_is_classified() -> None:
    chain = ChainStage(*SHORT)
    chain.link_troupe(A, *SHORT[:2])
    assert Classify(A, PeerKind.TROUPE, "troupe/peer", 2) in chain.peers.messages
    assert chain.info().sync is SyncState.IDLE


@pytest.mark.parametrize("payload", [None, b"", b"rubbish"])
def test_a_peer_that_does_not_is_legacy_and_is_sent_the_tip(payload: bytes | None) -> None:
    chain = ChainStage(*SHORT)
    chain.link(A)
    chain.answer(payload)
    assert Classify(A, PeerKind.LEGACY, None, None) in chain.peers.messages
    assert chain.gossip.messages == [PublishTo((CONNS[A],), "bc:new_block", SHORT[-1].raw)]


def test_genesis_is_not_worth_gossiping() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    assert chain.gossip.messages == []


@pytest.mark.parametrize("by_request", [True, False])
def test_a_peer_of_another_network_or_genesis_is_dropped(by_request: bool) -> None:
    for network in (EASY_OTHER, replace(EASY, name="elsewhere")):
        chain = ChainStage()
        chain.link(A)
        theirs = chain.status_of(network.genesis, network)
        if by_request:
            chain.ask_by_wire(A, wire.STATUS_KIND, theirs)
        else:
            chain.answer(theirs)
        assert DropPeer(A, CloseReason.OTHER_NETWORK, CONNS[A]) in chain.peers.messages


def test_an_answer_from_a_connection_that_was_lost_says_nothing() -> None:
    chain = ChainStage(*SHORT)
    chain.link(A)
    (first,) = chain.requests()
    chain.tell(PeerLinked(A, ConnId(9), initiated=False, first=False))
    chain.tell(PeerUnlinked(A, CONNS[A], ConnId(9)))
    (second,) = chain.requests()
    assert second.conn == ConnId(9)
    chain.forget()
    chain.tell(Response(first.token, first.conn, None))
    assert chain.peers.messages == []
    chain.tell(Response(second.token, second.conn, chain.status_of(SHORT[1])))
    assert chain.peers.messages == [Classify(A, PeerKind.TROUPE, "troupe/peer", 2)]


def test_an_older_block_does_not_lower_the_height_of_a_peer() -> None:
    chain = ChainStage(*SHORT)
    chain.link_troupe(A, *SHORT)
    chain.forget()
    chain.gossiped(mine(EASY, SHORT[1].ref, BOB.public))
    assert chain.peers.messages == []


def test_a_gossiped_block_raises_the_height_of_a_peer_of_our_kind() -> None:
    chain = ChainStage(*SHORT)
    chain.link_troupe(A, *SHORT)
    chain.forget()
    chain.gossiped(CHAIN[5])
    assert chain.peers.messages == [
        Classify(A, PeerKind.TROUPE, "troupe/peer", 6),
        Brought((A,), is_block=True),
    ]


# -- downloads --------------------------------------------------------------------------------------


def test_a_higher_tip_is_downloaded_at_once_batch_after_batch() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    assert chain.info().sync is SyncState.DOWNLOADING
    assert chain.info().best_known_height == 300
    chain.messaging.messages.pop(0)  # the status request
    assert serve(chain, CHAIN) == 3
    info = chain.info()
    assert (info.tip, info.sync, info.supply) == (CHAIN[-1].ref, SyncState.IDLE, 30_000)
    assert len(chain.changes()) == 1 + 3, "one commit a batch"


def test_the_tip_is_gossiped_once_when_the_download_is_over() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    chain.messaging.messages.pop(0)
    serve(chain, CHAIN)
    assert chain.published() == [CHAIN[-1].raw]


def test_a_status_told_by_request_starts_a_download_as_well() -> None:
    chain = ChainStage()
    chain.link(A)
    chain.requests()
    told = chain.ask_by_wire(A, wire.STATUS_KIND, chain.status_of(SHORT[-1]))
    assert [message.kind for message in told if isinstance(message, SendRequest)] == [
        wire.GET_BLOCKS_KIND
    ]


def test_a_fork_deeper_than_a_batch_makes_progress_while_it_is_a_side_branch() -> None:
    ours = mine_chain(EASY, GENESIS.ref, 290, BOB.public)
    chain = ChainStage()
    chain.link_troupe(A, *ours)
    chain.messaging.messages.pop(0)
    serve(chain, ours)
    chain.forget()
    chain.link_troupe(B, *CHAIN)
    chain.messaging.messages.pop(0)
    assert serve(chain, CHAIN) == 3
    (change,) = chain.changes()
    assert change.tip == CHAIN[-1].ref
    assert change.disconnected == tuple(reversed(ours))
    assert change.connected == CHAIN
    assert chain.published() == [CHAIN[-1].raw]


def test_during_a_download_the_locator_starts_at_the_last_block_received() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    (_, first) = chain.requests()
    assert locator(first) == (GENESIS.hash,)
    chain.tell(Response(first.token, first.conn, batch(CHAIN[:128])))
    (second,) = chain.requests()
    assert locator(second)[0] == CHAIN[127].hash


def test_an_orphan_of_our_kind_of_peer_is_downloaded_to() -> None:
    chain = ChainStage()
    chain.link_troupe(A)
    chain.requests()
    assert chain.gossiped(SHORT[-1]) == [Decision.DROP]
    assert serve(chain, SHORT) == 1
    info = chain.info()
    assert (info.tip, info.orphans) == (SHORT[-1].ref, 0)
    assert chain.search.messages == []
    assert chain.published() == [SHORT[-1].raw]


def bad_batches() -> dict[str, bytes | None]:
    invalid = mine(EASY, GENESIS.ref, transactions=[transfer(ALICE, BOB.public, 5, 1)])
    return {
        "silence": None,
        "nothing": b"",
        "rubbish": b"rubbish",
        "gap": batch(SHORT[1:]),
        "invalid": batch((invalid,)),
    }


@pytest.mark.parametrize("bad", bad_batches().values(), ids=bad_batches())
def test_a_peer_that_fails_is_replaced_by_another_that_is_higher(bad: bytes | None) -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    chain.link(B)
    status = chain.messaging.of(SendRequest)[-1]
    chain.tell(Response(status.token, status.conn, chain.status_of(SHORT[-1])))
    download = chain.messaging.of(SendRequest)[1]
    chain.requests()
    chain.tell(Response(download.token, download.conn, bad))
    assert chain.messaging.of(SendRequest)[-1].conn == CONNS[B]
    chain.messaging.messages[:-1] = []
    serve(chain, SHORT)
    assert chain.info().tip == SHORT[-1].ref
    assert chain.info().sync is SyncState.IDLE


@pytest.mark.parametrize("payload", [None, b""])
def test_a_peer_that_was_only_busy_is_asked_for_its_status_again(payload: bytes | None) -> None:
    chain = ChainStage()
    chain.link_troupe(A, *SHORT)
    chain.answer(payload)
    chain.requests()
    chain.pump.run_for(ASK_AGAIN_S)
    (request,) = chain.requests()
    assert request.kind == wire.STATUS_KIND
    chain.tell(Response(request.token, request.conn, chain.status_of(SHORT[-1])))
    serve(chain, SHORT)
    assert chain.info().tip == SHORT[-1].ref


def test_a_peer_that_is_gone_by_then_is_not_asked_again() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *SHORT)
    chain.answer(None)
    chain.tell(PeerUnlinked(A, CONNS[A], None))
    chain.requests()
    chain.pump.run_for(ASK_AGAIN_S)
    assert chain.requests() == []


def test_a_peer_of_our_kind_that_misses_a_later_status_stays_one_of_ours() -> None:
    chain = ChainStage(*SHORT)
    chain.link_troupe(A, *CHAIN)
    chain.answer(None)
    chain.pump.run_for(ASK_AGAIN_S)
    chain.peers.take()
    status = [r for r in chain.messaging.of(SendRequest) if r.kind == wire.STATUS_KIND][-1]
    chain.tell(Response(status.token, status.conn, None))
    assert chain.peers.messages == []


def test_a_liar_that_repeats_a_batch_makes_no_progress_and_is_given_up() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    chain.answer(batch(CHAIN[:128]))
    chain.answer(batch(CHAIN[:128]))
    info = chain.info()
    assert (info.tip, info.sync) == (CHAIN[127].ref, SyncState.IDLE)
    assert info.best_known_height == 128
    assert chain.published() == [CHAIN[127].raw]


def test_the_answer_after_a_download_was_given_up_is_ignored() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    request = chain.messaging.of(SendRequest)[-1]
    chain.answer(None)
    chain.tell(Response(request.token, request.conn, batch(SHORT)))
    assert chain.info().tip == GENESIS.ref


def test_an_invalid_branch_is_not_downloaded_again() -> None:
    bad = mine(EASY, GENESIS.ref, transactions=[transfer(ALICE, BOB.public, 5, 1)])
    chain = ChainStage()
    chain.link_troupe(A, bad)
    chain.answer(batch((bad,)))
    chain.requests()
    chain.link_troupe(B, bad)
    assert [request.kind for request in chain.requests()] == [wire.STATUS_KIND]


def test_after_a_reset_of_links_nothing_of_before_counts() -> None:
    chain = ChainStage()
    chain.link_troupe(A, *CHAIN)
    request = chain.messaging.of(SendRequest)[-1]
    chain.tell(LinksReset())
    assert chain.info().sync is SyncState.IDLE
    assert chain.info().best_known_height == 0
    chain.tell(Response(request.token, request.conn, batch(SHORT)))
    assert chain.info().tip == GENESIS.ref
    chain.requests()
    chain.link(A)
    assert [request.kind for request in chain.requests()] == [wire.STATUS_KIND]
