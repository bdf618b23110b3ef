from dataclasses import replace

from actors.chain.tree import Header, Refused, Status, execute_branch, find_branch
from actors.ledger.codec import make_transaction
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef
from actors.ledger.violation import Rule
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer

MAIN = mine_chain(EASY, EASY.genesis.ref, 3)
SIDE = mine_chain(EASY, MAIN[0].ref, 3, BOB.public)
ALL = {block.hash: block for block in (EASY.genesis, *MAIN, *SIDE)}


def header_of(block: Block, status: Status = Status.STORED) -> Header:
    return Header(block.hash, block.number, block.parent_hash, status)


def header(block_hash: bytes) -> Header | None:
    return header_of(ALL[block_hash])


def is_canonical(ref: BlockRef) -> bool:
    return ref in {block.ref for block in (EASY.genesis, *MAIN)}


def nobody(_address: bytes) -> Account:
    return EMPTY_ACCOUNT


def test_a_branch_is_the_way_from_the_canonical_chain_to_its_head() -> None:
    branch = find_branch(header_of(SIDE[-1]), header, is_canonical)
    assert branch.fork == MAIN[0].ref
    assert [part.hash for part in branch.headers] == [block.hash for block in SIDE]


def test_executing_a_branch_gives_what_each_block_changes() -> None:
    branch = find_branch(header_of(SIDE[-1]), header, is_canonical)
    changes = execute_branch(EASY, branch, SIDE, nobody)
    assert changes == tuple({BOB.public: Account(100 * n, 0)} for n in (1, 2, 3))


def test_executing_stops_at_the_first_block_that_breaks_a_rule() -> None:
    bad = mine(EASY, SIDE[-1].ref, transactions=[transfer(ALICE, BOB.public, 7, 1)])
    branch = find_branch(header_of(SIDE[-1]), header, is_canonical)
    longer = replace(branch, headers=(*branch.headers, header_of(bad)))
    refused = execute_branch(EASY, longer, (*SIDE, bad), nobody)
    assert isinstance(refused, Refused)
    assert refused.block == bad
    assert refused.violation.rule is Rule.NONCE_GAP


def test_signatures_of_a_block_that_was_executed_before_are_not_checked_again() -> None:
    unsigned = make_transaction(ALICE.public, BOB.public, 0, 0, b"s" * 64)
    block = mine(EASY, EASY.genesis.ref, transactions=[unsigned])
    for status, accepted in ((Status.STORED, False), (Status.VALID, True)):
        head = header_of(block, status)
        branch = find_branch(head, header, is_canonical)
        run = execute_branch(EASY, branch, (block,), nobody)
        assert isinstance(run, tuple) is accepted
