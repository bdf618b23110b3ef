"""Where actors run: on threads, or under the pump (`pump`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from actors.runtime.actor import NodeActor
from actors.runtime.clock import Clock
from actors.runtime.crew import Crew
from actors.runtime.mailbox import Mailbox


class Runner(Protocol):
    """Where actors run: on threads, or under the pump."""

    def mailbox(self, name: str) -> Mailbox:
        """A new mailbox that this runner watches."""

    def run(self, actor: NodeActor) -> None:
        """Let a built and attached actor begin."""


class ThreadRunner:
    """A thread for each actor, but one for those who form a crew (``crews``: their names, by the crew's)."""

    def __init__(self, clock: Clock, crews: Mapping[str, Iterable[str]] | None = None) -> None:
        self._clock = clock
        self._shared: dict[str, Crew] = {}
        for crew, names in (crews or {}).items():
            self._shared |= dict.fromkeys(names, Crew(crew, clock.now_s))
        self._crews: dict[Mailbox, Crew] = {}

    def mailbox(self, name: str) -> Mailbox:
        mailbox = Mailbox(name, self._clock.now_s)
        crew = self._crews[mailbox] = self._shared.get(name) or Crew(name, self._clock.now_s)
        crew.serve(mailbox)
        return mailbox

    def run(self, actor: NodeActor) -> None:
        self._crews[actor.box].enter(actor)

    def mailboxes(self) -> Iterator[tuple[Mailbox, int | None]]:
        """Each, with the thread that reads it; None: there was none yet. Any thread."""
        for mailbox, crew in tuple(self._crews.items()):
            yield mailbox, crew.thread.ident if crew.thread is not None else None
