"""A simulated machine's network: its connections, which outlive a fall of the actor that serves them."""

from __future__ import annotations

import itertools

from actors.config import TcpSettings
from actors.runtime.address import Address
from actors.simulation.network import KIND_OFFSET, End, SimNetwork
from actors.tcp.messages import (
    CloseReason,
    Connect,
    ConnectFailed,
    ConnId,
    Disconnected,
    FramesReceived,
    Idle,
    TcpEvent,
)

EXTENSIONS = (b"chain:", b"mempool:")
FIRST_PORT = 20_000
"""Of the sockets that dial."""
SWEEP_S = 5.0
"""Deadlines are looked at so often: the shortest is as long."""
LIMITS = TcpSettings()


class SimHost:
    """One node's machine from its start until its power goes."""

    def __init__(self, network: SimNetwork, name: str, messaging: Address[TcpEvent]) -> None:
        self.network, self.name, self._messaging = network, name, messaging
        self.ends: dict[ConnId, End] = {}
        self._ids = itertools.count(1)
        self._free_s = 0.0
        """When what is sent now can leave the host."""
        network.hosts[name] = self
        network.clock.call_after(SWEEP_S, self._sweep)

    @property
    def is_up(self) -> bool:
        """Whether it is still on the network."""
        return self.network.hosts.get(self.name) is self

    def inject(self, frames: tuple[bytes, ...], ends: list[End] | None = None) -> None:
        """Send what no actor of the node said, on these of its connections or on all."""
        for end in tuple(self.ends.values()) if ends is None else ends:
            if end.is_established:
                self._put_on_wire(end, frames)

    def cut_unreachable(self) -> None:
        for end in tuple(self.ends.values()):
            if end.other is not None and not self.network.reachable(self.name, end.other.host.name):
                self._break(end)

    def vanish(self) -> None:
        """The host is gone, as after a power cut: the others see their connections break."""
        if self.is_up:
            del self.network.hosts[self.name]
        for end in tuple(self.ends.values()):
            self._break(end)

    # -- what other hosts call ------------------------------------------------------------------

    def accept(self, dialer: End) -> End:
        """Be dialed."""
        remote = f"{dialer.host.name.rpartition(':')[0]}:{FIRST_PORT + dialer.conn}"
        end = self._open(remote, None)
        end.other = dialer
        return end

    def arrived(self, end: End, frames: tuple[bytes, ...]) -> None:
        """Frames are here; they are read as soon as there is credit for them (WIRE: limits)."""
        if not end.open:
            return
        end.heard_s, end.is_idle = self._now_s(), False
        meddler = self.network.meddlers.get(self.name)
        if meddler is not None:
            meddler.hears(end, frames)
        if end.unhandled < LIMITS.credit_frames:
            self._read(end, frames)
            return
        end.waiting.append(frames)
        end.waiting_bytes += sum(map(len, frames))
        if end.waiting_bytes > LIMITS.unsent_limit_bytes:  # with the sender's, in truth
            self._break(end)

    def drop(self, end: End, reason: CloseReason) -> None:
        """An end is no more."""
        if end.open:
            end.open = False
            self.ends.pop(end.conn, None)
            self._messaging.tell(Disconnected(end.conn, end.initiated, reason))

    # -- within ---------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return self.network.clock.now_s()

    def connect(self, command: Connect) -> None:
        target = f"{command.host}:{command.port}"

        def arrive() -> None:
            host = self.network.hosts.get(target)
            if not self.is_up:
                return  # the dialer is gone
            if host is None or not self.network.reachable(self.name, target):
                self._messaging.tell(ConnectFailed(command.token, CloseReason.REFUSED))
                return
            end = self._open(target, command.token)
            end.other = host.accept(end)

        self.network.clock.call_after(self.network.delay_s(), arrive)

    def _open(self, remote: str, token: int | None) -> End:
        now_s = self._now_s()
        end = End(ConnId(next(self._ids)), self, remote, token, now_s, heard_s=now_s)
        self.ends[end.conn] = end
        self._messaging.tell(end.connected())
        return end

    def send(self, end: End | None, frames: tuple[bytes, ...]) -> None:
        if end is None or not end.open or end.other is None:
            return
        network = self.network
        if network.legacy and network.legacy & {self.name, end.other.host.name}:
            frames = tuple(p for p in frames if not p[KIND_OFFSET:].startswith(EXTENSIONS))
        meddler = network.meddlers.get(self.name)
        if meddler is not None:
            frames = meddler.sends(end, frames)
        if frames:
            self._put_on_wire(end, frames)

    def _put_on_wire(self, end: End, frames: tuple[bytes, ...]) -> None:
        network, other = self.network, end.other
        assert other is not None
        resend_s = network.resend_s() if network.loss else 0.0
        if resend_s is None or (
            network.break_share and network.random.random() < network.break_share
        ):
            network.broken += 1
            self._break(end)
            return
        now_s, size_bytes = self._now_s(), network.traffic.count(frames)
        leaves_s = now_s
        if network.bytes_per_s:
            leaves_s = self._free_s = max(now_s, self._free_s) + size_bytes / network.bytes_per_s
        end.clear_s = max(end.clear_s, leaves_s + network.delay_s() + resend_s)

        def arrive() -> None:
            if other.open:
                network.note(self.name, other.host.name, frames)
                other.host.arrived(other, frames)

        network.clock.call_after(end.clear_s - now_s, arrive)

    def _read(self, end: End, frames: tuple[bytes, ...]) -> None:
        end.unhandled += len(frames)
        self._messaging.tell(FramesReceived(end.conn, frames))

    def handled(self, conn: ConnId, frames: int) -> None:
        end = self.ends.get(conn)
        if end is None:
            return
        end.unhandled -= frames
        while end.waiting and end.unhandled < LIMITS.credit_frames:
            next_frames = end.waiting.pop(0)
            end.waiting_bytes -= sum(map(len, next_frames))
            self._read(end, next_frames)

    def close(self, conn: ConnId, reason: CloseReason) -> None:
        """What was sent before still arrives; then the other side sees the end."""
        end = self.ends.get(conn)
        if end is None:
            return
        other = end.other
        self.drop(end, reason)
        if other is not None:
            delay_s = max(0.0, end.clear_s - self._now_s()) + self.network.delay_s()
            self.network.clock.call_after(
                delay_s, lambda: other.host.drop(other, CloseReason.REMOTE)
            )

    def _break(self, end: End) -> None:
        if end.other is not None:
            end.other.host.drop(end.other, CloseReason.IO_ERROR)
        self.drop(end, CloseReason.IO_ERROR)

    def _sweep(self) -> None:
        """WIRE: limits, the time to a hello, and silent peers."""
        if not self.is_up:
            return
        now_s = self._now_s()
        for end in tuple(self.ends.values()):
            if not end.is_established:
                late = now_s - end.opened_s >= LIMITS.hello_timeout_s
                if late and not end.initiated and not end.has_said_hello:
                    self.close(end.conn, CloseReason.HELLO_TIMEOUT)
            elif now_s - end.heard_s >= LIMITS.silent_s:
                self.close(end.conn, CloseReason.SILENT)
            elif not end.is_idle and now_s - end.heard_s >= LIMITS.idle_s:
                end.is_idle = True
                self._messaging.tell(Idle(end.conn))
        self.network.clock.call_after(SWEEP_S, self._sweep)
