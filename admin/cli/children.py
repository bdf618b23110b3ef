"""Nodes as child processes: started, asked how they do, and ended for certain.

Each child is the leader of a session of its own, so that Ctrl-C reaches it through us alone and its
workers can be killed with it; and it holds a pipe from us as its stdin, so that it stops when we are gone,
however we went. Must not live here: how they are shown.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from troupe.admin.v1.chain_service_pb2 import GetAccountRequest, GetBlockRequest
from troupe.admin.v1.node_service_pb2 import GetNodeRequest
from troupe.admin.v1.wallet_service_pb2 import GetAddressRequest

from admin.cli.client import ADDRESS_FILE, Client, open_client
from admin.cli.exits import CliError
from admin.cli.options import Target
from admin.cli.output import as_data

TROUPE: Final = (sys.executable, "-P", "-m", "admin.cli.main")
"""This very program, and nothing that the current directory may hold under its names."""
LOG_FILE: Final = "node.log"
STOP_LIMIT_S: Final = 15.0
"""A node says farewell for at most 5 s and then ends its workers; after this it is killed."""
CALL_DEADLINE_S: Final = 1.0
"""Of a child that hangs: the others are shown in the meantime."""
LAST_LINES: Final = 4
_TAIL_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a node said of itself last; the fields are of GetNode, where absent means not known."""

    state: str = "starting"
    listen_address: str = ""
    height: int | None = None
    tip: str = ""
    peers: int | None = None
    mempool: int | None = None
    hashes_per_s: float | None = None
    balance: int | None = None


class Child:
    """One node of ours.

    Attributes:
        name: What the user calls it.
        glimpse: How it did at the last look.
        has_ended: Whether its process was seen to have ended at the last look.
    """

    def __init__(
        self,
        name: str,
        data_dir: Path,
        arguments: Sequence[str],
        *,
        command: Sequence[str] = TROUPE,
    ) -> None:
        """``arguments`` are those of ``troupe run``, the data directory excepted."""
        self.name, self.data_dir, self.glimpse = name, data_dir, Glimpse()
        self.has_ended = False
        self._command = (*command, "run", "--data-dir", str(data_dir), "--die-with-parent")
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None
        self._key_address = ""
        self._log_start = 0

    # -- its life ---------------------------------------------------------------------------------

    def start(self, peers: Iterable[str]) -> None:
        """Start it, with these peers. Call once."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / ADDRESS_FILE).unlink(missing_ok=True)  # of a run that was killed
        named = [word for peer in peers for word in ("--peer", peer)]
        with (self.data_dir / LOG_FILE).open("ab") as log:
            self._log_start = log.seek(0, os.SEEK_END)  # what is before is of an older run
            self._process = subprocess.Popen(  # noqa: S603 - ourselves, with checked arguments
                [*self._command, *self._arguments, *named],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Its process, once started."""
        return None if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or has not been started."""
        return None if self._process is None else self._process.poll()

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and its workers at once; harmless when it has ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def join(self, timeout_s: float) -> None:
        """Wait for its end, then see that nothing of it is left. Call after ``ask_to_stop``."""
        if self._client is not None:
            self._client.close()
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, timeout_s))
        self.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def last_lines(self) -> list[str]:
        """The end of its log of this run."""
        with (self.data_dir / LOG_FILE).open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - _TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
        return [line for line in text.splitlines() if line.strip()][-LAST_LINES:]

    # -- what it says -----------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether it has answered, and runs."""
        return bool(self.glimpse.listen_address) and self.exit_code is None

    @property
    def admin_address(self) -> str:
        return "" if self._client is None else self._client.address

    def look(self) -> None:
        """Ask how it does."""
        code = self.exit_code
        if code is not None:
            if not self.has_ended:
                self.has_ended = True
                self.kill()  # its workers, if it left any
            ended = f"ended ({_ending(code)})"
            self.glimpse = replace(self.glimpse, state=ended, hashes_per_s=None)
            return
        try:
            self._look()
        except CliError:
            if self.glimpse.listen_address:
                self.glimpse = replace(self.glimpse, state="no answer", hashes_per_s=None)

    def _look(self) -> None:
        """Raises `CliError` when it does not answer (yet)."""
        if self._client is None:
            self._client = open_client(Target(data_dir=self.data_dir))
        client = self._client
        if not self._key_address:
            asked = GetAddressRequest()
            self._key_address = client.call(
                client.wallet.GetAddress, asked, deadline_s=CALL_DEADLINE_S
            ).address
        node = as_data(
            client.call(client.node.GetNode, GetNodeRequest(), deadline_s=CALL_DEADLINE_S).node
        )
        account = client.call(
            client.chain.GetAccount,
            GetAccountRequest(address=self._key_address),
            deadline_s=CALL_DEADLINE_S,
        ).account
        tip = node["tip"] or {}
        self.glimpse = Glimpse(
            state=node["state"],
            listen_address=node["listen_address"],
            height=tip.get("number"),
            tip=tip.get("hash", ""),
            peers=node["peer_count"],
            mempool=node["mempool_pending_count"],
            hashes_per_s=node["hashes_per_s"],
            balance=account.balance,
        )

    def block_hash(self, number: int) -> str | None:
        """Its block of this number; None when it has none or does not answer."""
        if self._client is None:
            return None
        client = self._client
        try:
            request = GetBlockRequest(number=number)
            answer = client.call(client.chain.GetBlock, request, deadline_s=CALL_DEADLINE_S)
        except CliError:
            return None
        return answer.block.hash


def stop_all(children: Sequence[Child]) -> None:
    """Ask all to stop, wait a bounded time for all of them together, and kill what is left."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + STOP_LIMIT_S
    for child in children:
        child.join(deadline - time.monotonic())


def _environment() -> dict[str, str]:
    """Ours, without the settings of a node of the user's own, and with the way to this program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _ending(code: int) -> str:
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name
