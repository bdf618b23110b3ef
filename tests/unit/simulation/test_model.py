"""The model refuses what no node may follow, each rule by itself."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from actors.ledger.codec import make_block
from actors.ledger.keys import ED25519
from actors.ledger.state import apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block
from actors.ledger.violation import Violation
from actors.simulation.forge import Flaw, Forger
from actors.simulation.model import Model
from actors.simulation.violation import ViolationError
from actors.simulation.world import SIM_NETWORK

KEY = ED25519.generate(b"\x05" * 32)


def forger(seed: int = 1, account: Account = EMPTY_ACCOUNT) -> Forger:
    return Forger(SIM_NETWORK, random.Random(seed), KEY, account)


def model_with_one_block() -> tuple[Model, Block]:
    model, block = Model(SIM_NETWORK), forger().block(SIM_NETWORK.genesis.ref)
    model.take(block.raw)
    return model, block


def test_a_valid_block_moves_money_and_says_whose() -> None:
    model, block = model_with_one_block()
    rich = forger(account=Account(SIM_NETWORK.block_reward, 0))
    transfer = rich.transfer(0, 30)
    state = model.take(rich.block(block.ref, [transfer]).raw)
    assert state.accounts[transfer.recipient] == Account(30, 0)
    assert state.accounts[KEY.public] == Account(2 * SIM_NETWORK.block_reward - 30, 1)
    assert set(state.changed) == {KEY.public, transfer.recipient}
    assert model.state(block.hash).accounts == {KEY.public: Account(SIM_NETWORK.block_reward, 0)}


@pytest.mark.parametrize("flaw", Flaw)
def test_the_model_and_the_ledger_refuse_every_flaw(flaw: Flaw) -> None:
    model, block = model_with_one_block()
    account = Account(SIM_NETWORK.block_reward, 0)
    flawed = forger(account=account).flawed(block.ref, flaw)
    with pytest.raises(ViolationError):
        model.take(flawed.raw)
    accounts = {KEY.public: account}
    verdict = apply_block(
        SIM_NETWORK, block.ref, lambda address: accounts.get(address, EMPTY_ACCOUNT), flawed
    )
    assert isinstance(verdict, Violation)


def test_what_is_no_block_or_stands_nowhere_is_refused() -> None:
    model, block = model_with_one_block()
    with pytest.raises(ViolationError, match="none"):
        model.take(b"nonsense")
    orphan = make_block(2, 0, bytes(32), KEY.public, ())
    with pytest.raises(ViolationError, match="does not stand"):
        model.take(orphan.raw)
    assert block.hash in model


def test_a_branch_of_a_forger_is_flawed_at_its_root_alone() -> None:
    _, block = model_with_one_block()
    branch = forger().branch(block.ref, 6)
    assert [each.number for each in branch] == list(range(2, 8))
    for parent, child in pairwise(branch):
        assert child.parent_hash == parent.hash
        assert not isinstance(
            apply_block(SIM_NETWORK, parent.ref, lambda _: EMPTY_ACCOUNT, child), Violation
        )
