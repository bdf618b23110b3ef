"""Asking actors from the server's event loop: who goes ahead, and who waits for his turn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from actors.chain.messages import GetChain, SubmitBlock
from actors.mempool.messages import GetFunds, GetPool, GetPooled, ListPooled
from actors.runtime.address import Address, Ask
from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox
from admin.asks import Asker

LOOKS = (GetChain(), GetPool(), ListPooled(9), GetPooled(bytes(32)), GetFunds(bytes(33)))


class Busy:
    """An actor with a message of a peer in its mailbox, which deals with all that is there once it is asked."""

    def __init__(self) -> None:
        self.mailbox = Mailbox("busy", FakeClock().now_s)
        self.address: Address[Any] = Address(self.mailbox)
        self.address.tell("of a peer")
        self.mailbox.wake = self._deal
        self._dealt_with: list[object] = []

    def asked(self, asking: Coroutine[Any, Any, Any]) -> list[object]:
        """What it has dealt with, in this order, when somebody has his answer."""
        assert asyncio.run(asking) in ("the answer", ["the answer"])
        return self._dealt_with

    def _deal(self) -> None:
        while not self.mailbox.empty():
            letter = self.mailbox.get()
            self._dealt_with.append(letter.message)
            if letter.reply_to is not None:
                letter.reply_to.set_result("the answer")


@pytest.fixture
def asker() -> Asker:
    return Asker(Address(Mailbox("supervisor", FakeClock().now_s)))


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: type(look).__name__)
def test_who_looks_goes_ahead_of_what_peers_sent(asker: Asker, look: Ask[Any]) -> None:
    busy = Busy()
    assert busy.asked(asker.ask(busy.address, look)) == [look, "of a peer"]
    busy = Busy()
    assert busy.asked(asker.ask_each([(busy.address, look)])) == [look, "of a peer"]


def test_who_changes_something_waits_for_his_turn(asker: Asker) -> None:
    busy, submit = Busy(), SubmitBlock(b"")
    assert busy.asked(asker.ask(busy.address, submit)) == ["of a peer", submit]
