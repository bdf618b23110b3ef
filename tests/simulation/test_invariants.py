"""The invariants find what breaks them: each bug planted here ends the run, with its place and its command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.chain.messages import GetChain
from actors.chain.store import Store
from actors.gossip.seen import SeenKeys
from actors.ledger import state
from actors.ledger.network import Network
from actors.ledger.types import Account
from actors.ledger.violation import Rule, Violation
from actors.mempool.actor import MempoolActor
from actors.peers.messages import Misbehaved, PeerId
from actors.simulation.disk import SimStore
from actors.simulation.host import SimHost
from actors.simulation.play import Play
from actors.simulation.report import Report
from actors.simulation.scenario import Scenario, Trouble, Troubles, Window
from actors.simulation.watch import POISON
from actors.simulation.world import SIM_NETWORK

SHORT = Scenario(seed=2, minutes=1.0, block_every_s=4.0, transactions_per_s=1.0)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def violation_of(scenario: Scenario) -> str:
    report = Play(scenario).run()
    assert report.violation is not None
    return report.violation


def test_an_account_that_is_stored_wrong_is_found_at_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pays_one_more(self: Any, run: Any) -> None:
        append(
            self,
            [
                (block, {who: Account(has.balance + 1, has.nonce) for who, has in accounts.items()})
                for block, accounts in run
            ],
        )

    append = Store._append
    monkeypatch.setattr(Store, "_append", pays_one_more)
    assert "account" in violation_of(SHORT)


def test_an_account_that_nobody_touched_is_found_in_the_audit() -> None:
    played = Play(SHORT)

    def spoil() -> None:
        node = played.world.nodes[1]
        node.store.connection.execute("INSERT INTO accounts VALUES (?, 1, 7, 0)", (bytes(32),))

    played._at(played.begun_s + 59.0, spoil)
    report = played.run()
    assert report.violation is not None
    assert f"account {bytes(32).hex()[:12]}" in report.violation


def test_a_reward_that_is_too_high_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(network: Network, *args: Any, **options: Any) -> Any:
        return apply(replace(network, block_reward=network.block_reward + 1), *args, **options)

    apply = state.apply_block
    for user in ("actors.chain.replay", "actors.chain.tree"):
        monkeypatch.setattr(f"{user}.apply_block", generous)
    reward = SIM_NETWORK.block_reward
    found = violation_of(SHORT)
    assert f"balance={reward + 1}," in found
    assert f"not Account(balance={reward}," in found


@pytest.mark.parametrize(
    ("rule", "words"),
    [(Rule.BALANCE, "negative"), (Rule.NONCE_GAP, "nonce"), (Rule.SIGNATURE, "signature")],
)
def test_a_rule_that_nodes_forget_is_found(
    monkeypatch: pytest.MonkeyPatch, rule: Rule, words: str
) -> None:
    def forgetful(check: Callable[..., Violation | None]) -> Callable[..., Violation | None]:
        def forgets(*args: Any, **options: Any) -> Violation | None:
            violation = check(*args, **options)
            return None if violation is not None and violation.rule is rule else violation

        return forgets

    monkeypatch.setattr(state, "check_account", forgetful(state.check_account))
    for user in ("actors.ledger.state", "actors.chain.signatures"):
        monkeypatch.setattr(f"{user}.check_transaction", forgetful(state.check_transaction))
    lying = Scenario(seed=4, minutes=2.0, block_every_s=4.0, liars=1, lies=("invalid-blocks",))
    assert words in violation_of(lying)


def test_a_fall_that_nobody_caused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr(SeenKeys, "expire", fails)
    assert "gossip fell: RuntimeError('a bug')" in violation_of(SHORT)


def test_a_fall_beside_one_that_was_caused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a fault looks like is excused by it."""

    def fails(*_: object) -> None:
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr(SeenKeys, "expire", fails)
    everybody = tuple(Window(1.0 + index, 2.0 + index, (index,)) for index in range(5))
    troubled = replace(SHORT, troubles={Trouble.FALL: Troubles(windows=everybody)})
    assert "gossip fell: RuntimeError('a bug')" in violation_of(troubled)


def test_a_fall_at_the_end_of_an_orderly_stop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mempool stops when the chain has fallen."""

    def fails(_: object) -> None:
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr(MempoolActor, "on_stop", fails)
    played = Play(SHORT)

    def fell_chain() -> None:
        played.watch.excuse(1, 0.0)
        played.world.nodes[1].addresses.chain.tell(POISON)  # type: ignore[arg-type]

    played._at(played.begun_s + 20.0, fell_chain)
    assert played.run().violation == "node 1: mempool fell: RuntimeError('a bug')"


def test_a_node_that_stays_degraded_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falls that were caused are excused for a while, and no longer."""
    falls = tuple(Window(5.0 + i, 6.0 + i, (2,)) for i in range(6))
    troubled = Scenario(seed=1, minutes=1.0, troubles={Trouble.FALL: Troubles(windows=falls)})
    played = Play(troubled)
    assert played.run().violation is None
    played.watch._seen[2].excused_until_s = 0.0
    supervisor = played.world.nodes[2].stage.actors["supervisor"]
    monkeypatch.setattr(supervisor, "on_receive", lambda _question: ("chain: it rests",))
    with pytest.raises(BaseException, match="still degraded"):
        played.watch.audit()


def test_a_ban_among_the_honest_is_found() -> None:
    played = Play(SHORT)
    one, other = played.world.nodes[:2]

    def slander() -> None:
        one.addresses.peers.tell(Misbehaved(PeerId(other.name), 100, "nothing"))

    played._at(played.begun_s + 20.0, slander)
    report = played.run()
    assert report.violation is not None
    assert f"banned {other.name.partition(':')[0]}" in report.violation
    assert report.blamed_honest == (("nothing", 100),)


def test_letters_that_pile_up_are_found() -> None:
    played = Play(SHORT)

    def flood() -> None:
        address: Any = played.world.nodes[0].addresses.chain
        for _ in range(10_000):
            address.tell(GetChain())

    played._at(played.begun_s + 20.0, flood)
    report = played.run()
    assert report.violation is not None
    assert "letters wait for chain" in report.violation


def test_a_commit_that_a_power_cut_takes_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(self: SimStore, network: Any) -> SimStore:
        with self.aside(), self.transaction():
            self.disconnect_above(self.tip().number - 1)
        return reopened(self, network)

    reopened = SimStore.reopened
    monkeypatch.setattr(SimStore, "reopened", forgets)
    cut = {Trouble.CRASH: Troubles(windows=(Window(30.0, 40.0, (1,)),))}
    crash = Scenario(seed=3, minutes=1.0, block_every_s=4.0, troubles=cut)
    assert "was committed before the power cut and is gone" in violation_of(crash)


def test_honest_nodes_that_differ_to_the_end_are_found() -> None:
    """A partition that nobody heals."""
    played = Play(Scenario(seed=1, minutes=0.5, block_every_s=4.0))
    played._at(
        played.begun_s + 5.0, lambda: played.world.wire.partition({played.world.nodes[1].name: 1})
    )
    played.world.wire.heal = lambda: None  # type: ignore[method-assign]
    report = played.run()
    assert report.violation is not None
    assert "do not agree" in report.violation


def test_a_violation_says_when_and_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr(SeenKeys, "expire", fails)
    first, second = Play(SHORT).run(), Play(SHORT).run()
    assert isinstance(first, Report)
    assert first == second
    assert first.events > 0


def test_nodes_that_do_not_dial_again_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def dials_at_the_start_alone(self: SimHost, command: Any) -> None:
        if played.world.clock.now_s() < played.begun_s + 5.0:
            connect(self, command)

    connect = SimHost.connect
    monkeypatch.setattr(SimHost, "connect", dials_at_the_start_alone)
    cut = {Trouble.PARTITION: Troubles(windows=(Window(10.0, 20.0, (1,)),))}
    played = Play(replace(SHORT, troubles=cut))
    report = played.run()
    assert report.violation is not None
    assert "do not agree" in report.violation


def test_a_set_that_outgrows_its_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation asks the rooms for their sizes: here one says that it remembers too much."""
    monkeypatch.setattr("actors.gossip.actor.SEEN_CAPACITY", 3)
    assert "are remembered, 3 may be" in violation_of(SHORT)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("MAX_BANS", "bans are kept"),
        ("MAX_IN_FLIGHT", "requests are in flight"),
        ("MAX_ORPHANS", "orphans are held"),
        ("MAX_ROUTES", "searches are remembered"),
    ],
)
def test_every_room_is_held_to_its_bound(
    monkeypatch: pytest.MonkeyPatch, bound: str, words: str
) -> None:
    """Where nothing at all may be held, what is there is too much."""
    monkeypatch.setattr(f"actors.simulation.bounds.{bound}", -1)
    assert words in violation_of(SHORT)
