from __future__ import annotations

import queue

from actors.runtime.address import Address
from actors.runtime.clock import COMPACT_ABOVE, FakeClock, ThreadClock
from actors.runtime.mailbox import Mailbox

PATIENCE_S = 30.0


def box_of(clock: FakeClock | ThreadClock) -> tuple[Mailbox, Address[object]]:
    mailbox = Mailbox("timed", clock.now_s)
    return mailbox, Address(mailbox)


def drain(mailbox: Mailbox) -> list[object]:
    return [mailbox.get().message for _ in range(mailbox.qsize())]


def test_timers_fire_in_order_of_time_and_not_before() -> None:
    clock = FakeClock()
    mailbox, address = box_of(clock)
    clock.tell_after(2.0, address, "second")
    clock.tell_after(1.0, address, "first")
    clock.advance(0.999)
    assert drain(mailbox) == []
    clock.advance(2)
    assert drain(mailbox) == ["first", "second"]


def test_timers_of_one_moment_fire_in_the_order_they_were_set() -> None:
    clock = FakeClock()
    mailbox, address = box_of(clock)
    for number in range(5):
        clock.tell_after(1.0, address, number)
    clock.advance(1)
    assert drain(mailbox) == [0, 1, 2, 3, 4]


def test_a_cancelled_timer_does_not_fire() -> None:
    clock = FakeClock()
    mailbox, address = box_of(clock)
    clock.tell_after(1.0, address, "never").cancel()
    clock.advance(5)
    assert drain(mailbox) == []


def test_cancelled_timers_do_not_pile_up() -> None:
    clock = FakeClock()
    _, address = box_of(clock)
    for _ in range(100 * COMPACT_ABOVE):
        clock.tell_after(1000.0, address, "x").cancel()
    assert len(clock._timers._heap) <= COMPACT_ABOVE


def test_a_push_looks_at_all_timers_only_when_they_have_doubled() -> None:
    """A thousand nodes have tens of thousands of timers: found by the simulation of them."""
    clock = FakeClock()
    heaps: list[object] = []
    for _ in range(64 * COMPACT_ABOVE):
        clock.call_after(1000.0, lambda: None)
        if not heaps or heaps[-1] is not clock._timers._heap:
            heaps.append(clock._timers._heap)
    assert len(heaps) <= 8


def test_a_timer_sees_the_time_at_which_it_is_due() -> None:
    clock = FakeClock(now_s=10.0)
    seen: list[float] = []
    clock.call_after(3.0, lambda: seen.append(clock.now_s()))
    clock.advance(100)
    assert seen == [13.0]
    assert clock.now_s() == 110.0


def test_wall_time_moves_with_the_fake_clock() -> None:
    clock = FakeClock(now_s=0.0, wall_s=1_000.0)
    clock.advance(5)
    assert clock.wall_s() == 1_005.0


def test_the_thread_clock_tells_from_its_own_thread_and_stops() -> None:
    clock = ThreadClock()
    told: queue.Queue[object] = queue.Queue()
    mailbox, address = box_of(clock)
    mailbox.wake = lambda: told.put(mailbox.get().message)
    clock.tell_after(3_600.0, address, "never")
    clock.tell_after(0.0, address, "now")
    assert told.get(timeout=PATIENCE_S) == "now"
    clock.tell_after(0.02, address, "later")
    assert told.get(timeout=PATIENCE_S) == "later"
    clock.stop()
    assert told.empty()
