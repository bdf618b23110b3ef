"""The chain actor on a disk that takes nothing for a while: nobody is blamed, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.chain import wire
from actors.chain.messages import (
    BlockMined,
    BlockOutcome,
    ImportRun,
    InvalidateBlock,
    MinedVerdict,
    SteerOutcome,
    StoreFault,
    SubmitBlock,
    SyncState,
)
from actors.chain.outage import LAST_RETRY_S, MAX_KEPT
from actors.chain.replay import ScratchError
from actors.gossip.messages import Decision
from actors.ledger.types import Block
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import Misbehaved
from actors.runtime.supervisor import Ailing
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import BOB, EASY, mine, mine_chain, raws, transfer, workless
from tests.support.faulty_disk import CORRUPT, FULL, IOERR, FaultyStore, failing, faulty_store
from tests.support.sync_peers import SyncPeers

CHAIN = mine_chain(EASY, EASY.genesis.ref, 200)
SHORT = CHAIN[:8]


def staged(*chain: Block, path: Path | None = None) -> tuple[ChainStage, FaultyStore]:
    store = faulty_store(EASY, path)
    stage = ChainStage(*chain, store=store)
    stage.supervisor.take()
    return stage, store


def ailing(stage: ChainStage) -> list[str | None]:
    """What the supervisor was told since, by the word that says it."""
    return [message.reason for message in stage.supervisor.take() if isinstance(message, Ailing)]


def mend(stage: ChainStage, store: FaultyStore) -> None:
    """There is room again, and the next try is due."""
    store.fault = None
    stage.pump.run_for(LAST_RETRY_S)


def tell_status(stage: ChainStage, peers: SyncPeers, tip: Block) -> None:
    """Answer the question for it, as a peer with this tip."""
    (request,) = (r for r in peers._take() if r.kind == wire.STATUS_KIND)
    stage.tell(Response(request.token, request.conn, stage.status_of(tip)))


@pytest.mark.parametrize("fault", [FULL, IOERR])
def test_what_the_disk_does_not_take_is_nobody_elses_fault_and_told_to_nobody(fault: int) -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = fault
    assert stage.gossiped(SHORT[3]) == [Decision.DROP]
    assert stage.changes() == []
    assert stage.published() == []
    assert stage.events.messages == []
    assert stage.peers.of(Misbehaved) == []
    assert stage.info().tip == SHORT[2].ref
    (reason,) = ailing(stage)
    assert reason is not None
    assert "cannot be written" in reason
    assert stage.miner.of(StoreFault) == [StoreFault(reason)]


@pytest.mark.parametrize(
    "block",
    [SHORT[3], CHAIN[50], mine(EASY, SHORT[1].ref, BOB.public), SHORT[1]],
    ids=["next", "orphan", "side", "known"],
)
def test_a_disk_that_gives_nothing_back_either_is_an_outage_too(block: Block) -> None:
    stage, store = staged(*SHORT[:3])
    disk = failing(store)
    disk.is_gone = True
    assert stage.gossiped(block) == [Decision.DROP]
    assert stage.gossiped(SHORT[3]) == [Decision.DROP]
    assert stage.peers.of(Misbehaved) == []
    assert ailing(stage)[0] is not None
    disk.is_gone = False
    stage.pump.run_for(LAST_RETRY_S)
    assert stage.info().tip == SHORT[3].ref
    assert ailing(stage)[-1] is None


def test_when_there_is_room_again_it_goes_on_by_itself_with_what_was_kept() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    stage.gossiped(SHORT[3])
    stage.gossiped(SHORT[4])
    ailing(stage)
    mend(stage, store)
    assert stage.info().tip == SHORT[4].ref
    assert [change.tip for change in stage.changes()] == [SHORT[3].ref, SHORT[4].ref]
    assert stage.published() == [SHORT[4].raw]
    assert ailing(stage) == [None]
    assert stage.miner.of(StoreFault)[-1] == StoreFault(None)
    assert stage.gossiped(SHORT[5]) == [Decision.RELAY]


def test_a_block_of_our_miner_is_kept_until_it_can_be_stored() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    stage.tell(BlockMined(SHORT[3], stage.miner.address))
    (answer,) = stage.miner.of(MinedVerdict)
    assert answer.verdict.outcome is BlockOutcome.UNSTORED
    for nonce in range(2 * MAX_KEPT):  # what gossip brings does not displace it
        stage.gossiped(mine(EASY, SHORT[2].ref, BOB.public, first_nonce=1_000 * nonce))
    mend(stage, store)
    assert stage.store.header(SHORT[3].hash) is not None
    assert stage.info().tip == SHORT[3].ref


def test_whoever_hands_in_or_steers_is_told_that_nothing_can_be_stored() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    for check_only in (True, False):
        verdict = stage.pump.ask(stage.chain, SubmitBlock(SHORT[3].raw, validate_only=check_only))
        assert verdict.outcome is BlockOutcome.UNSTORED
    verdicts = stage.pump.ask(stage.chain, ImportRun(raws(SHORT[3:])))
    assert {verdict.outcome for verdict in verdicts} == {BlockOutcome.UNSTORED}
    steered = stage.pump.ask(stage.chain, InvalidateBlock(SHORT[1].hash))
    assert (steered.outcome, steered.tip) == (SteerOutcome.UNSTORED, SHORT[2].ref)
    mend(stage, store)
    assert stage.info().tip == SHORT[2].ref  # they were told: nobody hands it in for them
    assert stage.pump.ask(stage.chain, SubmitBlock(SHORT[3].raw)).outcome is BlockOutcome.CONNECTED


def test_the_operators_word_alone_begins_an_outage_as_well() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    steered = stage.pump.ask(stage.chain, InvalidateBlock(SHORT[1].hash))
    assert steered.outcome is SteerOutcome.UNSTORED
    assert len(ailing(stage)) == 1


def test_a_full_disk_is_tried_seldom_and_told_once() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    stage.gossiped(SHORT[3])
    for _ in range(3_600):
        stage.gossiped(SHORT[4])
        stage.pump.run_for(1.0)
    assert store.tries <= 8 + 3_600 / LAST_RETRY_S
    assert len(ailing(stage)) == 1
    assert len(stage.miner.of(StoreFault)) == 1


def test_a_malformed_or_workless_block_is_judged_as_ever() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    stage.gossiped(SHORT[3])
    assert stage.gossiped_raw(b"nonsense") == [Decision.FINAL]
    stage.gossiped(*(workless(EASY, SHORT[n].ref) for n in range(8)), peer=B)
    mend(stage, store)
    assert stage.info().tip == SHORT[3].ref
    assert stage.info().side_blocks == 0


def test_a_downloaded_batch_waits_in_the_line_and_is_not_asked_for_again() -> None:
    stage, store = staged()
    peers = SyncPeers(stage)
    store.fault = FULL
    peers.join(A, *CHAIN)
    peers.serve()
    assert stage.info().tip.number == 0
    asked = len(peers.asked)
    stage.pump.run_for(LAST_RETRY_S)
    assert len(peers.asked) == asked  # nothing more is asked for while nothing can be stored
    mend(stage, store)
    tell_status(stage, peers, CHAIN[-1])
    assert peers.serve() == 0
    assert stage.info().tip == CHAIN[-1].ref
    assert stage.info().sync is SyncState.IDLE
    assert stage.peers.of(Misbehaved) == []


def test_what_a_peer_has_more_of_is_asked_for_when_it_is_over() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    stage.gossiped(SHORT[3])
    peers = SyncPeers(stage)
    peers.join(A, *SHORT)
    assert peers.asked == []
    mend(stage, store)
    tell_status(stage, peers, SHORT[-1])
    peers.serve()
    assert stage.info().tip == SHORT[-1].ref


def test_a_walk_back_rests_and_goes_on() -> None:
    stage, store = staged(*SHORT[:2])
    stage.link_legacy(A)
    stage.gossiped(SHORT[6])
    stage.found(SHORT[5], CONNS[A])
    store.fault = FULL
    stage.found(SHORT[4], CONNS[A])
    searches = len(stage.search.messages)
    assert len(ailing(stage)) == 1
    stage.pump.run_for(LAST_RETRY_S)
    assert len(stage.search.messages) == searches
    mend(stage, store)
    assert stage.searched().query == SHORT[4].hash
    stage.walk(SHORT, CONNS[A])
    assert stage.info().tip == SHORT[6].ref
    assert store.pending_count() == 0


def test_an_orphan_that_cannot_be_kept_on_disk_blames_nobody() -> None:
    stage, store = staged(*SHORT[:2])
    stage.link_legacy(A)
    store.fault = FULL
    assert stage.gossiped(SHORT[6]) == [Decision.DROP]
    assert len(ailing(stage)) == 1
    assert stage.gossiped(SHORT[7]) == [Decision.DROP]
    mend(stage, store)
    stage.walk(SHORT, CONNS[A])
    assert stage.info().tip == SHORT[7].ref


def test_an_orphan_that_could_not_be_walked_back_from_is_when_there_is_room() -> None:
    """An old node says nothing of its chain until there is another block of it."""
    stage, store = staged(*SHORT[:2])
    stage.link_legacy(A)
    store.fault = FULL
    stage.gossiped(SHORT[6])
    mend(stage, store)
    stage.walk(SHORT, CONNS[A])
    assert stage.info().tip == SHORT[6].ref


def test_whichever_statement_fails_of_a_walk_back_no_block_that_was_held_is_searched_for() -> None:
    for number in range(1, 30):
        stage, store = staged(*SHORT[:2])
        stage.link_legacy(A)
        stage.gossiped(SHORT[6])
        stage.gossiped(SHORT[4])
        disk = failing(store)
        disk.fail_at(number)
        stage.found(SHORT[5], CONNS[A])
        disk.heal()
        stage.pump.run_for(LAST_RETRY_S)
        stage.walk(SHORT, CONNS[A])
        assert stage.info().tip == SHORT[6].ref
        queries = {search.query for search in stage.search.messages}
        assert SHORT[4].hash not in queries, number


def test_a_node_comes_up_on_a_full_disk_and_answers() -> None:
    store = faulty_store(EASY)
    ChainStage(*SHORT[:3], store=store)
    with store.transaction():
        store.add_pending(SHORT[5])
        store.add_pending(SHORT[4])
    store.fault = FULL
    stage = ChainStage(store=store)
    assert stage.info().tip == SHORT[2].ref
    stage.link_legacy(A)
    stage.gossiped(SHORT[3])
    assert stage.info().tip == SHORT[2].ref
    mend(stage, store)
    assert stage.info().tip == SHORT[5].ref


def test_damage_that_is_met_while_writing_is_told_with_the_way_out_and_stays_told() -> None:
    stage, store = staged(*SHORT[:3])
    store.fault = CORRUPT
    assert stage.gossiped(SHORT[3]) == [Decision.DROP]
    stage.pump.run_for(600.0)
    (reason,) = ailing(stage)
    assert reason is not None
    assert "troupe repair" in reason
    assert stage.info().tip == SHORT[2].ref


def test_a_waiting_block_that_cannot_be_read_is_damage_that_is_told_and_the_chain_goes_on() -> None:
    store = faulty_store(EASY)
    ChainStage(*SHORT[:3], store=store)
    with store.transaction():
        store.add_pending(SHORT[4])
        store._db.execute("UPDATE pending SET raw = x'00'")
    stage = ChainStage(store=store)
    stage.gossiped(SHORT[3])
    assert any("troupe repair" in (reason or "") for reason in ailing(stage))
    other = mine_chain(EASY, SHORT[3].ref, 3, BOB.public)
    for block in other:
        stage.gossiped(block)
        stage.pump.run_for(LAST_RETRY_S)
    assert stage.info().tip == other[-1].ref


def test_a_fault_that_returns_at_once_does_not_begin_with_quick_tries_again() -> None:
    stage, store = staged(*SHORT[:3])
    waits = []
    for block in SHORT[3:6]:
        store.fault = FULL
        stage.gossiped(block)
        store.fault = None
        begun_s = stage.clock.now_s()
        while store.header(block.hash) is None:
            stage.pump.run_for(0.5)
        waits.append(stage.clock.now_s() - begun_s)
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


def test_a_reorganisation_without_scratch_room_is_an_outage_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state of a fork below the history is executed anew, on a file in the system's place for those."""
    store = faulty_store(EASY)
    store._keep = 3
    stage = ChainStage(*CHAIN[:20], store=store)
    stage.supervisor.take()
    side = mine_chain(EASY, CHAIN[9].ref, 15, BOB.public)
    with monkeypatch.context() as patch:
        patch.setattr("actors.chain.past.Replay", _no_scratch_room)
        assert set(stage.gossiped(*side)) == {Decision.DROP}
        (reason,) = ailing(stage)
        assert reason is not None
        assert "SQLITE_TMPDIR" in reason
        assert stage.info().tip == CHAIN[19].ref
    stage.pump.run_for(LAST_RETRY_S)
    assert stage.info().tip == side[-1].ref
    assert ailing(stage) == [None]


def _no_scratch_room(_network: object) -> object:
    message = "no room; SQLITE_TMPDIR may name a place with more"
    raise ScratchError(message)


def test_transactions_of_a_block_that_waits_are_still_pending() -> None:
    """The mempool is told of commits alone."""
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    paid = mine(EASY, SHORT[2].ref, BOB.public, [transfer(BOB, BOB.public, 0, 1)])
    stage.gossiped(paid)
    assert stage.mempool.messages == []
    assert [m for m in stage.messaging.messages if isinstance(m, SendRequest)] == []


def test_whoever_follows_one_that_fell_in_an_outage_lets_the_miner_go_on() -> None:
    """It knows nothing of that outage, and so would never tell of its end. Seed 163 of the simulation."""
    stage, store = staged(*SHORT[:3])
    store.fault = FULL
    stage.gossiped(SHORT[3])
    assert stage.miner.of(StoreFault)[-1] != StoreFault(None)
    store.fault = None
    following = ChainStage(store=store)
    assert following.miner.of(StoreFault) == [StoreFault(None)]
