import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.assembly import gossip_limits_bytes
from actors.chain.locator import MAX_LOCATOR_HASHES
from actors.chain.sync import (
    MAX_KNOWN_BATCHES,
    SEARCH_TIMEOUTS_S,
    BatchFault,
    Expected,
    Walk,
    credible_height,
    judge_batch,
    judge_found,
    longest_block_bytes,
    next_locator,
    room_bytes,
    search_at,
)
from actors.chain.tree import Header, Status
from actors.chain.wire import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES, encode_batch
from actors.config import TcpSettings
from actors.gossip.course import ID_BYTES
from actors.ledger.network import MAIN, WORKSHOP, Network
from actors.ledger.types import BlockRef
from actors.messaging.codec import encode
from actors.messaging.messages import MessageType
from actors.tcp.messages import ConnId
from tests.support.chains import EASY, mine, mine_chain, raws, workless

GENESIS = Header(EASY.genesis.hash, 0, EASY.genesis.parent_hash, Status.VALID)
CHAIN = mine_chain(EASY, EASY.genesis.ref, 4)


def known(block_hash: bytes) -> Header | None:
    return GENESIS if block_hash == GENESIS.hash else None


@pytest.mark.parametrize("network", [WORKSHOP, MAIN], ids=lambda network: network.name)
def test_whoever_takes_the_longest_block_can_pass_it_on_in_a_frame(network: Network) -> None:
    longest = longest_block_bytes(network)
    assert gossip_limits_bytes(network)["bc:new_block"] == longest
    for kind in ("gossip:bc:new_block", "search_response:block"):
        message = encode(MessageType.REGULAR, 1, kind, bytes(ID_BYTES + longest))
        assert len(message) <= TcpSettings().frame_limit_bytes


def test_a_linked_run_of_blocks_is_accepted() -> None:
    assert judge_batch(encode_batch(raws(CHAIN)), EASY, known, Expected()) == CHAIN


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (None, BatchFault.NO_ANSWER),
        (b"", BatchFault.EMPTY),
        (b"rubbish", BatchFault.MALFORMED),
        (encode_batch(raws(CHAIN[1:])), BatchFault.UNLINKED),
        (encode_batch(raws((CHAIN[0], CHAIN[2]))), BatchFault.UNLINKED),
        (encode_batch([workless(EASY, EASY.genesis.ref).raw]), BatchFault.WORKLESS),
    ],
)
def test_an_answer_that_is_no_such_run_has_its_fault(
    payload: bytes | None, fault: BatchFault
) -> None:
    assert judge_batch(payload, EASY, known, Expected()) is fault


def test_an_answer_that_ends_where_the_last_one_did_is_no_progress() -> None:
    answer = encode_batch(raws(CHAIN))
    assert judge_batch(answer, EASY, known, Expected(beyond=4)) is BatchFault.NO_PROGRESS


def test_an_answer_that_holds_what_the_locator_named_began_too_low() -> None:
    expected = Expected(named={CHAIN[2].hash})
    assert judge_batch(encode_batch(raws(CHAIN)), EASY, known, expected) is BatchFault.NAMED
    assert judge_batch(encode_batch(raws(CHAIN[:2])), EASY, known, expected) == CHAIN[:2]


def test_an_answer_must_begin_with_a_block_that_had_no_room_in_the_one_before() -> None:
    answer, size_bytes = encode_batch(raws(CHAIN)), len(CHAIN[0].raw) + 1
    assert judge_batch(answer, EASY, known, Expected(room_bytes=size_bytes)) is BatchFault.SHORT
    assert judge_batch(answer, EASY, known, Expected(room_bytes=size_bytes - 1)) == CHAIN


def test_an_answer_left_room_if_it_is_short_of_blocks_bytes_and_what_was_claimed() -> None:
    size_bytes = sum(len(block.raw) + 1 for block in CHAIN)
    assert room_bytes(CHAIN, 5) == MAX_BATCH_BYTES - size_bytes
    assert room_bytes(CHAIN, 4) == 0
    assert room_bytes(CHAIN * 32, 500) == 0


def named(tip: int, last: BlockRef | None) -> list[int]:
    """The numbers in a locator of a chain whose hashes are its numbers."""
    locator = next_locator(tip, lambda n: b"%d" % n if n <= tip else None, last)
    assert len(locator) <= MAX_LOCATOR_HASHES
    return [int(block_hash) for block_hash in locator]


def test_a_locator_begins_at_the_last_block_received_or_at_our_tip() -> None:
    assert named(20, None) == [*range(20, 10, -1), 9, 5, 0]
    assert named(3, BlockRef(9, b"99")) == [99, 3, 2, 1, 0]


def test_while_a_peer_sends_our_own_chain_the_fork_is_looked_for_above() -> None:
    assert named(1_000, BlockRef(200, b"200"))[:5] == [712, 456, 328, 200, 199]
    assert named(300, BlockRef(200, b"200"))[0] == 200


@given(st.integers(1, 4_000_000), st.data())
def test_any_fork_is_found_before_a_peer_is_given_up_for_sending_what_we_have(
    tip: int, data: st.DataObject
) -> None:
    fork = data.draw(st.integers(0, tip))
    last: BlockRef | None = None
    for _known_batch in range(MAX_KNOWN_BATCHES + 1):
        common = next(n for n in named(tip, last) if n <= fork)
        if common + MAX_BATCH_BLOCKS > fork:
            return
        last = BlockRef(common + MAX_BATCH_BLOCKS, b"%d" % (common + MAX_BATCH_BLOCKS))
    pytest.fail("given up before the fork was found")


def test_a_height_is_believed_unless_its_tip_is_one_that_we_refused() -> None:
    assert credible_height(5, None, 4) == 5
    assert credible_height(4, GENESIS, 4) == 4
    assert credible_height(5, GENESIS, 4) is None


def test_a_search_goes_to_the_peer_then_to_another_then_to_all_and_ends() -> None:
    steps = [
        search_at(Walk(b"", b"", 1, ConnId(1), 0, attempt), ConnId(2))
        for attempt in range(len(SEARCH_TIMEOUTS_S) + 1)
    ]
    assert steps == [
        (ConnId(1), 2.0),
        (ConnId(2), 4.0),
        (None, 8.0),
        (None, 16.0),
        (None, 32.0),
        (None, 64.0),
        None,
    ]


def test_a_found_block_must_be_the_wanted_one_with_its_number_and_work() -> None:
    block = CHAIN[1]
    assert judge_found(Walk(b"", block.hash, 2, None, 0), block.raw, EASY) == block
    assert judge_found(Walk(b"", block.hash, 3, None, 0), block.raw, EASY) is None
    assert judge_found(Walk(b"", CHAIN[0].hash, 2, None, 0), block.raw, EASY) is None
    assert judge_found(Walk(b"", block.hash, 2, None, 0), b"rubbish", EASY) is None
    lazy = workless(EASY, EASY.genesis.ref)
    assert judge_found(Walk(b"", lazy.hash, 1, None, 0), lazy.raw, EASY) is None
    assert mine(EASY, EASY.genesis.ref) == CHAIN[0]
