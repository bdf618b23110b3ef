"""A node under attack, between two honest ones; prints what they notice of it.

    python -m tests.soak.hostile [--seconds 60] [--connections 24] [--rate 1000] [--persistent | --polite]

So many hostile connections send so many messages a second each: unknown kinds, garbage, replays, forged,
unfunded and worthless transactions, blocks without work and on nothing, floods of questions, answers that
nobody wants. Whoever is banned comes back a second later under another name; ``--persistent``: at once.
``--polite``: they say only what never earns points, so nobody is ever banned for it.

Blocks that one honest node makes must reach the other, whose only peer is the attacked one. Ends with 1 when
a target is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from troupe.admin.v1 import (
    chain_service_pb2,
    chain_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    transport_service_pb2,
    transport_service_pb2_grpc,
)

from actors.ledger.network import MAIN
from tests.bench.chains import network_file
from tests.bench.client import ClientProcess
from tests.bench.figure import Figure, at_least, at_most, quantile
from tests.support.hostile_arsenal import WORKED
from tests.support.hostile_crowd import Deeds, Plan, attack
from tests.support.process import NodeProcess
from tests.support.usage import cpu_s, held

NETWORK = replace(MAIN, name="hostile", difficulty=3, allow_generate=True)
"""A proof of work of milliseconds: an attacker's blocks must cost as much as ours."""
MB = 1_000_000
RELAY_P99_MS, ADMIN_P99_MS, MEMORY_MB = 500, 50, 300
"""The targets."""
BLOCK_EVERY_S = 0.25
CALL_EVERY_S = 0.01
LOST_AFTER_S = 60.0
"""A block that has not arrived by then is lost."""
QUIET_SHARE = 0.2
"""Of the time, before the attack, for comparison."""


class Chosen(NamedTuple):
    """What is to be done."""

    seconds: float = 60.0
    connections: int = 24
    rate: int = 1_000
    persistent: bool = False
    polite: bool = False
    seed: int = 1


@dataclass
class Seen:
    """What honest nodes and an operator notice in a while."""

    relays_ms: list[float] = field(default_factory=list)
    lost: int = 0
    calls_ms: list[float] = field(default_factory=list)
    failed_calls: int = 0
    memory_mb: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """Of the attacked node; 1 is one processor."""


class Tips:
    """The tips of a node, each with the moment at which it was told of."""

    def __init__(self, node: NodeProcess) -> None:
        self._changed = threading.Condition()
        self._at_s: dict[str, float] = {}
        stub: Any = event_service_pb2_grpc.EventServiceStub(node.channel)
        self._stream = stub.WatchEvents(
            event_service_pb2.WatchEventsRequest(), metadata=node.credentials
        )
        next(self._stream)  # says that the watch has started
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        self._stream.cancel()
        self._thread.join()

    def wait(self, block_hash: str) -> float | None:
        """When it became the tip; None: it did not in time."""
        with self._changed:
            self._changed.wait_for(lambda: block_hash in self._at_s, LOST_AFTER_S)
            return self._at_s.get(block_hash)

    def _read(self) -> None:
        try:
            for response in self._stream:
                now_s, event = time.perf_counter(), response.event
                with self._changed:
                    for block in event.tip_changed.connected:
                        self._at_s[block.hash] = now_s
                    self._changed.notify_all()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.CANCELLED:
                raise


class Scene:
    """The attacked node, an honest one on either side, and who looks at them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        network = ("--network-file", str(network_file(folder, NETWORK)))
        enter = stack.enter_context
        self.attacked = enter(NodeProcess(folder / "attacked", *network))
        alone = ("--peer", self.attacked.listen_address, "--max-peers", "2")  # and no other peer
        self.honest = [
            enter(NodeProcess(folder / name, *network, *alone)) for name in ("left", "right")
        ]
        self.attacked.await_that(lambda: self.attacked.node().peer_count == 2)
        self.tips = [Tips(node) for node in self.honest]
        for tips in self.tips:
            stack.callback(tips.close)
        self._sides = cycle((0, 1))
        left, right = self.honest
        left.generate(WORKED)  # a longer chain than any that the hostile have
        right.await_tip(left.tip_hash())
        right.generate(1)
        left.await_tip(right.tip_hash())

    def watch(self, seconds: float) -> Seen:
        """Make blocks, call and measure for so long."""
        seen, used_s = Seen(), cpu_s(self.attacked.process.pid)
        begun_s = time.perf_counter()
        with self._calling(seen):
            while (elapsed_s := time.perf_counter() - begun_s) < seconds:
                self._relay(seen)
                time.sleep(max(0.0, BLOCK_EVERY_S - (time.perf_counter() - begun_s - elapsed_s)))
                seen.memory_mb.append(held(self.attacked.process.pid).memory_bytes / MB)
        used_s = cpu_s(self.attacked.process.pid) - used_s
        seen.cpu = used_s / (time.perf_counter() - begun_s)
        return seen

    def _relay(self, seen: Seen) -> None:
        """One block, from the news of it on one side to that on the other. To make it is not counted: a scan has
        the lowest priority, and a busy machine no time for it.
        """
        maker = next(self._sides)
        self.honest[maker].generate(1)
        block_hash = self.honest[maker].tip_hash()
        made_s, arrived_s = (self.tips[side].wait(block_hash) for side in (maker, 1 - maker))
        if made_s is None or arrived_s is None:
            seen.lost += 1
        else:
            seen.relays_ms.append(1e3 * max(0.0, arrived_s - made_s))

    @contextmanager
    def _calling(self, seen: Seen) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._call, args=(seen, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _call(self, seen: Seen, over: threading.Event) -> None:
        """GetNode and GetChain of the attacked node by turns."""
        node = self.attacked
        chain = chain_service_pb2_grpc.ChainServiceStub(node.channel)
        about = node_service_pb2_grpc.NodeServiceStub(node.channel)
        calls: Sequence[Callable[[], object]] = (
            lambda: node.call(about.GetNode, node_service_pb2.GetNodeRequest()),
            lambda: node.call(chain.GetChain, chain_service_pb2.GetChainRequest()),
        )
        for call in cycle(calls):
            if over.wait(CALL_EVERY_S):
                return
            begun_s = time.perf_counter()
            try:
                call()
            except grpc.RpcError:
                seen.failed_calls += 1
            seen.calls_ms.append(1e3 * (time.perf_counter() - begun_s))

    def counts(self) -> dict[str, int]:
        """The attacked node's own: bans in force, frames received, connections ended for what reason."""
        node = self.attacked
        peers = peer_service_pb2_grpc.PeerServiceStub(node.channel)
        transport = transport_service_pb2_grpc.TransportServiceStub(node.channel)
        bans = node.call(peers.ListBans, peer_service_pb2.ListBansRequest(page_size=1_000)).bans
        told = node.call(
            transport.GetTransport, transport_service_pb2.GetTransportRequest()
        ).transport
        return {"bans": len(bans), "frames": told.received_frame_count} | {
            f"ended {transport_service_pb2.EndReason.Name(each.reason).removeprefix('END_REASON_')}": each.count
            for each in told.end_counts
        }


def hold_out(chosen: Chosen) -> list[Figure]:
    """The figures of a run."""
    with tempfile.TemporaryDirectory(prefix="troupe-hostile-") as name, ExitStack() as stack:
        scene = Scene(Path(name), stack)
        plan = Plan(
            listen_address=scene.attacked.listen_address,
            network=NETWORK,
            connections=chosen.connections,
            rate=chosen.rate,
            polite=chosen.polite,
            away_s=0.0 if chosen.persistent else 1.0,
            rich=tuple(bytes.fromhex(node.wallet_address()) for node in scene.honest),
            seed=chosen.seed,
        )
        crowd = stack.enter_context(ClientProcess(attack, plan))
        quiet = scene.watch(QUIET_SHARE * chosen.seconds)
        crowd.tell()
        loud = scene.watch(chosen.seconds)
        crowd.tell()
        deeds: Deeds = crowd.hear()
        told = scene.counts()
        state = scene.attacked.node()
        fallen = [line for line in scene.attacked.output if " fell" in line or "Traceback" in line]
        logged = len(scene.attacked.output)
        if state.state == node_service_pb2.NODE_STATE_DEGRADED:
            fallen += state.state_reasons
        print(*fallen[:20], sep="\n", end="", file=sys.stderr)
        return [*_noticed(quiet, loud), *_done(deeds, told, logged, len(fallen))]


def _noticed(quiet: Seen, loud: Seen) -> Iterator[Figure]:
    for when, seen, bounded in (("before", quiet, False), ("under attack", loud, True)):
        for what, values, most in (
            ("block from honest to honest", seen.relays_ms or [math.inf], RELAY_P99_MS),
            ("admin call", seen.calls_ms or [math.inf], ADMIN_P99_MS),
        ):
            yield Figure(f"{what}, {when}, p50", quantile(values, 0.50), "ms")
            target = at_most(most) if bounded else None
            yield Figure(f"{what}, {when}, p99", quantile(values, 0.99), "ms", target)
            yield Figure(f"{what}, {when}, longest", max(values), "ms")
        yield Figure(f"CPU of the node, {when}", 100 * seen.cpu, "%")
    yield Figure("blocks made under attack", len(loud.relays_ms) + loud.lost, "", at_least(1))
    yield Figure("blocks that did not arrive", loud.lost, "", at_most(0))
    yield Figure("admin calls that failed", loud.failed_calls, "", at_most(0))
    yield Figure("memory of the node before", quiet.memory_mb[-1], "MB")
    yield Figure("memory of the node, most", max(loud.memory_mb), "MB", at_most(MEMORY_MB))
    yield Figure("memory of the node at the end", loud.memory_mb[-1], "MB")


def _done(deeds: Deeds, told: dict[str, int], logged: int, fallen: int) -> Iterator[Figure]:
    sent = sum(deeds.sent.values())
    yield Figure("hostile messages sent", sent / deeds.seconds, "1/s")
    yield Figure(
        "hostile messages that the node did not read", deeds.held_back / deeds.seconds, "1/s"
    )
    for name, count in sorted(deeds.sent.items()):
        yield Figure(f"  sent by {name}", count / deeds.seconds, "1/s")
    yield Figure("CPU of the hostile", 100 * deeds.used_s / deeds.seconds, "%")
    yield Figure("hostile connections in all", deeds.connected, "")
    for what, count in told.items():
        yield Figure(f"of the node: {what}", count, "")
    yield Figure("lines in the log", logged, "")
    yield Figure("lines about falls, and reasons to be degraded", fallen, "", at_most(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in Chosen._field_defaults.items():
        if isinstance(default, bool):
            parser.add_argument(f"--{name}", action="store_true")
        else:
            parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--json", action="store_true")
    given = vars(parser.parse_args())
    as_json = given.pop("json")
    figures = hold_out(Chosen(**given))
    if as_json:
        print(json.dumps([figure.data() for figure in figures], indent=2))
    else:
        print(*(figure.line() for figure in figures), sep="\n")
    sys.exit(any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    main()
