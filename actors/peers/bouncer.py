"""The bans in force, kept across a restart.

Lives here: the list with its clock and its file. Must not live here: what a ban is (`bans`), or the
closing of connections (`actor`).
"""

from __future__ import annotations

import logging

from actors.peers.bans import BanList
from actors.peers.messages import Ban, BanRefusal, CreateBan, PeerId
from actors.runtime.clock import Clock
from actors.runtime.journal import Journal
from actors.tcp.messages import Connected

log = logging.getLogger(__name__)


class Bouncer:
    """Knows who is banned, and saves it at every change: bans are rare, and worth a write."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._bans = BanList()

    def load(self) -> None:
        self._bans.load(
            self._journal.load(), now_s=self._clock.now_s(), wall_s=self._clock.wall_s()
        )

    def is_banned(self, address: PeerId) -> bool:
        """Whether the node at this address, as dialed or advertised, is banned."""
        return self._bans.covers(address, now_s=self._clock.now_s())

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

    def delete(self, target: str) -> bool | BanRefusal:
        """Lift a ban; False: there is none."""
        lifted = self._bans.delete(target, now_s=self._clock.now_s())
        if lifted is True:
            log.info("the ban of %s is lifted", target)
            self._save()
        return lifted

    def _save(self) -> None:
        """A full disk costs what a restart would forget, not the ban."""
        lines = self._bans.lines(now_s=self._clock.now_s(), wall_s=self._clock.wall_s())
        try:
            self._journal.save(lines)
        except OSError as error:
            log.error("the bans could not be saved: %s", error)  # noqa: TRY400 - no bug of ours
