"""The chain actor's walks back, several at a time: what one peer makes up must not harm what another found."""

from actors.chain.messages import SyncState
from actors.chain.sync import SEARCH_TIMEOUTS_S, YIELDING_ATTEMPT
from actors.chain.walkback import MAX_LINES
from actors.gossip.messages import Decision
from actors.ledger.codec import make_block
from actors.ledger.types import Block, BlockRef
from actors.ledger.work import has_work
from tests.support.chain_stage import CONNS, A, B, ChainStage
from tests.support.chains import BOB, EASY, mine_chain

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 60)
SHORT = CHAIN[:6]
FOREIGN = mine_chain(EASY, BlockRef(0, b"f" * 32), 5)


def with_work(number: int, parent_hash: bytes) -> Block:
    """A block with the proof of work and whatever number."""
    nonce = 0
    while not has_work(
        (block := make_block(number, nonce, parent_hash, BOB.public, ())).hash, EASY.difficulty
    ):
        nonce += 1
    return block


def give_up(chain: ChainStage) -> None:
    """Nobody answers, until the walk ends or lets another one go first."""
    query = chain.searched().query
    for _ in SEARCH_TIMEOUTS_S:
        searches = len(chain.search.messages)
        chain.found(None)
        if len(chain.search.messages) == searches or chain.searched().query != query:
            return


def queries(chain: ChainStage) -> list[bytes]:
    """What was searched for since the last look, each once."""
    return list(dict.fromkeys(search.query for search in chain.search.take()))


def pend(chain: ChainStage, *blocks: Block) -> None:
    """What an earlier run left behind."""
    with chain.store.transaction():
        for block in blocks:
            chain.store.add_pending(block)


def test_a_made_up_number_on_a_block_of_the_walk_is_invalid_and_harms_nothing() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(CHAIN[59])
    chain.walk(CHAIN[30:], CONNS[A])
    for number in (3, 10**9):
        assert chain.gossiped(with_work(number, CHAIN[45].hash)) == [Decision.FINAL]
    assert chain.store.pending_count() == 30
    again = ChainStage(store=chain.store)
    again.link_legacy(B)
    assert again.searched().query == CHAIN[29].hash
    again.walk(CHAIN, CONNS[B])
    assert again.info().tip == CHAIN[59].ref


def test_a_made_up_number_that_comes_before_its_parent_costs_only_its_own_line() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[5])
    chain.walk(SHORT[4:], CONNS[A])
    give_up(chain)
    chain.gossiped(with_work(90, SHORT[3].hash))
    assert chain.searched().query == SHORT[3].hash
    chain.found(SHORT[3], CONNS[A])
    assert chain.info().sync is SyncState.IDLE
    assert chain.store.pending_roots() == (SHORT[4].hash,)


def test_a_made_up_number_on_an_orphan_costs_neither_that_nor_its_line() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    liar = with_work(90, SHORT[3].hash)
    chain.gossiped(SHORT[3], liar)
    assert chain.searched().query == SHORT[2].hash
    assert chain.store.pending_header(liar.hash) is None
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[3].ref


def test_a_line_that_is_found_to_stand_on_another_goes_with_it() -> None:
    chain = ChainStage()
    liar = with_work(90, SHORT[3].hash)
    pend(chain, liar, *SHORT[2:])
    again = ChainStage(store=chain.store)
    again.link_legacy(A)
    again.walk(SHORT, CONNS[A])
    assert again.info().tip == SHORT[5].ref
    assert again.store.pending_count() == 0


def test_every_line_that_was_left_behind_has_a_turn_the_newest_first_and_then_it_is_over() -> None:
    before = ChainStage()
    pend(before, FOREIGN[2], SHORT[5])
    chain = ChainStage(store=before.store)
    assert chain.searched().query == SHORT[4].hash
    chain.link_legacy(A)
    while chain.info().sync is not SyncState.IDLE:
        give_up(chain)
    assert queries(chain) == [SHORT[4].hash, FOREIGN[1].hash]
    chain.link_legacy(B)
    while chain.info().sync is not SyncState.IDLE:
        give_up(chain)
    assert queries(chain) == [SHORT[4].hash, FOREIGN[1].hash]
    assert chain.info().sync is SyncState.IDLE


def test_a_stale_line_does_not_shadow_an_interrupted_walk() -> None:
    before = ChainStage()
    pend(before, *reversed(SHORT[3:]), FOREIGN[1])
    chain = ChainStage(store=before.store)
    assert chain.searched().query == FOREIGN[0].hash
    give_up(chain)
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[-1].ref


def test_a_line_and_new_orphans_have_their_turns_one_after_the_other() -> None:
    before = ChainStage()
    pend(before, FOREIGN[2], SHORT[3])
    chain = ChainStage(store=before.store)
    others = [mine_chain(EASY, BlockRef(n, b"o" * 32), 2)[-1] for n in (50, 60)]
    chain.gossiped(*others, peer=B)
    for _ in range(4):
        give_up(chain)
    assert queries(chain) == [
        SHORT[2].hash,
        others[1].parent_hash,
        FOREIGN[1].hash,
        others[0].parent_hash,
    ]


def test_a_new_block_of_a_line_gives_the_waiting_lines_a_turn() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[4])
    give_up(chain)
    chain.gossiped(FOREIGN[4])
    assert chain.gossiped(SHORT[5]) == [Decision.DROP]
    give_up(chain)
    assert chain.searched().query == SHORT[3].hash
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[5].ref


def test_of_too_many_waiting_lines_the_one_with_the_least_work_goes() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(SHORT[5])
    chain.found(SHORT[4], CONNS[A])
    give_up(chain)
    for n in range(MAX_LINES):
        chain.gossiped(with_work(50 + n, b"%032d" % n))
        give_up(chain)
    roots = chain.store.pending_roots()
    assert len(roots) == MAX_LINES
    assert SHORT[4].hash in roots
    assert chain.store.pending_count() == MAX_LINES + 1


def test_all_lines_that_a_start_finds_wait_for_their_turn_and_no_others_take_their_place() -> None:
    """A repair leaves one for each block that it could not read."""
    chain = ChainStage()
    gaps = [mine_chain(EASY, BlockRef(50, b"%032d" % n), 2) for n in range(2 * MAX_LINES)]
    pend(chain, *(block for line in gaps for block in line))
    again = ChainStage(store=chain.store)
    again.link_legacy(A)
    for _ in range(2 * len(gaps)):
        give_up(again)
    again.gossiped(with_work(99, b"?" * 32))
    give_up(again)
    assert set(again.store.pending_roots()) >= {line[0].hash for line in gaps}
    assert again.store.pending_count() <= 2 * len(gaps) + 1


def test_waiting_lines_make_room_for_the_walk_under_way() -> None:
    chain = ChainStage(max_pending=6)
    chain.link_legacy(A)
    for n in range(3):
        chain.gossiped(with_work(50 + n, b"%032d" % n))
        give_up(chain)
    chain.gossiped(SHORT[4])
    chain.walk(SHORT, CONNS[A])
    assert chain.info().tip == SHORT[4].ref
    assert len(chain.store.pending_roots()) == 1


def test_where_no_more_may_wait_on_disk_a_new_block_of_a_line_is_an_orphan() -> None:
    chain = ChainStage(max_pending=2)
    chain.link_legacy(A)
    chain.gossiped(SHORT[2])
    chain.found(SHORT[1], CONNS[A])
    chain.gossiped(SHORT[3])
    assert chain.info().orphans == 1
    assert chain.store.pending_count() == 2
    chain.gossiped(SHORT[0])
    assert chain.info().tip == SHORT[3].ref


def test_one_who_makes_up_blocks_has_no_more_turns_than_one_who_has_a_chain() -> None:
    chain = ChainStage()
    for peer in (A, B):
        chain.link_legacy(peer)
    made_up = [with_work(10**9 + n, b"%032d" % n) for n in range(16)]
    chain.gossiped(*made_up)
    chain.gossiped(SHORT[5], peer=B)
    unanswered = 0
    while chain.searched().query != SHORT[4].hash:
        chain.found(None)
        unanswered += 1
    assert unanswered <= YIELDING_ATTEMPT
    chain.walk(SHORT, CONNS[B])
    assert chain.info().tip == SHORT[5].ref


def test_a_walk_that_let_others_go_first_goes_on_where_it_was_and_ends_like_any_other() -> None:
    chain = ChainStage()
    chain.link_legacy(A)
    chain.gossiped(*(with_work(50 + n, b"%032d" % n) for n in range(3)))
    while chain.info().sync is not SyncState.IDLE:
        give_up(chain)
    timeouts: dict[bytes, list[float]] = {}
    for search in chain.search.take():
        timeouts.setdefault(search.query, []).append(search.timeout_s)
    assert len(timeouts) == 3
    assert all(tuple(each) == SEARCH_TIMEOUTS_S for each in timeouts.values())
