"""Names are resolved one after the other, for as long as somebody waits for them."""

from __future__ import annotations

from queue import Queue
from threading import Event

from actors.tcp.resolver import Resolver

WAIT_S = 30.0


def test_a_name_that_nobody_waits_for_any_more_holds_up_no_other() -> None:
    """Whoever lists names that resolve slowly, if at all, costs the others the one that is under way."""
    wanted, asked, told = {"slow", "given up", "awaited"}, Queue[str](), Queue[str]()
    may_go_on = Event()

    def resolve(host: str) -> str | None:
        asked.put(host)
        assert may_go_on.wait(WAIT_S)
        return None

    resolver = Resolver[str](resolve, lambda key, _ip: told.put(key), wanted.__contains__)
    for name in ("slow", "given up", "awaited"):
        assert resolver.ask(name, name)
    assert asked.get(timeout=WAIT_S) == "slow"
    wanted.discard("given up")
    may_go_on.set()
    assert [told.get(timeout=WAIT_S) for _ in range(2)] == ["slow", "awaited"]
    assert asked.get(timeout=WAIT_S) == "awaited"
    resolver.close()
