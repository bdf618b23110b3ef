"""The chain actor's line of batches: verified by others in any order, imported in the one they came in."""

from pathlib import Path

import pytest

from actors.chain.line import MAX_CONNECTING, MAX_DOWNLOADED
from actors.chain.messages import (
    InvalidateBlock,
    ReconsiderBlock,
    SyncProgress,
    SyncState,
    TipChanged,
)
from actors.chain.room import Verified
from actors.chain.signatures import Signatures
from actors.gossip.messages import Decision
from actors.ledger.codec import decode_transaction
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Block, Transaction
from actors.peers.messages import LinksReset
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer
from tests.support.held_team import HeldTeam
from tests.support.sync_peers import SyncPeers

GENESIS = EASY.genesis
BATCH = 128


def paying_chain(blocks: int) -> tuple[Block, ...]:
    """A transfer of nothing in every block."""
    chain: list[Block] = []
    parent = GENESIS.ref
    for nonce in range(blocks):
        chain.append(mine(EASY, parent, transactions=[transfer(ALICE, BOB.public, nonce, 0)]))
        parent = chain[-1].ref
    return tuple(chain)


CHAIN = paying_chain(7 * BATCH)


def staged(
    known: KnownSignatures | None = None, path: Path | None = None
) -> tuple[ChainStage, SyncPeers, HeldTeam]:
    team = HeldTeam()
    chain = ChainStage(path=path, signatures=Signatures(EASY, team, known))
    return chain, SyncPeers(chain), team


def release(chain: ChainStage, team: HeldTeam, index: int = 0) -> None:
    team.release(index)
    chain.pump.run_until_idle()


def forged(transaction: Transaction) -> Transaction:
    """The same with the signature of another."""
    other = transfer(BOB, BOB.public, 0, 0).signature
    raw = b"%b,%b" % (transaction.signed, other.hex().encode())
    decoded = decode_transaction(raw)
    assert isinstance(decoded, Transaction)
    return decoded


def test_the_next_batches_are_asked_for_while_the_first_is_verified_up_to_a_bound() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN)
    assert peers.serve() == MAX_DOWNLOADED
    assert (len(team), chain.info().tip) == (MAX_DOWNLOADED, GENESIS.ref)
    assert chain.info().sync is SyncState.DOWNLOADING
    release(chain, team)
    assert chain.info().tip == CHAIN[BATCH - 1].ref
    assert peers.serve() == 1


def test_the_progress_of_a_sync_is_told() -> None:
    chain, peers, team = staged()
    assert chain.info().progress is None
    peers.join(A, *CHAIN)
    assert chain.info().progress == SyncProgress(0, len(CHAIN), 0.0, None)
    peers.serve()
    chain.clock.advance(2.0)
    release(chain, team)
    assert chain.info().progress == SyncProgress(BATCH, len(CHAIN), 64.0, (len(CHAIN) - BATCH) / 64)
    while len(team):
        release(chain, team)
        peers.serve()
    assert chain.info().progress is None


def test_batches_that_are_verified_out_of_order_are_imported_in_order() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[: 3 * BATCH])
    peers.serve()
    release(chain, team, 2)
    release(chain, team, 1)
    assert chain.info().tip == GENESIS.ref
    release(chain, team)
    assert chain.info().tip == CHAIN[3 * BATCH - 1].ref
    assert [len(change.connected) for change in chain.changes()[1:]] == [BATCH] * 3
    assert chain.info().sync is SyncState.IDLE
    assert chain.published() == [CHAIN[3 * BATCH - 1].raw]


def test_what_the_team_has_verified_is_not_looked_at_again() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[:BATCH])
    peers.serve()
    release(chain, team)
    assert (team.begun, team.mapped) == ([BATCH], 0)


def test_signatures_that_the_mempool_knows_are_not_verified_again() -> None:
    known = KnownSignatures()
    for block in CHAIN[: BATCH + 100]:
        known.add(block.transactions[0].id)
    chain, peers, team = staged(known)
    peers.join(A, *CHAIN[: 2 * BATCH])
    peers.serve()
    assert team.begun == [BATCH - 100]
    release(chain, team)
    assert chain.info().tip == CHAIN[2 * BATCH - 1].ref
    assert team.mapped == 0


def test_a_forged_signature_in_a_later_batch_is_found_and_everything_on_it_is_dropped() -> None:
    sound = CHAIN[:BATCH]
    parent = sound[-1].ref
    bad = mine(EASY, parent, transactions=[forged(transfer(ALICE, BOB.public, BATCH, 0))])
    rest = mine_chain(EASY, bad.ref, 2 * BATCH)
    chain, peers, team = staged()
    peers.join(A, *sound, bad, *rest)
    peers.serve()
    while len(team):
        release(chain, team, len(team) - 1)
    info = chain.info()
    assert (info.tip, info.sync) == (parent, SyncState.IDLE)
    assert peers.blamed() == [(A, 20)]
    header = chain.store.header(bad.hash)
    assert header is not None
    assert not header.status.is_good
    assert chain.store.header(rest[-1].hash) is None, "what stood on it was let go"


def test_a_team_that_fails_leaves_the_verification_to_the_import() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[:BATCH])
    peers.serve()
    team.release(0, MemoryError())
    chain.pump.run_until_idle()
    assert chain.info().tip == CHAIN[BATCH - 1].ref
    assert team.mapped == BATCH


def test_a_verification_that_an_earlier_incarnation_began_means_nothing() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[:BATCH])
    peers.serve()
    chain.tell(Verified(7, frozenset(b.transactions[0].id for b in CHAIN[:BATCH])))
    assert chain.info().tip == GENESIS.ref
    release(chain, team)
    assert chain.info().tip == CHAIN[BATCH - 1].ref


def test_batches_under_way_are_kept_when_the_links_are_reset() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[:BATCH])
    peers.serve()
    chain.tell(LinksReset())
    assert chain.info().sync is SyncState.DOWNLOADING
    release(chain, team)
    assert chain.info().tip == CHAIN[BATCH - 1].ref
    assert chain.info().sync is SyncState.IDLE


def test_a_gossiped_block_that_stands_on_one_under_way_is_connected_after_it() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[:BATCH])
    peers.serve()
    assert chain.gossiped(CHAIN[BATCH], peer=B) == [Decision.DROP]
    release(chain, team)
    while len(team):
        release(chain, team)
    assert chain.info().tip == CHAIN[BATCH].ref
    assert chain.info().orphans == 0


def test_a_block_gossiped_during_a_sync_that_reorganises_is_no_obstacle() -> None:
    ours = mine_chain(EASY, GENESIS.ref, 3, BOB.public)
    chain, peers, team = staged()
    peers.join(A, *CHAIN[: 2 * BATCH])
    peers.serve()
    assert chain.gossiped(*ours, peer=B) == [Decision.RELAY] * 3
    assert chain.info().tip == ours[-1].ref
    release(chain, team)
    release(chain, team)
    assert chain.info().tip == CHAIN[2 * BATCH - 1].ref
    assert [len(change.disconnected) for change in chain.changes()] == [0, 0, 0, 0, 3, 0]
    assert peers.blamed() == []


def test_a_restart_in_the_middle_goes_on_from_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    before, peers, team = staged(path=path)
    peers.join(A, *CHAIN)
    peers.serve()
    release(before, team)
    before.pump.kill(before.chain._mailbox)
    before.store.close()
    after = ChainStage(path=path)
    assert after.info().tip == CHAIN[BATCH - 1].ref
    again = SyncPeers(after)
    again.join(A, *CHAIN)
    assert again.serve() == 6
    assert after.info().tip == CHAIN[-1].ref


def test_the_operators_word_during_a_sync_is_obeyed_and_nobody_is_blamed() -> None:
    chain, peers, team = staged()
    peers.join(A, *CHAIN[: 3 * BATCH])
    peers.serve()
    release(chain, team)
    chain.pump.ask(chain.chain, InvalidateBlock(CHAIN[BATCH - 1].hash))
    release(chain, team)
    while len(team):
        release(chain, team)
    assert chain.info().tip == CHAIN[BATCH - 2].ref
    assert peers.blamed() == []
    chain.pump.ask(chain.chain, ReconsiderBlock(CHAIN[BATCH - 1].hash))
    assert chain.info().tip.number >= BATCH


@pytest.mark.parametrize("order", [0, -1])
def test_a_walk_back_is_connected_through_the_same_line(order: int) -> None:
    chain, _, team = staged()
    chain.link_legacy(A)
    chain.forget()
    chain.gossiped(CHAIN[6 * BATCH - 1])
    chain.walk(CHAIN, CONNS[A])
    assert chain.info().sync is SyncState.WALKING_BACK
    assert team.begun == [BATCH] * MAX_CONNECTING
    while len(team):
        release(chain, team, order)
    assert chain.info().tip == CHAIN[6 * BATCH - 1].ref
    assert [len(change.connected) for change in chain.changes()] == [BATCH] * 6
    assert (chain.store.pending_count(), team.mapped) == (0, 0)
    assert chain.published() == [CHAIN[6 * BATCH - 1].raw]


def test_a_block_gossiped_while_its_branch_is_connected_is_not_lost() -> None:
    chain, _, team = staged()
    chain.link_legacy(A)
    chain.forget()
    chain.gossiped(CHAIN[2 * BATCH - 1])
    chain.walk(CHAIN, CONNS[A])
    chain.gossiped(CHAIN[2 * BATCH])
    while len(team):
        release(chain, team)
    assert chain.info().tip == CHAIN[2 * BATCH].ref
    assert sum(team.begun) == 2 * BATCH + 1, "each is verified once"
    connected = [len(change.connected) for change in chain.mempool.of(TipChanged)]
    assert sum(connected) == 2 * BATCH + 1


def test_a_walk_back_and_a_download_leave_each_other_room_in_the_line() -> None:
    chain, peers, team = staged()
    chain.link_legacy(B)
    chain.forget()
    chain.gossiped(CHAIN[-1], peer=B)
    chain.walk(CHAIN, CONNS[B])
    other = mine_chain(EASY, GENESIS.ref, 6 * BATCH, BOB.public)
    peers.join(A, *other)
    peers.serve()
    assert len(team) == MAX_CONNECTING, "empty blocks have no signatures to wait for"
    while len(team):
        release(chain, team)
        peers.serve()
    assert chain.info().tip == CHAIN[-1].ref
    assert chain.store.header(other[-1].hash) is not None
