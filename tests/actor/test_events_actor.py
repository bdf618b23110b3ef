from __future__ import annotations

from actors.runtime.clock import FakeClock
from actors.runtime.events import (
    KEPT_EVENTS,
    KEPT_WEIGHT,
    MAX_FOLLOWERS,
    Event,
    EventsActor,
    Expired,
    Follow,
    GetPosition,
    Happened,
    Kept,
    ListKept,
    Unfollow,
)
from actors.runtime.pump import Pump
from tests.support.probe import stage


class Scene:
    """An events actor alone under the pump."""

    def __init__(self) -> None:
        self.clock = FakeClock(wall_s=5_000.0)
        self.pump = Pump(1, self.clock)
        self.events = stage(self.pump, "events", lambda _me: EventsActor("run-1", self.clock))
        self.heard: list[Event] = []

    def happen(self, *bodies: object) -> None:
        for body in bodies:
            self.events.tell(Happened(body))
        self.pump.run_until_idle()

    def follow(
        self, after: int | None = None, epoch: str | None = None, token: object = 1
    ) -> object:
        return self.pump.ask(self.events, Follow(token, self.heard.append, after, epoch))


def test_events_are_numbered_from_one_and_dated() -> None:
    scene = Scene()
    scene.follow()
    scene.happen("a", "b")
    assert [(e.sequence, e.epoch, e.at_s, e.body) for e in scene.heard] == [
        (1, "run-1", 5_000.0, "a"),
        (2, "run-1", 5_000.0, "b"),
    ]


def test_a_follower_without_a_position_hears_only_what_comes() -> None:
    scene = Scene()
    scene.happen("before")
    assert scene.follow() == ()
    scene.happen("after")
    assert [event.body for event in scene.heard] == ["after"]


def test_a_follower_resumes_behind_its_position_without_gap_or_repeat() -> None:
    scene = Scene()
    scene.happen("a", "b", "c")
    kept = scene.follow(after=1, epoch="run-1")
    assert isinstance(kept, tuple)
    scene.happen("d")
    assert [event.body for event in (*kept, *scene.heard)] == ["b", "c", "d"]


def test_a_position_no_longer_kept_is_refused_with_the_oldest_one() -> None:
    scene = Scene()
    scene.happen(*range(KEPT_EVENTS + 5))
    assert scene.follow(after=4) == Expired(6, KEPT_EVENTS + 5, "run-1")
    kept = scene.follow(after=5)
    assert isinstance(kept, tuple)
    assert len(kept) == KEPT_EVENTS


def test_events_that_list_much_are_kept_by_their_weight() -> None:
    scene = Scene()
    for _ in range(10):
        scene.events.tell(Happened("blocks", KEPT_WEIGHT // 4))
    scene.pump.run_until_idle()
    assert scene.follow(after=5) == Expired(7, 10, "run-1")
    kept = scene.follow(after=6)
    assert isinstance(kept, tuple)
    assert len(kept) == 4


def test_the_newest_event_is_kept_whatever_it_weighs() -> None:
    scene = Scene()
    scene.events.tell(Happened("all of it", 2 * KEPT_WEIGHT))
    scene.pump.run_until_idle()
    kept = scene.follow(after=0)
    assert isinstance(kept, tuple)
    assert len(kept) == 1


def test_a_position_of_another_run_or_of_the_future_is_refused() -> None:
    scene = Scene()
    scene.happen("a")
    assert isinstance(scene.follow(after=1, epoch="run-0"), Expired)
    assert isinstance(scene.follow(after=2), Expired)


def test_an_unfollowed_follower_hears_nothing_more() -> None:
    scene = Scene()
    scene.follow(token="t")
    scene.events.tell(Unfollow("t"))
    scene.happen("a")
    assert scene.heard == []


def test_followers_are_bounded() -> None:
    scene = Scene()
    for token in range(MAX_FOLLOWERS):
        assert scene.follow(token=token) == ()
    assert scene.follow(token="one too many") is None


def test_the_position_is_the_newest_sequence_of_this_run() -> None:
    scene = Scene()
    scene.happen("a", "b")
    assert scene.pump.ask(scene.events, GetPosition()) == ("run-1", 2)


def numbers(answer: object) -> list[int]:
    assert isinstance(answer, Kept)
    return [event.sequence for event in answer.events]


def test_the_kept_events_are_listed_in_parts() -> None:
    scene = Scene()
    scene.happen(*"abcde")
    first = scene.pump.ask(scene.events, ListKept(2))
    assert numbers(first) == [1, 2]
    assert isinstance(first, Kept)
    assert (first.newest, first.epoch) == (5, "run-1")
    assert numbers(scene.pump.ask(scene.events, ListKept(2, after=4, epoch="run-1"))) == [5]
    assert numbers(scene.pump.ask(scene.events, ListKept(2, after=5))) == []


def test_a_listing_without_a_position_begins_with_the_oldest_that_is_kept() -> None:
    scene = Scene()
    assert numbers(scene.pump.ask(scene.events, ListKept(10))) == []
    scene.happen(*range(KEPT_EVENTS + 5))
    assert numbers(scene.pump.ask(scene.events, ListKept(2))) == [6, 7]


def test_a_listing_from_what_is_not_kept_is_refused_with_the_oldest() -> None:
    scene = Scene()
    scene.happen(*range(KEPT_EVENTS + 5))
    expired = Expired(6, KEPT_EVENTS + 5, "run-1")
    assert scene.pump.ask(scene.events, ListKept(2, after=4)) == expired
    assert scene.pump.ask(scene.events, ListKept(2, after=10, epoch="run-0")) == expired
    assert scene.pump.ask(scene.events, ListKept(2, after=KEPT_EVENTS + 6)) == expired
