"""Whose frames go into the house, and how many at a time, by connections over socket pairs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from actors.config import TcpSettings
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
from actors.tcp.connection import Connection
from actors.tcp.framing import enframe
from actors.tcp.messages import ConnId, FramesReceived
from actors.tcp.sockets import Endpoint
from actors.tcp.turns import LEAST_FRAMES, MAX_PUT_OFF, ROUND_FRAMES, Turns

SETTINGS = TcpSettings()
FLOODERS = 24
SCRATCH = memoryview(bytearray(64 * 1024))


class House:
    """Turns, and connections that say so many frames each."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources
        self._mailbox = Mailbox("messaging", lambda: 0.0)
        self.turns = Turns(Address(self._mailbox))
        self._conns = 0

    def connection(self, frames: int) -> Connection:
        near, far = socket.socketpair()
        self._resources.callback(near.close)
        self._resources.callback(far.close)
        self._conns += 1
        connection = Connection(
            ConnId(self._conns), near, Endpoint("10.0.0.1", 1), SETTINGS, token=None, now_s=0.0
        )
        connection.establish(0.0)
        far.sendall(enframe([b"x"] * frames))
        assert connection.receive(SCRATCH, 0.0) is None
        self.turns.look_at(connection)
        return connection

    def round(self, *, is_idle: bool = True) -> dict[ConnId, int]:
        """How many frames of whom messaging is told in the next pass; who took part may take part again."""
        self.turns.decide(is_idle=is_idle)
        for connection in self.turns.take():
            self.turns.look_at(connection)
        told: dict[ConnId, int] = {}
        while not self._mailbox.empty():
            message = self._mailbox.get().message
            assert isinstance(message, FramesReceived)
            assert message.conn not in told
            told[message.conn] = len(message.frames)
        return told


@pytest.fixture
def house() -> Iterator[House]:
    with ExitStack() as resources:
        yield House(resources)


def test_whoever_is_alone_has_all_of_its_read_credit_at_once(house: House) -> None:
    connection = house.connection(600)
    assert house.round() == {connection.id: SETTINGS.credit_frames}


def test_an_honest_frame_waits_for_one_round_however_much_others_have_to_say(house: House) -> None:
    for _ in range(FLOODERS):
        house.connection(1_000)
    before = house.round()
    assert len(before) == FLOODERS
    assert sum(before.values()) <= ROUND_FRAMES
    honest = house.connection(1)
    told = house.round()
    assert told[honest.id] == 1
    assert sum(told.values()) <= ROUND_FRAMES


def test_each_of_very_many_has_a_few_frames_in_a_round(house: House) -> None:
    for _ in range(2 * ROUND_FRAMES // LEAST_FRAMES):
        house.connection(2 * LEAST_FRAMES)
    assert set(house.round().values()) == {LEAST_FRAMES}


def test_what_is_handed_on_by_turns_is_all_that_was_said_and_no_more_than_credit_allows(
    house: House,
) -> None:
    talker, flooder = house.connection(100), house.connection(1_000)
    said = {talker.id: 0, flooder.id: 0}
    while told := house.round():
        for conn, frames in told.items():
            said[conn] += frames
    assert said == {talker.id: 100, flooder.id: SETTINGS.credit_frames}


def test_a_round_waits_until_the_thread_is_through_with_the_one_before(house: House) -> None:
    connection = house.connection(1)
    for _ in range(MAX_PUT_OFF):
        assert house.round(is_idle=False) == {}
    assert house.round(is_idle=False) == {connection.id: 1}, "letters that never end are no reason"


def test_the_thread_sleeps_only_if_nobody_waits_for_his_turn(house: House) -> None:
    assert house.turns.decide(is_idle=True) is None
    house.connection(1)
    assert house.turns.decide(is_idle=True) == 0.0
    house.turns.take()
    assert house.turns.decide(is_idle=True) is None
    assert house.turns.decide(is_idle=False) == 0.0


def test_whoever_is_gone_has_no_turn(house: House) -> None:
    connection = house.connection(1)
    house.turns.leave(connection)
    assert house.round() == {}
