"""The composition root: a node on this machine, opened, begun, and stopped in reverse.

Must not live here: who tells whom (`assembly`).
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

from actors.assembly import CREWS, START_ORDER, VERSION, Machine, assemble
from actors.chain.archive import Archive
from actors.chain.checkup import Checkup
from actors.chain.repair import finish, ready_at
from actors.chain.store import Store, StoreError
from actors.config import Settings
from actors.datadir import DataDir, DataDirError
from actors.ledger.keys import PrivateKey
from actors.miner.engines import EnginePlan, NoKernelError, plan_engine
from actors.peers.slots import most_links, outbound_wanted
from actors.runtime.address import ActorDownError
from actors.runtime.clock import ThreadClock
from actors.runtime.dump import dump, where_is
from actors.runtime.journal import FileJournal
from actors.runtime.quarantine import FileCabinet, Quarantine
from actors.runtime.supervisor import Supervisor, ThreadRunner
from actors.runtime.team import ThreadTeam
from actors.tcp.actor import TcpActor
from actors.tcp.adoption import Seats
from actors.tcp.messages import ConnId
from actors.tcp.sockets import ListenError, allow_connections, open_listener

UNSPECIFIED_HOSTS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised, not bound


class StartError(Exception):
    """The node cannot start; the message is one sentence for the user."""


class Node:
    """A node on this machine: its directory, socket, store, threads.

    ``start`` and ``stop`` are for one thread; the addresses are for any.
    """

    def __init__(self, settings: Settings) -> None:
        self._given = settings
        self._resources = ExitStack()
        self._supervisor: Supervisor | None = None
        self._runner: ThreadRunner | None = None

    def start(self) -> None:
        """Open everything and let the actors begin.

        Raises:
            StartError: the directory, the store, the key, the port or the kernel cannot be had.
        """
        try:
            self._open()
            self._begin()
        except (DataDirError, StoreError, ListenError, NoKernelError) as error:
            self.stop()
            raise StartError(str(error)) from error
        except (ActorDownError, TimeoutError) as error:
            self.stop()
            message = f"the node did not come up: {error}"
            raise StartError(message) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the actors in reverse order, each after its message in hand, and let go of the rest."""
        if self._supervisor is not None:
            self._supervisor.stop_members(tuple(reversed(START_ORDER)))
            self._supervisor = None
        self._resources.close()

    def dump(self) -> str:
        """Where each thread is, and what each actor does. Any thread, at any time; waits for nobody."""
        return dump(self._runner)

    def announce_engine(self) -> None:
        """Say in the log what scans for nonces: for a node that has come up, with all around it."""
        self._engine_plan.announce(self.settings.miner.threads)

    def _open(self) -> None:
        given = self._given
        self._engine_plan: EnginePlan = plan_engine(given.miner.kernel)
        self.data_dir = DataDir(given.data_dir)
        self._resources.callback(self.data_dir.close)
        self.wallet: PrivateKey = self.data_dir.wallet_key(given.network.scheme, os.urandom)
        if ready_at(self.data_dir.chain_db).exists():  # the repair was cut off at its last steps
            with self.data_dir.chain_alone():
                finish(self.data_dir.chain_db)
        self._store = Store.open(
            self.data_dir.chain_db, given.network, keep_history=given.chain.keep_history
        )
        self._resources.callback(self._store.close)
        connections = most_links(given.peers.max_peers) + given.tcp.max_unestablished
        allow_connections(connections)
        host, _, port = given.listen.rpartition(":")
        self._listener: socket.socket = open_listener(host, int(port))
        self._resources.callback(self._listener.close)
        bound_port = self._listener.getsockname()[1]
        self.listen_address = f"{host}:{bound_port}"
        self.settings = replace(
            given,
            tcp=replace(
                given.tcp,
                max_connections=connections,
                kept_for_dialed=outbound_wanted(given.peers.max_peers),
            ),
            peers=replace(given.peers, advertise=self._advertised(host, bound_port)),
            miner=replace(given.miner, coinbase=given.miner.coinbase or self.wallet.public),
        )

    def _advertised(self, host: str, bound_port: int) -> str:
        asked_host, _, asked_port = self._given.peers.advertise.rpartition(":")
        if asked_port not in ("", "0"):
            return self._given.peers.advertise
        own = "127.0.0.1" if host in UNSPECIFIED_HOSTS else host
        return f"{asked_host or own}:{bound_port}"

    def _begin(self) -> None:
        self.clock = ThreadClock()
        self._resources.callback(self.clock.stop)
        self.started_s = self.clock.now_s()
        self.archive = Archive(self.data_dir.chain_db, self.settings.network, self.clock)
        self._resources.callback(self.archive.close)
        runner = self._runner = ThreadRunner(self.clock, CREWS)
        self._supervisor, self.addresses = assemble(self.settings, self._machine(runner))
        self._supervisor.watch(partial(where_is, runner))
        self._supervisor.start_members()
        self._supervisor.await_members()
        checkup = Checkup(self.data_dir.chain_db, self.addresses.reader.tell)
        self._resources.callback(checkup.close)

    def _machine(self, runner: ThreadRunner) -> Machine:
        conn_ids, seats = map(ConnId, itertools.count(1)), Seats()
        self._resources.callback(seats.clear)
        return Machine(
            runner=runner,
            clock=self.clock,
            random=random.SystemRandom(),
            team=self._resources.enter_context(closing(ThreadTeam(os.cpu_count() or 1))),
            store=self._store,
            pool_view=self._resources.enter_context(closing(self._store.reader())),
            template_view=self._resources.enter_context(closing(self._store.reader())),
            journal=FileJournal(self.data_dir.mempool),
            bans=FileJournal(self.data_dir.bans),
            addresses=FileJournal(self.data_dir.addresses),
            build_tcp=lambda messaging, me: TcpActor(
                settings=self.settings.tcp,
                listener=self._listener,
                messaging=messaging,
                me=me,
                clock=self.clock,
                conn_ids=conn_ids,
                seats=seats,
            ),
            forget_tcp=seats.clear,
            quarantine=Quarantine(
                FileCabinet(self.data_dir.quarantine), version=VERSION, wall_s=self.clock.wall_s
            ),
            build_engine=lambda miner: self._engine_plan.build(
                miner, self.settings.miner.threads, self.clock.now_s
            ),
        )
