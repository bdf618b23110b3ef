"""The tcp actor under connections that take more than their part: of the loop's turns, and of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from actors.config import TcpSettings
from actors.tcp.framing import enframe
from actors.tcp.messages import (
    Answer,
    CloseReason,
    ConnId,
    FramesReceived,
    Handled,
)
from tests.support.tcp_stage import TcpScene
from tests.support.thread_probe import Stage
from tests.support.wire_client import WireClient

MIB = 1024 * 1024
CREDIT = TcpSettings().credit_frames


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as clients:
        yield clients


def house(stage: Stage, limit_bytes: int) -> TcpScene:
    """A room that holds so much of all connections, and of each as much as of all."""
    settings = replace(
        TcpSettings(), buffer_limit_bytes=limit_bytes, unsent_limit_bytes=limit_bytes
    )
    return TcpScene(stage, settings)


def joined(scene: TcpScene, clients: ExitStack) -> tuple[WireClient, ConnId]:
    client, conn = scene.established()
    return clients.enter_context(client), conn


def held_bytes(scene: TcpScene) -> int:
    return scene.transport().held_bytes


def paused(scene: TcpScene) -> int:
    """How many connections are not read."""
    return sum(not each.reading for each in scene.connections())


def told_of(scene: TcpScene, conn: ConnId) -> FramesReceived:
    return scene.messaging.wait_for(FramesReceived, lambda event: event.conn == conn)


# -- turns ------------------------------------------------------------------------------------------


def test_an_honest_frame_is_told_behind_no_more_than_the_credit_of_each_flooder(
    stage: Stage, clients: ExitStack
) -> None:
    scene = TcpScene(stage)
    flooders = [joined(scene, clients) for _ in range(8)]
    honest, conn = joined(scene, clients)
    for client, _ in flooders:
        client.send_raw(enframe([b"flood"] * 5_000))
    for _, flooder in flooders:  # until the credit of each is used up
        got = 0
        while got < CREDIT:
            got += len(told_of(scene, flooder).frames)
        assert got == CREDIT
    honest.send_frame(b"honest")
    told = scene.messaging.wait_for(FramesReceived)  # the next that is told at all
    assert (told.conn, told.frames) == (conn, (b"honest",))


# -- memory -----------------------------------------------------------------------------------------


def test_frames_half_sent_take_no_more_than_there_is_and_small_talk_goes_on(
    stage: Stage, clients: ExitStack
) -> None:
    scene = house(stage, 2 * MIB)
    for _ in range(30):
        client, _ = joined(scene, clients)
        client.send_raw(MIB.to_bytes(4, "big") + bytes(150_000))
    scene.await_that(lambda: held_bytes(scene) >= MIB)
    honest, conn = joined(scene, clients)
    for number in range(200):
        honest.send_frame(b"%d" % number)
        assert scene.frames(conn, 1) == [b"%d" % number]
    scene.await_that(lambda: paused(scene) > 10)
    assert held_bytes(scene) <= 3 * MIB


def test_room_that_comes_back_goes_to_who_was_paused(stage: Stage, clients: ExitStack) -> None:
    scene = house(stage, 2 * MIB)
    flooders = [joined(scene, clients) for _ in range(20)]
    block = bytes(200_000)
    for client, _ in flooders:
        client.send_raw(enframe([block])[:-1])
    scene.await_that(lambda: paused(scene) > 0)
    assert held_bytes(scene) >= MIB
    for client, _ in flooders:
        client.send_raw(b"\0")
    for _ in flooders:
        told = scene.messaging.wait_for(FramesReceived)
        assert told.frames == (block,)
        scene.tell(Handled(told.conn, 1))
    assert held_bytes(scene) == 0


def test_who_takes_no_answers_goes_when_there_is_no_room_for_more(
    stage: Stage, clients: ExitStack
) -> None:
    scene = house(stage, 8 * MIB)
    modest, conn = joined(scene, clients)
    _, greedy = joined(scene, clients)
    scene.tell(*[Answer(greedy, (bytes(MIB),))] * 40)  # of which the system takes a few
    assert scene.reason(greedy) is CloseReason.EVICTED
    scene.tell(Answer(conn, (b"still served",)))
    assert modest.recv_frame() == b"still served"
    assert held_bytes(scene) == 0
