"""The mempool and those who flood it with forged signatures: they are found out early, and nobody else pays."""

from __future__ import annotations

from actors.gossip.messages import Decision
from actors.ledger.codec import make_transaction
from actors.ledger.keys import ED25519
from actors.ledger.types import Account
from actors.mempool.actor import BAD_SIGNATURE_POINTS, JUDGED_TOGETHER, MAX_FORGED
from actors.mempool.messages import GetPool
from actors.messaging.messages import Response
from actors.peers.messages import ConnectionMisbehaved
from actors.tcp.messages import ConnId
from tests.support.counting_team import CountingTeam
from tests.support.ledger import key, transfer
from tests.support.mempool import BOB, PAYEE
from tests.support.mempool_stage import CONN, MempoolStage

FLOOD = 256
"""What one connection's read credit lets in."""
OTHER = ConnId(9)


def rich_house() -> tuple[MempoolStage, CountingTeam]:
    """One in which ``forged`` senders have what they seem to spend, so that their signatures are looked at."""
    team = CountingTeam()
    house = MempoolStage(team=team)
    for number in range(FLOOD):
        house.accounts[key(ED25519, f"rich{number}").public] = Account(10**6)
    house.forget()
    return house, team


def forged(count: int) -> list[bytes]:
    """Of senders who have not signed them."""
    senders = (key(ED25519, f"rich{number}").public for number in range(count))
    return [make_transaction(sender, PAYEE, 0, 1, bytes(64)).raw for sender in senders]


def good(count: int) -> list[bytes]:
    return [transfer(BOB, PAYEE, nonce, 1).raw for nonce in range(count)]


def test_of_a_forger_no_more_is_verified_than_a_part_and_the_rest_is_dropped() -> None:
    house, team = rich_house()
    decisions = house.gossiped(*forged(FLOOD))
    assert sum(team.shifts) == JUDGED_TOGETHER
    assert decisions[:JUDGED_TOGETHER] == (Decision.FINAL,) * JUDGED_TOGETHER
    assert decisions[JUDGED_TOGETHER:] == (Decision.UNHEARD,) * (FLOOD - JUDGED_TOGETHER)
    (blamed,) = house.peers.take()
    assert blamed.conn == CONN
    assert blamed.points >= MAX_FORGED * BAD_SIGNATURE_POINTS >= 100


def test_what_a_forger_hides_among_his_forgeries_can_come_from_others() -> None:
    house, _ = rich_house()
    hidden = good(16)
    assert Decision.RELAY not in house.gossiped(*forged(JUDGED_TOGETHER), *hidden)
    assert house.gossiped(*hidden) == (Decision.RELAY,) * 16


def test_some_bad_signatures_do_not_cost_a_peer_its_good_transactions() -> None:
    house, _ = rich_house()
    decisions = house.gossiped(*forged(MAX_FORGED - 1), *[b"nonsense"] * FLOOD, *good(16))
    assert decisions.count(Decision.RELAY) == 16


def test_who_holds_forged_transactions_answers_for_them_by_its_connection() -> None:
    house, _ = rich_house()
    house.tell(Response(0, OTHER, b"\n".join((*forged(3), *good(2)))))
    points = 3 * BAD_SIGNATURE_POINTS
    assert house.peers.take() == [ConnectionMisbehaved(OTHER, points, "a bad signature")]
    assert house.ask(GetPool()).pending == 2


def test_a_pool_of_forgeries_is_given_up_early() -> None:
    house, team = rich_house()
    house.tell(Response(0, OTHER, b"\n".join(forged(FLOOD))))
    assert sum(team.shifts) == JUDGED_TOGETHER


def test_transactions_of_senders_without_funds_cost_no_verification_once_their_share_is_full() -> (
    None
):
    house, team = rich_house()
    count = 600 + 3 * FLOOD
    poor = [
        make_transaction(key(ED25519, f"poor{number}").public, PAYEE, 0, 0, bytes(64)).raw
        for number in range(count)
    ]
    broke = [transfer(key(ED25519, f"broke{n}"), PAYEE, 0, 0).raw for n in range(600)]
    assert set(house.gossiped(*broke)) == {Decision.RELAY}
    before = sum(team.shifts)
    assert set(house.gossiped(*poor)) == {Decision.DROP}
    assert sum(team.shifts) == before
    assert house.gossiped(*good(16)) == (Decision.RELAY,) * 16
