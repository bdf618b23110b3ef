"""``python -m tests.unit.cli.fake_run run ...``: a `troupe run` for the devnet's tests.

Its chain grows by a block each time it is looked at. Extra arguments: ``--dies-once FILE`` ends it with
exit code 7 at the first look while that file is there, ``--stubborn`` makes it ignore SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from troupe.admin.v1.chain_service_pb2 import GetAccountResponse, GetBlockResponse
from troupe.admin.v1.ledger_pb2 import Account, Block, BlockRef
from troupe.admin.v1.node_service_pb2 import NODE_STATE_READY, GetNodeResponse, Node
from troupe.admin.v1.wallet_service_pb2 import GetAddressResponse

from admin.cli.signals import Stops, watch_parent
from tests.unit.cli.fake_node import FakeNode


def argument(name: str) -> str | None:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def hash_of(number: int) -> str:
    return f"{number:064x}"


class GrowingNode(FakeNode):
    def __init__(self, deadly: Path | None) -> None:
        super().__init__()
        self._looks, self._deadly = 0, deadly
        self.answers = {
            "GetNode": self._glance,
            "GetAddress": GetAddressResponse(address="ab" * 32, key_scheme="ed25519"),
            "GetAccount": GetAccountResponse(account=Account(address="ab" * 32, balance=100)),
            "GetBlock": lambda request: GetBlockResponse(
                block=Block(number=request.number, hash=hash_of(request.number))
            ),
        }

    def _glance(self, _request: Any) -> GetNodeResponse:
        self._looks += 1
        if self._deadly is not None and self._deadly.exists():
            sys.stderr.write("it died of its script\n")
            sys.stderr.flush()
            os._exit(7)
        tip = BlockRef(number=self._looks, hash=hash_of(self._looks))
        return GetNodeResponse(
            node=Node(
                state=NODE_STATE_READY,
                tip=tip,
                peer_count=len([word for word in sys.argv if word == "--peer"]),
                mempool_pending_count=0,
                hashes_per_s=1000.0 * self._looks,
                listen_address="127.0.0.1:9",
            )
        )


def main() -> None:
    directory = Path(argument("--data-dir") or "")
    (directory / "pid").write_text(str(os.getpid()))
    if argument("--fails"):
        sys.stderr.write(f"Error: {argument('--fails')}\n")
        sys.exit(1)
    stops = Stops()
    watch_parent(stops, sys.stdin.fileno(), on_overdue=lambda: os._exit(1))
    if "--stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deadly = argument("--dies-once")
    node = GrowingNode(Path(deadly) if deadly else None)
    node.serve(directory)
    stops.wait()
    node.stop()


if __name__ == "__main__":
    main()
