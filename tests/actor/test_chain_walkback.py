"""The chain actor among peers of the old kind: orphans, and the walk back to an ancestor."""

from pathlib import Path

import pytest

from actors.chain.messages import SubmitBlock, SyncState, TipChanged
from actors.chain.store import Store
from actors.chain.sync import YIELDING_ATTEMPT
from actors.gossip.messages import Decision
from actors.ledger.codec import make_block
from actors.ledger.types import BlockRef
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import DropPeer, LinksReset
from actors.search.messages import SearchEnded
from actors.tcp.messages import CloseReason
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer, workless

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 200)
SHORT = CHAIN[:6]
FOREIGN = mine_chain(EASY, BlockRef(0, b"f" * 32), 5)


def test_an_orphan_of_a_legacy_peer_is_walked_back_from_with_that_peer_alone() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    assert chain.gossiped(SHORT[-1]) == [Decision.DROP]
    search = chain.searched()
    assert (search.kind, search.query) == ("block", SHORT[-2].hash)
    assert (search.only, search.timeout_s) == (CONNS[A], 2.0)
    assert chain.info().sync is SyncState.WALKING_BACK


def test_a_peer_not_yet_classified_is_walked_back_with_as_well() -> None:
    chain = ChainStage()
    chain.link(A)
    chain.gossiped(SHORT[-1])
    assert chain.searched().only == CONNS[A]


def test_when_an_ancestor_is_known_the_branch_is_connected_and_the_tip_gossiped_once() -> None:
    chain = ChainStage(SHORT[0])
    chain.link_legacy(A)
    chain.forget()
    chain.gossiped(SHORT[-1])
    chain.walk(SHORT, CONNS[A])
    info = chain.info()
    assert (info.tip, info.sync, info.orphans) == (SHORT[-1].ref, SyncState.IDLE, 0)
    assert chain.changes() == [TipChanged(SHORT[-1].ref, SHORT[1:])]
    assert chain.published() == [SHORT[-1].raw]
    assert chain.store.pending_count() == 0


def test_a_long_branch_is_connected_in_bounded_pieces() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.forget()
    chain.gossiped(CHAIN[-1])
    chain.walk(CHAIN, CONNS[A])
    assert [len(change.connected) for change in chain.changes()] == [128, 72]
    assert chain.info().tip == CHAIN[-1].ref
    assert chain.published() == [CHAIN[-1].raw]


def test_a_fork_below_our_tip_is_walked_to_and_replaces_it() -> None:
    ours = mine_chain(EASY, SHORT[1].ref, 3, BOB.public)
    chain = ChainStage(*SHORT[:2], *ours)
    chain.link_legacy(A)
    chain.forget()
    chain.gossiped(SHORT[-1])
    chain.walk(SHORT, CONNS[A])
    (change,) = chain.changes()
    assert change == TipChanged(SHORT[-1].ref, SHORT[2:], tuple(reversed(ours)))


def test_an_orphan_that_cannot_be_longer_than_our_chain_is_only_held() -> None:
    chain = ChainStage(*SHORT)
    other = mine_chain(EASY, GENESIS.ref, 6, BOB.public)
    chain.link_legacy(A)
    chain.gossiped(other[-1])
    assert chain.search.messages == []
    assert chain.info().orphans == 1


def test_an_unanswered_search_goes_to_another_peer_then_to_all_and_gives_up() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.link_legacy(B)
    chain.gossiped(SHORT[-1])
    for _ in range(6):
        chain.found(None)
    asked = [(search.only, search.timeout_s) for search in chain.search.messages]
    assert asked == [
        (CONNS[A], 2.0),
        (CONNS[B], 4.0),
        (None, 8.0),
        (None, 16.0),
        (None, 32.0),
        (None, 64.0),
    ]
    assert chain.info().sync is SyncState.IDLE


def test_a_walk_that_gave_up_goes_on_with_the_next_block_of_its_branch() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[3])
    for _ in range(6):
        chain.found(None)
    chain.gossiped(SHORT[4])
    assert (chain.searched().query, chain.searched().only) == (SHORT[2].hash, CONNS[A])
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[4].ref


def test_an_answer_starts_over_with_the_peer_that_gave_it() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.link_legacy(B)
    chain.gossiped(SHORT[-1])
    chain.found(None)
    chain.found(SHORT[-2], CONNS[B])
    search = chain.searched()
    assert (search.query, search.only, search.timeout_s) == (SHORT[-3].hash, CONNS[B], 2.0)


def test_the_end_of_an_earlier_search_is_ignored() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[-1])
    early = chain.searched()
    chain.found(None)
    chain.search.take()
    chain.tell(SearchEnded(early.token, SHORT[-2].raw, CONNS[A]))
    assert chain.search.messages == []


def test_orphans_that_are_held_already_need_no_search() -> None:
    chain = ChainStage()
    chain.link(A)
    chain.tell(Response(chain.messaging.of(SendRequest)[-1].token, CONNS[A], None))
    chain.gossiped(SHORT[3], SHORT[2], SHORT[5], SHORT[4])
    assert {search.query for search in chain.search.messages} == {SHORT[1].hash}
    chain.walk(SHORT, CONNS[A])
    info = chain.info()
    assert (info.tip, info.orphans) == (SHORT[5].ref, 0)


def test_blocks_gossiped_during_a_walk_are_connected_after_it() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[3])
    chain.gossiped(SHORT[4])
    chain.gossiped(SHORT[5])
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[5].ref


def test_a_wanted_block_that_comes_by_gossip_ends_the_walk() -> None:
    chain = ChainStage(SHORT[0])
    chain.link_legacy(A)
    chain.gossiped(SHORT[2])
    chain.gossiped(SHORT[1])
    info = chain.info()
    assert (info.tip, info.sync) == (SHORT[2].ref, SyncState.IDLE)


@pytest.mark.parametrize(
    "answer",
    [
        b"rubbish",
        SHORT[0].raw,
        workless(EASY, SHORT[2].ref).raw,
    ],
)
def test_an_answer_that_can_be_no_ancestor_ends_the_walk(answer: bytes) -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[-1])
    chain.found(answer, CONNS[A])
    assert chain.info().sync is SyncState.IDLE
    assert chain.store.pending_count() == 0


def test_an_ancestor_whose_number_does_not_fit_ends_the_walk() -> None:
    parent = SHORT[1]
    child = make_block(9, 0, parent.hash, b"c" * 32, ())
    while not child.hash.hex().startswith("0"):
        child = make_block(9, child.nonce + 1, parent.hash, b"c" * 32, ())
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(child)
    chain.found(parent, CONNS[A])
    assert chain.info().sync is SyncState.IDLE
    assert chain.store.pending_count() == 0


def test_a_walk_that_reaches_another_genesis_ends_and_drops_the_peer() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(FOREIGN[-1])
    chain.walk(FOREIGN, CONNS[A])
    assert DropPeer(A, CloseReason.OTHER_NETWORK, CONNS[A]) in chain.peers.messages
    assert chain.store.pending_count() == 0
    assert chain.info().sync is SyncState.IDLE


def test_a_single_block_of_another_genesis_is_final_and_blames_nobody() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.peers.take()
    assert chain.gossiped(FOREIGN[0]) == [Decision.FINAL]
    assert chain.peers.messages == []


def test_an_invalid_block_in_the_branch_is_marked_and_what_is_sound_is_kept() -> None:
    bad = mine(EASY, SHORT[2].ref, transactions=[transfer(ALICE, BOB.public, 9, 1)])
    rest = mine_chain(EASY, bad.ref, 3)
    branch = (*SHORT[:3], bad, *rest)
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(rest[-1])
    chain.walk(branch, CONNS[A])
    assert chain.info().tip == SHORT[2].ref
    assert chain.store.pending_count() == 0
    assert chain.gossiped(rest[-1]) == [Decision.FINAL]


def test_descendants_of_a_refused_block_are_forgotten() -> None:
    misnumbered = make_block(9, 0, SHORT[0].hash, b"c" * 32, ())
    chain = ChainStage(SHORT[0])
    with chain.store.transaction():
        chain.store.add_pending(misnumbered)
        for block in mine_chain(EASY, misnumbered.ref, 3):
            chain.store.add_pending(block)
    chain = ChainStage(store=chain.store)
    assert chain.info().tip == SHORT[0].ref
    assert chain.store.pending_count() == 0


def test_a_walk_longer_than_what_may_wait_ends() -> None:
    chain = ChainStage(max_pending=3)
    chain.link_legacy(A)
    chain.gossiped(SHORT[-1])
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == GENESIS.ref
    assert chain.store.pending_count() == 0


def test_a_restart_goes_on_where_the_walk_was(tmp_path: Path) -> None:
    before = ChainStage(path=tmp_path / "chain.db")
    before.link_legacy(A)
    before.gossiped(SHORT[-1])
    before.found(SHORT[-2], CONNS[A])
    before.found(SHORT[-3], CONNS[A])
    before.pump.kill(before.chain._mailbox)
    after = ChainStage(path=tmp_path / "chain.db")
    assert after.searched().query == SHORT[-4].hash
    after.found(None)
    after.link_legacy(A)
    assert after.searched().only == CONNS[A]
    after.walk(SHORT, CONNS[A])
    assert after.info().tip == SHORT[-1].ref


def test_a_restart_in_the_middle_of_connecting_goes_on_connecting(tmp_path: Path) -> None:
    before = ChainStage(*SHORT[:2], path=tmp_path / "chain.db")
    with before.store.transaction():
        for block in SHORT[2:]:
            before.store.add_pending(block)
    before.pump.kill(before.chain._mailbox)
    after = ChainStage(path=tmp_path / "chain.db")
    assert after.info().tip == SHORT[-1].ref


def test_after_a_reset_of_links_a_new_legacy_peer_continues_the_walk() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[-1])
    chain.tell(LinksReset())
    assert chain.info().sync is SyncState.IDLE
    chain.search.take()
    chain.link_legacy(B)
    assert (chain.searched().query, chain.searched().only) == (SHORT[-2].hash, CONNS[B])


def test_an_orphan_of_our_own_user_is_searched_for_at_whoever_is_linked() -> None:
    chain = ChainStage()
    chain.pump.ask(chain.chain, SubmitBlock(SHORT[-1].raw))
    assert chain.searched().only is None


def test_when_a_walk_gives_up_the_next_orphan_has_its_turn() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(FOREIGN[-1])
    chain.gossiped(SHORT[-1], peer=B)
    for _ in range(YIELDING_ATTEMPT):
        chain.found(None)
    assert chain.searched().query == SHORT[-2].hash
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[-1].ref


def test_only_what_a_walk_finds_may_reach_the_disk_later(tmp_path: Path) -> None:
    chain = ChainStage(path=tmp_path / "chain.db")
    chain.link_legacy(A)
    chain.gossiped(SHORT[-1])
    chain.found(SHORT[-2], CONNS[A])
    assert chain.store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert Store.open(tmp_path / "chain.db", EASY).pending_count() == 2
