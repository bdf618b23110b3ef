"""Actors that share a thread: order, turns, falls and restarts, and that nothing is lost."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.runtime import supervisor
from actors.runtime.actor import NodeActor, Ping
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import ThreadClock
from actors.runtime.crew import LETTERS_IN_A_ROW, LETTERS_PER_TURN, Crew
from actors.runtime.supervisor import ActorState, ListActors, RestartActor, Supervisor, ThreadRunner
from tests.support.adders import Add, Total
from tests.support.crew_stage import (
    CREW,
    PATIENCE_S,
    House,
    Listener,
    Scene,
    Watcher,
    assert_is_set,
    told,
)


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.stop()


# -- letters ----------------------------------------------------------------------------------------


def test_the_members_of_a_crew_play_on_one_thread(scene: Scene) -> None:
    actors = [Listener() for _ in range(3)]
    for number, actor in enumerate(actors):
        assert told(scene.enter(actor, scene.mailbox(str(number)))) == ()
    assert len({thread for actor in actors for thread in actor.threads}) == 1


def test_members_tell_each_other_without_a_change_of_threads_and_in_order(scene: Scene) -> None:
    last = scene.listener("last")
    middle = scene.listener("middle", last.tell)
    first = scene.listener("first", middle.tell)
    numbers = range(3 * LETTERS_PER_TURN)
    for number in numbers:
        first.tell(number)
    for address in (first, middle, last):
        assert told(address) == tuple(numbers)


def test_nothing_is_lost_or_out_of_order_when_many_threads_tell(scene: Scene) -> None:
    tellers, each = 4, 2_000
    addresses = [scene.listener(name) for name in "xyz"]

    def tell(teller: int) -> None:
        for number in range(each):
            addresses[number % 3].tell((teller, number))

    threads = [threading.Thread(target=tell, args=(teller,)) for teller in range(tellers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    heard = [told(address) for address in addresses]
    assert sum(map(len, heard)) == tellers * each
    for messages in heard:
        for teller in range(tellers):
            numbers = [number for who, number in messages if who == teller]
            assert numbers == sorted(numbers)


def test_a_crew_that_sleeps_is_woken_by_every_question(scene: Scene) -> None:
    addresses = [scene.listener(name) for name in "xyz"]
    for number in range(1_000):
        assert told(addresses[number % 3]) == ()


def test_a_member_with_many_letters_leaves_the_others_their_turn(scene: Scene) -> None:
    order: list[str] = []
    box = scene.mailbox("busy")
    for _ in range(3 * LETTERS_IN_A_ROW):
        box.post("busy")
    other = scene.mailbox("other")
    other.post("other")
    begun, begin = threading.Event(), threading.Event()

    def wait(_message: object) -> None:
        begun.set()
        assert_is_set(begin)

    scene.listener("first", wait).tell("wait until all have entered")
    assert_is_set(begun)
    busy = scene.enter(Listener(order.append), box)
    late = scene.enter(Listener(order.append), other)
    begin.set()
    told(busy), told(late)
    assert order.index("other") <= LETTERS_IN_A_ROW


def test_letters_without_end_keep_the_crew_from_waiting_but_not_from_what_it_waits_on(
    scene: Scene,
) -> None:
    diary: list[str] = []
    watcher = scene.enter(Watcher(diary), scene.mailbox("watcher"))
    box = scene.mailbox("restless")
    me: Address[Any] = Address(box)
    scene.enter(Listener(me.tell), box)
    me.tell("again")
    first = watcher.ask(Total(), timeout_s=PATIENCE_S)
    while watcher.ask(Total(), timeout_s=PATIENCE_S) == first:
        """It had no turn yet; the test's time limit is the bound."""


# -- lives ------------------------------------------------------------------------------------------


def test_a_member_that_falls_is_restarted_on_the_same_thread_and_the_others_go_on() -> None:
    with House() as house:
        house.at["b"].tell(Add(3))
        house.at["a"].tell(Add(-1))
        house.at["a"].tell(Add(5))
        assert (house.total("a"), house.total("b")) == (5, 3)
        assert house.diaries["a"] == ["start", "crash", "start"]
        assert house.diaries["b"] == ["start"]
        assert house.threads() == 1


def test_the_crew_goes_on_without_the_one_whose_wait_it_shared() -> None:
    with House() as house:
        for _ in range(4):  # more falls than are forgiven: it rests
            house.at["watcher"].tell(Add(-1))
        while house.diaries["watcher"].count("crash") < 4:
            assert house.total("a") == 0
        for number in range(100):
            house.at["a"].tell(Add(1))
            assert house.total("b") == 0
            assert house.total("a") == number + 1
        house.supervisor.address.ask(RestartActor("watcher"), timeout_s=PATIENCE_S)
        assert house.total("watcher") >= 0
        assert house.total("a") == 100


def test_a_bug_in_the_wait_is_a_fall_of_who_waits() -> None:
    with House() as house:
        house.at["watcher"].tell("bug")
        while house.diaries["watcher"] != ["start", "crash", "start"]:
            assert house.total("a") == 0
        reports = house.supervisor.address.ask(ListActors(), timeout_s=PATIENCE_S)
        errors = {each.name: each.last_error for each in reports}
        assert errors["watcher"] == "ZeroDivisionError in Waiting: "
        assert errors["a"] is None
        assert house.total("watcher") > 0


def test_a_member_that_falls_in_on_start_leaves_the_others_be() -> None:
    class Stillborn(NodeActor):
        def on_start(self) -> None:
            raise RuntimeError

    with House() as house:
        house.at["b"].tell(Add(1))
        house.supervisor.enlist("a", Stillborn)
        reports = house.supervisor.address.ask(RestartActor("a"), timeout_s=PATIENCE_S)
        assert reports is not None
        assert [each.state for each in reports] == [ActorState.RESTARTING]
        assert house.total("b") == 1


def test_letters_wait_for_a_member_that_has_not_entered_yet(scene: Scene) -> None:
    box = scene.mailbox("late")
    late: Address[Any] = Address(box)
    other = scene.listener("other")
    late.tell("early")
    assert told(other) == ()  # the crew has looked, and found nobody for it
    late.tell("later")
    scene.enter(Listener(), box)
    assert told(late) == ("early", "later")


def test_a_halt_keeps_the_queue_for_the_next_incarnation(scene: Scene) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def linger(message: object) -> None:
        if message == "linger":
            entered.set()
            assert go_on.wait(PATIENCE_S)

    box = scene.mailbox("a")
    first = Listener(linger)
    a = scene.enter(first, box)
    a.tell("linger")
    assert entered.wait(PATIENCE_S)
    a.tell("kept")
    first.halt()
    go_on.set()
    assert first.ended.wait(PATIENCE_S)
    scene.enter(Listener(), box)
    assert told(a) == ("kept",)


def test_the_thread_ends_with_the_last_member_and_begins_with_the_next() -> None:
    def crews() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name == "troupe-scene"}

    scene = Scene()
    for _ in range(20):
        actor = Listener()
        address = scene.enter(actor, scene.mailbox("a"))
        assert told(address) == ()
        actor.halt()
        assert actor.ended.wait(PATIENCE_S)
    last = crews()
    scene.stop()
    for thread in last:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert crews() == set()


def test_stopping_leaves_no_thread_even_while_a_member_falls() -> None:
    for _ in range(10):
        before = set(threading.enumerate())
        with House() as house, contextlib.suppress(RuntimeError):
            house.at["a"].tell(Add(-1))
            house.at["watcher"].tell("bug")
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def last_errors(house: House) -> dict[str, str | None]:
    reports = house.supervisor.address.ask(ListActors(), timeout_s=PATIENCE_S)
    return {each.name: each.last_error for each in reports}


@pytest.mark.parametrize("exception", [SystemExit, KeyboardInterrupt, MemoryError, RecursionError])
def test_whatever_is_raised_fells_only_the_member_that_raised_it(
    exception: type[BaseException],
) -> None:
    def leave(_message: object) -> None:
        raise exception

    with House() as house:
        house.supervisor.enlist("a", lambda: Listener(leave))
        house.supervisor.address.ask(RestartActor("a"), timeout_s=PATIENCE_S)
        house.at["b"].tell(Add(1))
        with pytest.raises(ActorDownError):
            house.at["a"].ask(Total(), timeout_s=PATIENCE_S)
        house.at["a"].ask(Ping(), timeout_s=PATIENCE_S)
        assert house.total("b") == 1
        errors = last_errors(house)
        assert errors["a"] == f"{exception.__name__} in Total: "
        assert {errors[name] for name in errors if name != "a"} == {None}


def test_an_exit_in_on_start_in_on_crash_or_in_the_wait_is_a_fall_as_well() -> None:
    class Leaving(Watcher):
        def on_start(self) -> None:
            super().on_start()
            if self._diary.count("start") == 2:
                raise SystemExit

        def on_crash(self) -> None:
            super().on_crash()
            raise SystemExit

        def wait(self, is_idle: Callable[[], bool]) -> None:
            if self._bug:
                raise SystemExit
            super().wait(is_idle)

    with House() as house:
        diary: list[str] = []
        house.supervisor.enlist("watcher", lambda: Leaving(diary))
        house.supervisor.address.ask(RestartActor("watcher"), timeout_s=PATIENCE_S)
        house.at["watcher"].tell("bug")  # falls in its wait, and then in on_start
        while diary != ["start", "crash", "start", "crash", "start"]:
            assert house.total("a") == 0
        assert house.total("watcher") > 0
        assert house.total("b") == 0


def test_a_bug_in_the_crew_is_the_fall_of_each_member_and_all_begin_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with House() as house:
        house.at["b"].tell(Add(1))
        house.at["alone"].tell(Add(1))
        assert house.total("b") == 1
        bugs = [ZeroDivisionError("a bug")]
        turn = Crew._turn

        def with_bug(crew: Crew) -> None:
            if bugs and crew.name == "crew":
                raise bugs.pop()
            turn(crew)

        monkeypatch.setattr(Crew, "_turn", with_bug)
        house.at["a"].tell(Add(1))
        while house.diaries["watcher"] != ["start", "crash", "start"]:
            house.supervisor.address.ask(ListActors(), timeout_s=PATIENCE_S)
        house.at["a"].ask(Ping(), timeout_s=PATIENCE_S)
        assert (house.total("b"), house.total("alone")) == (0, 1)
        errors = last_errors(house)
        failure = "CrewFailedError in Playing: ZeroDivisionError('a bug')"
        assert {errors[name] for name in CREW} == {failure}
        assert errors["alone"] is None


def test_a_member_that_is_stopped_too_late_still_comes_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "STOP_TIMEOUT_S", 0.0)
    go_on, entered = threading.Event(), threading.Event()

    def linger(_message: object) -> None:
        entered.set()
        assert go_on.wait(PATIENCE_S)

    slow = Listener(linger)
    clock = ThreadClock()
    troupe = Supervisor(ThreadRunner(clock), clock)
    troupe.enlist("slow", lambda: slow)
    troupe.start_members()
    Address[Any](troupe.mailbox("slow")).tell("take long")
    assert entered.wait(PATIENCE_S)
    troupe.stop_members(("slow",))
    assert not slow.ended.is_set()
    go_on.set()
    assert slow.ended.wait(PATIENCE_S)
    clock.stop()
