"""The miner actor alone: templates for those who mine elsewhere."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from actors.chain.messages import TipChanged
from actors.config import MinerSettings
from actors.ledger.types import Account
from actors.mempool.messages import Candidates, GetCandidates
from actors.miner.messages import BlockTemplate, GetMiner, GetTemplate, MinerRefusal
from tests.support.ledger import transfer
from tests.support.miner_stage import ALICE, BOB, EASY, MINE, NEXT_TIP, THEIRS, TIP, MinerStage

TX = transfer(ALICE, BOB.public, 0, 5)


def seek(house: MinerStage, coinbase: bytes | None = None) -> tuple[Future[Any], GetCandidates]:
    """A question for a template, and what the mempool is asked for it."""
    house.mempool.take()
    answer = house.ask_soon(GetTemplate(coinbase))
    (question,) = house.mempool.take()
    assert isinstance(question, GetCandidates)
    return answer, question


def test_a_template_is_what_would_be_scanned_with_what_the_mempool_has_now() -> None:
    house = MinerStage()
    answer, question = seek(house)
    assert (question.limit, question.reply_to) == (EASY.max_transactions_per_block, house.miner)
    house.tell(Candidates(1, (TX,), question.token))
    made = answer.result(timeout=0)
    assert isinstance(made, BlockTemplate)
    assert (made.parent, made.difficulty) == (TIP, EASY.difficulty)
    assert (made.block.number, made.block.coinbase, made.block.transactions) == (11, MINE, (TX,))
    assert made.prefix + b"0" + made.suffix == made.block.raw
    assert house.engine.take() == []


def test_a_template_pays_whom_the_question_names() -> None:
    house = MinerStage(settings=MinerSettings())
    answer, question = seek(house, THEIRS)
    house.tell(Candidates(1, (), question.token))
    assert answer.result(timeout=0).block.coinbase == THEIRS


def test_a_template_for_nobody_or_no_key_is_refused() -> None:
    house = MinerStage(settings=MinerSettings())
    assert house.ask(GetTemplate()) is MinerRefusal.NO_COINBASE
    assert house.ask(GetTemplate(b"\x02".ljust(32, b"\0"))) is MinerRefusal.BAD_COINBASE
    assert house.asked() == 0


def test_a_template_stands_on_the_tip_of_its_answer() -> None:
    house = MinerStage()
    answer, question = seek(house)
    house.tell(TipChanged(NEXT_TIP))
    house.tell(Candidates(1, (), question.token))
    assert answer.result(timeout=0).parent == NEXT_TIP


def test_a_template_is_made_of_the_accounts_as_of_its_parent_though_the_store_is_ahead() -> None:
    house = MinerStage()
    house.later_accounts[ALICE.public] = Account(95, TX.nonce + 1)
    answer, question = seek(house)
    house.tell(Candidates(1, (TX,), question.token))
    assert answer.result(timeout=0).block.transactions == (TX,)
    house.tell(TipChanged(NEXT_TIP))
    answer, question = seek(house)
    house.tell(Candidates(2, (TX,), question.token))
    assert answer.result(timeout=0).block.transactions == ()


def test_a_look_at_a_template_does_not_disturb_the_scan() -> None:
    house = MinerStage.mining()
    house.offer()
    answer, question = seek(house, THEIRS)
    house.tell(Candidates(1, (TX,), question.token))
    assert answer.done()
    assert house.engine.take() == []


def test_candidates_that_a_fallen_mempool_tells_twice_answer_once() -> None:
    house = MinerStage()
    answer, question = seek(house)
    house.tell(Candidates(1, (TX,), question.token))
    house.tell(Candidates(1, (), question.token))
    assert answer.result(timeout=0).block.transactions == (TX,)
    assert house.ask(GetMiner()).blocks_found == 0  # it plays on
