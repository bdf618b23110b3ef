"""Every ledger vector of the workshop network, from an independent implementation of it."""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

import pytest

from actors.ledger.codec import decode_block, decode_transaction, make_block, make_transaction
from actors.ledger.keys import P192_SHA1
from actors.ledger.network import WORKSHOP
from actors.ledger.state import (
    Applied,
    apply_block,
    check_account,
    check_header,
    check_policy,
    check_transaction,
)
from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.ledger.violation import Rule, Violation
from actors.ledger.work import has_work
from tests.support.ledger import EASY_WORKSHOP, child, lookup
from tests.support.vectors import (
    BlockVector,
    Case,
    FrameVector,
    KeyVector,
    StateVector,
    TransactionVector,
    case_bytes,
    workshop,
)

_VECTORS = workshop()
_CONTEXT = _VECTORS["cases_context"]
_CASE_NETWORK = replace(WORKSHOP, difficulty=_CONTEXT["difficulty"])
_OUT_OF_BOUNDS = [v for v in _VECTORS["transactions"] if v["note"] == "amount above 2^64"]
_IN_BOUNDS = [v for v in _VECTORS["transactions"] if v not in _OUT_OF_BOUNDS]

_BLOCK_VERDICTS = {
    "valid": None,
    "malformed": Rule.MALFORMED,
    "valid on its own parent; not on the tip": Rule.NUMBER,
    "invalid: too many transactions": Rule.TOO_MANY_TRANSACTIONS,
    "invalid: insufficient difficulty (hash has fewer than 2 leading zeros)": Rule.WORK,
    "invalid: number jumps by 1 (parent = tip, number = tip+2)": Rule.NUMBER,
    "invalid: number equal to the tip's (parent = tip)": Rule.NUMBER,
    "invalid: transaction with a bad signature": Rule.SIGNATURE,
    "invalid: transaction overspends": Rule.BALANCE,
    "invalid: same transaction twice": Rule.NONCE_USED,
    "invalid: transaction whose sender is not a curve point": Rule.PUBLIC_KEY,
}

_TRANSACTION_VERDICTS = {
    "valid": None,
    "malformed": Rule.MALFORMED,
    "invalid: signature": Rule.SIGNATURE,
    "invalid: nonce already used": Rule.NONCE_USED,
    "invalid: balance": Rule.BALANCE,
    "invalid: sender is no public key": Rule.PUBLIC_KEY,
    "policy: not pooled or relayed, valid in a block": Rule.POLICY,
}


def _case_name(case: Case) -> str:
    return case["case"]


def _note_of(vector: TransactionVector) -> str:
    return vector["note"] or vector["hash"][:8]


def _block(text: str) -> Block:
    block = decode_block(text.encode())
    assert isinstance(block, Block)
    return block


def _accounts_of(state: StateVector) -> dict[bytes, Account]:
    return {
        bytes.fromhex(address): Account(balance, state["nonces"].get(address, 0))
        for address, balance in state["balances"].items()
    }


def _run(blocks: Iterable[Block]) -> tuple[BlockRef, dict[bytes, Account]]:
    """The state behind a chain on genesis, at difficulty 0."""
    tip, accounts = WORKSHOP.genesis.ref, dict[bytes, Account]()
    for block in blocks:
        applied = apply_block(EASY_WORKSHOP, tip, lookup(accounts), block)
        assert isinstance(applied, Applied)
        tip, accounts = block.ref, {**accounts, **applied.accounts}
    return tip, accounts


def _case_state() -> tuple[BlockRef, dict[bytes, Account]]:
    return _run(_block(text) for text in _CONTEXT["base_blocks"])


def test_genesis_is_the_field_s() -> None:
    assert WORKSHOP.genesis.raw.decode() == _VECTORS["genesis"]["serialized"]
    assert WORKSHOP.genesis.hash.hex() == _VECTORS["genesis"]["hash"]


@pytest.mark.parametrize("vector", _VECTORS["keys"], ids=lambda vector: vector["public"][:8])
def test_a_public_key_derives_from_its_private_key(vector: KeyVector) -> None:
    private = P192_SHA1.private_key(bytes.fromhex(vector["private"]))
    assert private is not None
    assert private.public.hex() == vector["public"]
    assert private.secret.hex() == vector["private"]


@pytest.mark.parametrize("vector", _VECTORS["keys"], ids=lambda vector: vector["public"][:8])
def test_a_signature_verifies_under_both_encodings_of_its_key(vector: KeyVector) -> None:
    private = P192_SHA1.private_key(bytes.fromhex(vector["private"]))
    assert private is not None
    signature = private.sign(b"message")
    for encoding in (vector["public"], vector["public_uncompressed"]):
        assert P192_SHA1.verify(bytes.fromhex(encoding), signature, b"message")


@pytest.mark.parametrize("vector", _VECTORS["transactions"], ids=_note_of)
def test_a_transaction_s_hash_is_that_of_its_text(vector: TransactionVector) -> None:
    assert sha256(vector["serialized"].encode()).hexdigest() == vector["hash"]


@pytest.mark.parametrize("vector", _VECTORS["transactions"], ids=_note_of)
def test_a_transaction_s_signature_is_its_sender_s(vector: TransactionVector) -> None:
    sender, signature = bytes.fromhex(vector["sender"]), bytes.fromhex(vector["sig"])
    assert P192_SHA1.verify(sender, signature, vector["data_to_sign"].encode())


@pytest.mark.parametrize("vector", _OUT_OF_BOUNDS, ids=_note_of)
def test_a_transaction_out_of_bounds_is_malformed(vector: TransactionVector) -> None:
    violation = decode_transaction(vector["serialized"].encode())
    assert isinstance(violation, Violation)
    assert violation.rule is Rule.MALFORMED


@pytest.mark.parametrize("vector", _IN_BOUNDS, ids=_note_of)
def test_a_transaction_decodes_to_its_fields(vector: TransactionVector) -> None:
    transaction = decode_transaction(vector["serialized"].encode())
    assert isinstance(transaction, Transaction)
    assert transaction.sender.hex() == vector["sender"]
    assert transaction.recipient.hex() == vector["receiver"]
    assert (transaction.nonce, transaction.amount) == (vector["nonce"], vector["amount"])
    assert transaction.signature.hex() == vector["sig"]
    assert transaction.signed.decode() == vector["data_to_sign"]
    assert transaction.id.hex() == vector["hash"]
    assert check_transaction(WORKSHOP, transaction) is None


@pytest.mark.parametrize("vector", _IN_BOUNDS, ids=_note_of)
def test_a_transaction_is_built_byte_for_byte(vector: TransactionVector) -> None:
    built = make_transaction(
        bytes.fromhex(vector["sender"]),
        bytes.fromhex(vector["receiver"]),
        vector["nonce"],
        vector["amount"],
        bytes.fromhex(vector["sig"]),
    )
    assert built.raw.decode() == vector["serialized"]
    assert built.id.hex() == vector["hash"]


@pytest.mark.parametrize("vector", _VECTORS["chain"]["blocks"], ids=lambda v: str(v["number"]))
def test_a_block_decodes_to_its_fields_and_back(vector: BlockVector) -> None:
    block = _block(vector["serialized"])
    assert block.hash.hex() == vector["hash"]
    assert (block.number, block.nonce) == (vector["number"], vector["nonce"])
    assert block.parent_hash.hex() == vector["parent_hash"]
    assert block.coinbase.hex() == vector["coinbase"]
    assert len(block.transactions) == vector["n_transactions"]
    assert block == make_block(
        block.number, block.nonce, block.parent_hash, block.coinbase, block.transactions
    )


@pytest.mark.parametrize("vector", _VECTORS["chain"]["blocks"], ids=lambda v: str(v["number"]))
def test_a_block_has_exactly_the_work_stated(vector: BlockVector) -> None:
    block_hash = bytes.fromhex(vector["hash"])
    assert has_work(block_hash, vector["difficulty"])
    assert has_work(block_hash, vector["leading_zero_hex_digits"])
    assert not has_work(block_hash, vector["leading_zero_hex_digits"] + 1)


@pytest.mark.parametrize("height", range(1, len(_VECTORS["chain"]["blocks"]) + 1))
def test_the_chain_leads_to_the_states_stated(height: int) -> None:
    vectors = _VECTORS["chain"]["blocks"][:height]
    tip, accounts = _run(_block(vector["serialized"]) for vector in vectors)
    state = vectors[-1]["state_after"]
    assert tip == BlockRef(state["block_number"], bytes.fromhex(state["block_hash"]))
    assert accounts == _accounts_of(state)


def test_the_cases_stand_on_the_state_stated() -> None:
    tip, accounts = _case_state()
    state = _CONTEXT["state"]
    assert tip == BlockRef(state["block_number"], bytes.fromhex(state["block_hash"]))
    assert accounts == _accounts_of(state)
    for text in _CONTEXT["base_blocks"]:
        assert check_header(_CASE_NETWORK, _block(text)) is None


@pytest.mark.parametrize("case", _VECTORS["block_cases"], ids=_case_name)
def test_a_block_case_gets_its_verdict(case: Case) -> None:
    tip, accounts = _case_state()
    outcome: Applied | Violation | Block = decode_block(case_bytes(case))
    if isinstance(outcome, Block):
        outcome = apply_block(_CASE_NETWORK, tip, lookup(accounts), outcome)
    rule = outcome.rule if isinstance(outcome, Violation) else None
    assert rule is _BLOCK_VERDICTS[case["expect"]]


def test_a_competing_block_is_valid_on_its_own_parent() -> None:
    (case,) = (case for case in _VECTORS["block_cases"] if "own parent" in case["expect"])
    block = decode_block(case_bytes(case))
    assert isinstance(block, Block)
    parent, accounts = _run(_block(text) for text in _CONTEXT["base_blocks"][:-1])
    assert isinstance(apply_block(_CASE_NETWORK, parent, lookup(accounts), block), Applied)


def _admission(data: bytes, accounts: dict[bytes, Account]) -> Violation | None:
    """What a pool asks of a transaction that comes alone."""
    transaction = decode_transaction(data)
    if isinstance(transaction, Violation):
        return transaction
    return (
        check_transaction(_CASE_NETWORK, transaction)
        or check_policy(_CASE_NETWORK, transaction)
        or check_account(transaction, lookup(accounts)(transaction.sender))
    )


@pytest.mark.parametrize("case", _VECTORS["transaction_cases"], ids=_case_name)
def test_a_transaction_case_gets_its_verdict(case: Case) -> None:
    _, accounts = _case_state()
    violation = _admission(case_bytes(case), accounts)
    assert (violation and violation.rule) is _TRANSACTION_VERDICTS[case["expect"]]


@pytest.mark.parametrize(
    "case",
    [case for case in _VECTORS["transaction_cases"] if case["expect"].startswith("policy")],
    ids=_case_name,
)
def test_a_transaction_against_policy_is_valid_in_a_block(case: Case) -> None:
    tip, accounts = _case_state()
    transaction = decode_transaction(case_bytes(case))
    assert isinstance(transaction, Transaction)
    block = child(tip, bytes(25), [transaction])
    applied = apply_block(EASY_WORKSHOP, tip, lookup(accounts), block)
    assert isinstance(applied, Applied)
    assert applied.accounts[transaction.sender] == Account(balance=0, nonce=1)


@pytest.mark.parametrize(
    "frame",
    [frame for frame in _VECTORS["frames"] if {"transaction", "block"} & frame["fields"].keys()],
    ids=lambda frame: frame["name"],
)
def test_what_a_frame_carries_is_canonical(frame: FrameVector) -> None:
    fields = frame["fields"]
    if "transaction" in fields:
        assert isinstance(decode_transaction(str(fields["transaction"]).encode()), Transaction)
    if "block" in fields:
        assert isinstance(decode_block(str(fields["block"]).encode()), Block)
