"""What the messaging room counts beside the traffic of each kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from actors.messaging.link import Link
from actors.messaging.messages import MessagingInfo
from actors.messaging.requests import Answered
from actors.messaging.routes import Routes
from actors.messaging.traffic import Traffic


@dataclass(slots=True)
class Tally:
    """Counts since the actor began."""

    received: int = 0
    malformed: int = 0
    dropped_at_gate: int = 0
    late: int = 0
    unasked: int = 0

    def responses(self, answered: Answered) -> None:
        """Responses came in."""
        self.late += answered.late
        self.unasked += answered.unasked

    def info(self, traffic: Traffic, routes: Routes, links: Iterable[Link]) -> MessagingInfo:
        """The room's numbers."""
        return MessagingInfo(
            kinds=traffic.report(),
            received=self.received,
            malformed=self.malformed,
            dropped_at_gate=self.dropped_at_gate,
            late_responses=self.late,
            unasked_responses=self.unasked,
            requests_in_flight=sum(len(link.requests) for link in links),
            unknown_kinds=routes.unknown_kinds,
        )
