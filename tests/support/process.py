"""Real nodes in processes of their own, and waits that look until something is so."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from troupe.admin.v1 import (
    chain_service_pb2,
    chain_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    mempool_service_pb2,
    mempool_service_pb2_grpc,
    miner_service_pb2,
    miner_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    wallet_service_pb2,
    wallet_service_pb2_grpc,
)

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")},
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
    "PYTHONUNBUFFERED": "1",
}
TROUPE = (sys.executable, "-m", "admin.cli.main")
START_TIMEOUT_S = 120.0
WAIT_TIMEOUT_S = 150.0
CALL_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.01

EASY_TOML = """\
name = "easy"
key_scheme = "ed25519"
difficulty = 3
block_reward = 10000
max_transactions_per_block = 10
genesis_coinbase = "{coinbase}"
allow_generate = true
""".format(coinbase="00" * 32)


def easy_network_file(folder: Path) -> Path:
    """A network file of difficulty 3: a block every few milliseconds."""
    path = folder / "easy.toml"
    path.write_text(EASY_TOML)
    return path


def troupe(*arguments: str, timeout_s: float = 240.0) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end."""
    return subprocess.run(
        (*TROUPE, *arguments),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


class NodeProcess:
    """A ``troupe run`` process; a context manager that leaves nothing running.

    Args:
        program: What to run in place of ``troupe``.
    """

    def __init__(self, data_dir: Path, *arguments: str, program: tuple[str, ...] = TROUPE) -> None:
        self.data_dir = data_dir
        command = (*program, "run", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0")
        self.process = subprocess.Popen(
            (*command, "--admin", "127.0.0.1:0", *arguments),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._serving: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._channel: grpc.Channel | None = None
        try:
            self.admin_address = self._await_admin()
            self.listen_address = self.node().listen_address
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if self.process.poll() is None:
            self.kill()

    # -- its life ---------------------------------------------------------------------------------

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and return its exit code."""
        self.close()
        self.process.send_signal(with_signal)
        return self._end()

    def kill(self) -> None:
        """``kill -9``."""
        self.close()
        self.process.kill()
        self._end()

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _end(self) -> int:
        code = self.process.wait(START_TIMEOUT_S)
        self._reader.join(START_TIMEOUT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if (match := re.search(r"admin address\s+(127\.0\.0\.1:\d+)", line)) is not None:
                self._serving.put(match[1])
        self._serving.put(None)

    def _await_admin(self) -> str:
        address = self._serving.get(timeout=START_TIMEOUT_S)
        if address is None:
            message = "the node did not start:\n" + "".join(self.output)
            raise AssertionError(message)
        return address

    # -- its admin API ----------------------------------------------------------------------------

    @property
    def channel(self) -> grpc.Channel:
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.admin_address)
        return self._channel

    @property
    def credentials(self) -> tuple[tuple[str, str], ...]:
        token = (self.data_dir / "admin.token").read_text().strip()
        return (("authorization", f"Bearer {token}"),)

    def call(self, method: Callable[..., T], request: Any, timeout_s: float = CALL_TIMEOUT_S) -> T:
        return method(request, metadata=self.credentials, timeout=timeout_s)

    def node(self) -> node_service_pb2.Node:
        stub = node_service_pb2_grpc.NodeServiceStub(self.channel)
        return self.call(stub.GetNode, node_service_pb2.GetNodeRequest()).node

    def height(self) -> int:
        return self.node().tip.number

    def tip_hash(self) -> str:
        return self.node().tip.hash

    def block_hash(self, number: int) -> str:
        stub = chain_service_pb2_grpc.ChainServiceStub(self.channel)
        request = chain_service_pb2.GetBlockRequest(number=number)
        return self.call(stub.GetBlock, request).block.hash

    def account(self, address: str, at_number: int | None = None) -> tuple[int, int]:
        stub = chain_service_pb2_grpc.ChainServiceStub(self.channel)
        request = chain_service_pb2.GetAccountRequest(address=address, at_number=at_number)
        account = self.call(stub.GetAccount, request).account
        return account.balance, account.nonce

    def wallet_address(self) -> str:
        stub = wallet_service_pb2_grpc.WalletServiceStub(self.channel)
        return self.call(stub.GetAddress, wallet_service_pb2.GetAddressRequest()).address

    def transfer(self, recipient: str, amount: int) -> str:
        stub = wallet_service_pb2_grpc.WalletServiceStub(self.channel)
        request = wallet_service_pb2.TransferRequest(recipient=recipient, amount=amount)
        return self.call(stub.Transfer, request).transaction.id

    def included(self, tx_id: str) -> bool:
        stub = chain_service_pb2_grpc.ChainServiceStub(self.channel)
        try:
            self.call(stub.GetTransaction, chain_service_pb2.GetTransactionRequest(id=tx_id))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return True

    def pooled(self) -> set[str]:
        stub = mempool_service_pb2_grpc.MempoolServiceStub(self.channel)
        request = mempool_service_pb2.ListTransactionsRequest(page_size=1000)
        listed = self.call(stub.ListTransactions, request).transactions
        return {entry.transaction.id for entry in listed}

    def generate(self, count: int) -> None:
        stub = miner_service_pb2_grpc.MinerServiceStub(self.channel)
        request = miner_service_pb2.GenerateBlocksRequest(count=count)
        assert len(list(self.call(stub.GenerateBlocks, request, WAIT_TIMEOUT_S))) >= count

    def mine(self) -> None:
        stub = miner_service_pb2_grpc.MinerServiceStub(self.channel)
        self.call(stub.StartMining, miner_service_pb2.StartMiningRequest())

    def rest(self) -> None:
        stub = miner_service_pb2_grpc.MinerServiceStub(self.channel)
        self.call(stub.StopMining, miner_service_pb2.StopMiningRequest())

    def connect(self, other: NodeProcess) -> None:
        stub = peer_service_pb2_grpc.PeerServiceStub(self.channel)
        request = peer_service_pb2.ConnectPeerRequest(address=other.listen_address)
        self.call(stub.ConnectPeer, request)

    @contextmanager
    def events(self) -> Iterator[Iterator[Any]]:
        stub = event_service_pb2_grpc.EventServiceStub(self.channel)
        stream: Any = stub.WatchEvents(
            event_service_pb2.WatchEventsRequest(),
            metadata=self.credentials,
            timeout=WAIT_TIMEOUT_S,
        )
        try:
            yield stream
        finally:
            stream.cancel()

    def await_that(self, holds: Callable[[], bool]) -> None:
        """Look again and again until it holds. Not at events: who looks at each falls behind a node that mines."""
        deadline_s = time.monotonic() + WAIT_TIMEOUT_S
        while not holds():
            if time.monotonic() > deadline_s:
                message = "it never came to hold; the node said:\n" + "".join(self.output[-30:])
                raise AssertionError(message)
            time.sleep(LOOK_EVERY_S)

    def await_height(self, height: int) -> None:
        self.await_that(lambda: self.height() >= height)

    def await_tip(self, tip_hash: str) -> None:
        self.await_that(lambda: self.tip_hash() == tip_hash)
