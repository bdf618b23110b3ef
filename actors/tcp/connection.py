"""One open connection: its socket, what came in, what goes out, and until when the peer has time.

It decides *whether* to read, to hand on or to end; the actor's loop does it. No selector and no other
actor here, and time comes by parameter.
"""

from __future__ import annotations

import socket

from actors.config import TcpSettings
from actors.tcp.credit import Credit
from actors.tcp.framing import HEADER_BYTES, FrameDecoder
from actors.tcp.messages import CloseReason, Connected, ConnectionInfo, ConnectionState, ConnId
from actors.tcp.outbox import Outbox
from actors.tcp.sockets import Endpoint, reason_of

HALF_CLOSE_S = 2.0
"""After the end of its input a connection lives so long, for the answers that are on their way: long
enough for any handler, short enough that a peer that is simply gone does not look connected."""
UNSENT_FACTOR = 8
"""Above this many times the unsent limit a connection is given up at once. Reading stops at the limit,
but 256 requests may be in the house by then: 16 MiB are 64 KiB for the answer to each of them."""

FRAME_COST_BYTES = 256
"""What a small frame takes beside its bytes, its length included: as frame, message and item of a batch."""


class Connection:
    """A connected socket and everything known of it."""

    __slots__ = (
        "_began_s",
        "_close_by_s",
        "_credit",
        "_decoder",
        "_frame_since_s",
        "_half_closed",
        "_hello_by_s",
        "_idle_told",
        "_ready",
        "_received_s",
        "_settings",
        "_wanted",
        "closing",
        "counted_bytes",
        "established",
        "held_bytes",
        "id",
        "initiated",
        "outbox",
        "reading",
        "received_bytes",
        "received_frames",
        "remote",
        "sent_frames",
        "sock",
        "token",
        "watched",
    )

    def __init__(
        self,
        conn: ConnId,
        sock: socket.socket,
        remote: Endpoint,
        settings: TcpSettings,
        *,
        token: int | None,
        now_s: float,
    ) -> None:
        """``token`` is that of our dial; None: it is accepted."""
        self.id, self.sock, self.remote = conn, sock, remote
        self.token, self.initiated = token, token is not None
        self.established = False
        self.reading = self._wanted = False
        self.held_bytes = 0
        """What it has the process hold: input not dealt with yet, and output of its own."""
        self.counted_bytes = 0
        """The same, when it was last counted; kept by the budget."""
        self.watched = 0
        """What the selector waits for on the socket; kept by the loop."""
        self.closing: CloseReason | None = None
        """Set once the connection is to end as soon as what it owes is written."""
        self.outbox = Outbox()
        self._decoder = FrameDecoder(
            settings.dialed_frame_limit_bytes
            if self.initiated
            else settings.accepted_frame_limit_bytes
        )
        self._credit = Credit(settings.credit_frames, settings.credit_bytes)
        self._ready: list[bytes] = []  # frames cut, but not yet handed on
        self._settings = settings
        self._began_s = self._received_s = now_s
        self.received_bytes = self.received_frames = self.sent_frames = 0
        self._frame_since_s: float | None = None
        self._hello_by_s = None if self.initiated else now_s + settings.hello_timeout_s
        self._idle_told = False
        self._half_closed = False
        self._close_by_s = 0.0

    # -- input ----------------------------------------------------------------------------------

    def receive(self, scratch: memoryview, now_s: float) -> CloseReason | None:
        """Read once, at most what fits the shared ``scratch``. A reason: the connection must end at once.

        Raises:
            OSError: the connection is broken.
        """
        try:
            count = self.sock.recv_into(scratch)
        except (BlockingIOError, InterruptedError):
            return None
        if not count:
            self._half_closed = True
            self.closing, self._close_by_s = CloseReason.REMOTE, now_s + HALF_CLOSE_S
            return None
        self.received_bytes += count
        self.held_bytes += count
        self._received_s, self._idle_told = now_s, False
        return self._note(self._decoder.feed(bytes(scratch[:count])), now_s)

    def establish(self, now_s: float) -> CloseReason | None:
        """The hello is done: full frames from now on. A reason: the connection must end at once."""
        self.established, self._hello_by_s = True, None
        return self._note(self._decoder.lift(self._settings.frame_limit_bytes), now_s)

    def hello_said(self) -> None:
        self._hello_by_s = None

    @property
    def may_hand_on(self) -> bool:
        """Whether there are frames that may go into the house, by credit and by the peer's own reading."""
        return (
            bool(self._ready)
            and self._credit.free_frames > 0
            and self.outbox.unsent_bytes <= self._settings.unsent_limit_bytes
        )

    def hand_on(self, most: int) -> tuple[bytes, ...]:
        """The frames that go into the house now, of those that may: at most so many."""
        if not self.may_hand_on:
            return ()
        batch = tuple(self._ready[: min(most, self._credit.free_frames)])
        if batch:
            self._ready = self._ready[len(batch) :]
            self._credit.take(len(batch), sum(map(len, batch)))
        return batch

    def handled(self, frames: int) -> None:
        """Frames handed on earlier are dealt with."""
        done_frames, done_bytes = self._credit.give_back(frames)
        self.held_bytes -= done_bytes + (HEADER_BYTES + FRAME_COST_BYTES) * done_frames

    def decide_reading(self, now_s: float, room_bytes: int = 1) -> None:
        """Set ``reading``. A pause for the peer's own sake is ours, and does not count against its time; one for
        want of room does: the memory that a frame takes is lent for so long.
        """
        wanted = (
            self.closing is None
            and not self._ready
            and self._decoder.oversized_bytes is None
            and self._credit.free_frames > 0
            and self.outbox.unsent_bytes <= self._settings.unsent_limit_bytes
        )
        self.reading = wanted and room_bytes > 0
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if wanted:
            self._received_s = now_s
        if self._decoder.oversized_bytes is None:
            self._frame_since_s = now_s if wanted and self._decoder.in_frame else None

    @property
    def is_within_frame(self) -> bool:
        """Whether all that came in is dealt with but for the beginning of a frame."""
        return self._decoder.in_frame and not self._ready and not self._credit.outstanding

    @property
    def unspoken_s(self) -> float | None:
        """Since when an accepted connection owes its hello; None: it does not."""
        return None if self._hello_by_s is None else self._began_s

    # -- output ---------------------------------------------------------------------------------

    def send(self, chunk: bytes, frames: int, now_s: float, *, is_shared: bool = False) -> None:
        """Queue so many frames, unless it is of no use any more: we decided to close."""
        if self.closing is None or self._half_closed:
            self.outbox.put(chunk, now_s, is_shared=is_shared)
            self.sent_frames += frames
            if not is_shared:
                self.held_bytes += len(chunk)

    def flush(self, now_s: float) -> CloseReason | None:
        """Write what the socket takes of what is queued. A reason: the connection must end at once."""
        own_bytes = self.outbox.own_bytes
        try:
            self.outbox.write(self.sock.sendmsg, now_s)
        except OSError as error:
            return self.closing or reason_of(error)
        self.held_bytes -= own_bytes - self.outbox.own_bytes
        return CloseReason.WRITE_TIMEOUT if self.clogged else None

    # -- the end --------------------------------------------------------------------------------

    def close(self, reason: CloseReason, now_s: float) -> None:
        """Read no more, and end once everything queued is written. The first reason stays."""
        if self.closing is None or self._half_closed:
            self.closing, self._half_closed = reason, False
            self._close_by_s = now_s + self._settings.write_timeout_s
            self._ready = []

    @property
    def finished(self) -> bool:
        """Whether it is to be closed and nothing is owed any more."""
        if self.closing is None or self.outbox.unsent_bytes:
            return False
        return not (self._half_closed and (self._ready or self._credit.outstanding))

    @property
    def clogged(self) -> bool:
        """Whether more is unsent than can be afforded."""
        return self.outbox.unsent_bytes > UNSENT_FACTOR * self._settings.unsent_limit_bytes

    def overdue(self, now_s: float) -> CloseReason | None:
        """Which of its deadlines has passed (WIRE: limits)."""
        settings = self._settings
        waiting_s, frame_s = self.outbox.waiting_since_s, self._frame_since_s
        if waiting_s is not None and now_s - waiting_s >= settings.write_timeout_s:
            return self.closing or CloseReason.WRITE_TIMEOUT
        if self.closing is not None:
            return self.closing if now_s >= self._close_by_s else None
        if self._hello_by_s is not None and now_s >= self._hello_by_s:
            return CloseReason.HELLO_TIMEOUT
        if frame_s is not None and now_s - frame_s >= settings.frame_timeout_s:
            return CloseReason.FRAME_TIMEOUT
        if now_s - self._received_s >= settings.silent_s:
            return CloseReason.SILENT
        return None

    def turns_idle(self, now_s: float) -> bool:
        """True once per silence that is long enough to ask for a sign of life."""
        if (
            self._idle_told
            or not self.established
            or now_s - self._received_s < self._settings.idle_s
        ):
            return False
        self._idle_told = True
        return True

    def connected(self) -> Connected:
        """The event that told of it."""
        return Connected(self.id, self.initiated, str(self.remote), self.token)

    @property
    def state(self) -> ConnectionState:
        if self.closing is not None:
            return ConnectionState.CLOSING
        return ConnectionState.ESTABLISHED if self.established else ConnectionState.GREETING

    def info(self, now_s: float) -> ConnectionInfo:
        return ConnectionInfo(
            conn=self.id,
            remote=str(self.remote),
            initiated=self.initiated,
            state=self.state,
            age_s=now_s - self._began_s,
            idle_s=now_s - self._received_s,
            received_bytes=self.received_bytes,
            sent_bytes=self.outbox.sent_bytes,
            received_frames=self.received_frames,
            sent_frames=self.sent_frames,
            unsent_bytes=self.outbox.unsent_bytes,
            unhandled_frames=self._credit.outstanding,
            reading=self.reading,
        )

    def _note(self, frames: list[bytes], now_s: float) -> CloseReason | None:
        """Keep what was cut, restart the clock of the unfinished frame, judge an over-long one.

        Behind an unestablished connection's first frames, which may hold its hello, a frame above the
        early limit waits: the hello may lift the limit, and if it does not, a deadline passes.
        """
        if frames:
            self.received_frames += len(frames)
            self.held_bytes += FRAME_COST_BYTES * len(frames)
            self._ready = self._ready + frames if self._ready else frames
        if not self._decoder.in_frame:
            self._frame_since_s = None
        elif frames or self._frame_since_s is None:
            self._frame_since_s = now_s
        oversized = self._decoder.oversized_bytes
        if oversized is None:
            return None
        hopeless = (
            self.established
            or not self.received_frames
            or oversized > self._settings.frame_limit_bytes
        )
        return CloseReason.FRAME_TOO_LARGE if hopeless else None
