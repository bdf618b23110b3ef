from __future__ import annotations

from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox
from actors.runtime.watch import STUCK_S, Watch


class Slow:
    """A message."""


class Scene:
    def __init__(self) -> None:
        self.clock, self.watch = FakeClock(), Watch()
        self.box = Mailbox("chain", self.clock.now_s)

    def after(self, seconds: float) -> dict[str, str]:
        """Who is stuck so much later."""
        self.clock.advance(seconds)
        return self.watch.look([self.box], self.clock.now_s())


def test_who_has_nothing_to_do_is_not_stuck() -> None:
    scene = Scene()
    assert scene.after(0) == scene.after(10 * STUCK_S) == {}


def test_who_is_at_one_letter_for_too_long_is_stuck_in_it() -> None:
    scene = Scene()
    scene.box.post(Slow())
    scene.box.get()
    assert scene.after(0) == scene.after(STUCK_S - 1) == {}
    assert scene.after(1) == {"chain": "stuck in Slow"}


def test_whose_thread_does_not_come_to_his_letters_is_stuck() -> None:
    scene = Scene()
    scene.box.post(Slow())
    scene.after(0)
    assert scene.after(STUCK_S) == {"chain": "stuck: its thread does not come to its letters"}


def test_who_handles_letters_is_not_stuck_however_many_wait() -> None:
    scene = Scene()
    for _ in range(100):
        scene.box.post(Slow())
    for _ in range(10):
        scene.box.get()
        scene.box.finish(scene.clock.now_s())
        assert scene.after(STUCK_S - 1) == {}


def test_who_moves_again_is_not_stuck_any_more() -> None:
    scene = Scene()
    scene.box.post(Slow())
    scene.box.get()
    scene.after(0)
    assert scene.after(STUCK_S)
    scene.box.finish(scene.clock.now_s())
    assert scene.after(1) == {}
