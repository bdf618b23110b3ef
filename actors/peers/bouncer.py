"""The bans in force, kept across a restart.

Lives here: the list with its clock and its file. Must not live here: what a ban is (`bans`), who gets one
for a score (`warden`), or the closing of connections.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from actors.peers.bans import BanList
from actors.peers.messages import Ban, BanRefusal, BanTarget, CreateBan, PeerId
from actors.runtime.clock import Clock
from actors.runtime.journal import Journal
from actors.runtime.restraint import Restraint
from actors.tcp.messages import Connected

log = logging.getLogger(__name__)


class Bouncer:
    """Knows who is banned.

    What an operator changes is written before he is answered. Bans for a score come in floods and last
    minutes: they are written now and then. No write waits for the disk, since sockets may wait for
    this thread: what a power cut costs is the bans of the last seconds.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._bans = BanList()
        self._unsaved = False
        self._punished = Restraint(log)

    def load(self) -> None:
        bad = self._bans.load(
            self._journal.load(), now_s=self._clock.now_s(), wall_s=self._clock.wall_s()
        )
        self._journal.refused(bad)

    def is_banned(self, address: PeerId) -> bool:
        """Whether the node at this address, as dialed or advertised, is banned."""
        return self._bans.covers(address, now_s=self._clock.now_s())

    def is_in_force(self, targets: Iterable[BanTarget]) -> bool:
        """Whether there is a ban on any of these."""
        now_s = self._clock.now_s()
        return any(self._bans.holds(target, now_s=now_s) for target in targets)

    def bars(self, connected: Connected) -> bool:
        """Whether a connection must not be, before its hello is known."""
        if connected.initiated:
            return self.is_banned(PeerId(connected.remote))
        return self._bans.bars(connected.remote, now_s=self._clock.now_s())

    def listing(self) -> tuple[Ban, ...]:
        return self._bans.listing(now_s=self._clock.now_s(), wall_s=self._clock.wall_s())

    def create(self, command: CreateBan) -> Ban | BanRefusal:
        made = self._bans.create(
            command.target,
            command.duration_s,
            command.reason,
            now_s=self._clock.now_s(),
            wall_s=self._clock.wall_s(),
        )
        if isinstance(made, Ban):
            reason = made.reason or "no reason given"
            log.info("banned %s for %d s: %s", made.target, command.duration_s, reason)
            self._save()
        return made

    def punish(self, target: BanTarget, reason: str) -> Ban | None:
        """Ban for a score; None: it is banned already, or there are too many bans."""
        now_s, wall_s = self._clock.now_s(), self._clock.wall_s()
        made = self._bans.punish(target, reason, now_s=now_s, wall_s=wall_s)
        if made is not None:
            told = (target, made.until_s - made.created_s, reason)
            self._punished.warning(now_s, "banned %s for %d s: %s", *told)
            self._unsaved = True
        return made

    def delete(self, target: str) -> bool | BanRefusal:
        """Lift a ban; False: there is none."""
        lifted = self._bans.delete(target, now_s=self._clock.now_s())
        if lifted is True:
            log.info("the ban of %s is lifted", target)
            self._save()
        return lifted

    def save_if_changed(self) -> None:
        if self._unsaved:
            self._save()

    def _save(self) -> None:
        """A full disk costs what a restart would forget, not the ban."""
        self._unsaved = False
        lines = self._bans.lines(now_s=self._clock.now_s(), wall_s=self._clock.wall_s())
        try:
            self._journal.save(lines, durable=False)
        except OSError as error:
            log.error("the bans could not be saved: %s", error)  # noqa: TRY400 - no bug of ours
