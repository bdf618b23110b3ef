"""The mempool actor alone: what comes together is verified together, and what passed is known."""

from __future__ import annotations

from actors.ledger.codec import make_transaction
from actors.mempool.messages import Admission, GetPool
from actors.messaging.messages import Response
from actors.simulation.memory import MemoryJournal
from tests.support.counting_team import CountingTeam
from tests.support.ledger import transfer
from tests.support.mempool import ALICE, BOB, PAYEE
from tests.support.mempool_stage import CONN, MempoolStage

TRANSACTIONS = [transfer(payer, PAYEE, nonce, 1) for payer in (ALICE, BOB) for nonce in range(5)]
LINES = [each.raw for each in TRANSACTIONS]


def test_gossip_that_comes_together_is_verified_together() -> None:
    house = MempoolStage(team=(team := CountingTeam()))
    house.gossiped(*LINES, b"nonsense", *LINES)
    assert team.shifts == [len(LINES)]


def test_a_peers_pool_is_verified_together() -> None:
    house = MempoolStage(team=(team := CountingTeam()))
    house.tell(Response(0, CONN, b"\n".join(LINES)))
    assert team.shifts == [len(LINES)]
    assert house.ask(GetPool()).pending == len(LINES)


def test_what_was_saved_is_verified_together() -> None:
    house = MempoolStage(MemoryJournal(LINES), team=(team := CountingTeam()))
    assert team.shifts == [len(LINES)]
    assert house.ask(GetPool()).pending == len(LINES)


def test_nothing_is_begun_for_a_batch_without_a_chance() -> None:
    house = MempoolStage(team=(team := CountingTeam()))
    house.gossiped(*LINES)
    house.gossiped(*LINES, transfer(ALICE, PAYEE, 0, 2).raw)
    assert team.shifts == [len(LINES)]


def test_what_passed_is_known_however_it_came() -> None:
    house = MempoolStage(MemoryJournal([LINES[0]]))
    house.gossiped(LINES[1], make_transaction(BOB.public, PAYEE, 0, 1, bytes(64)).raw)
    house.tell(Response(0, CONN, LINES[2]))
    assert house.submit(TRANSACTIONS[3]).admission is Admission.PENDING
    assert house.submit(TRANSACTIONS[4], validate_only=True).admission is Admission.PENDING
    assert [each.id in house.known for each in TRANSACTIONS] == [True] * 5 + [False] * 5
    assert len(house.known) == 5


def test_what_a_block_brought_back_is_known() -> None:
    house = MempoolStage()
    house.tip(disconnected=TRANSACTIONS[:1])
    assert TRANSACTIONS[0].id in house.known
