"""Who watches the messages that pass, and what of them each wants to see. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from actors.messaging.link import Link
from actors.messaging.messages import MAX_WATCHERS, MessageType, TracedMessage, Watch
from actors.runtime.sink import Sink

Passing = tuple[MessageType, int, str, bytes]
"""Of a message: type, id, kind and payload."""


class Trace:
    """The watchers, by the sink that each brought."""

    def __init__(self) -> None:
        self._watchers: dict[Sink[TracedMessage], Watch] = {}
        self.is_watched = False
        """Without watchers there is no reason to come here."""

    def add(self, watch: Watch) -> bool:
        """False: there are too many."""
        if len(self._watchers) >= MAX_WATCHERS:
            return False
        self._watchers[watch.sink] = watch
        self.is_watched = True
        return True

    def remove(self, sink: Sink[TracedMessage]) -> None:
        self._watchers.pop(sink, None)
        self.is_watched = bool(self._watchers)

    def close(self) -> None:
        """Tell everybody that nothing more comes."""
        for sink in self._watchers:
            sink.lost()
        self._watchers.clear()
        self.is_watched = False

    def show(
        self, links: Iterable[Link], messages: Collection[Passing], at_s: float, *, sent: bool
    ) -> None:
        """Messages that were received on a link, or are sent on each of some."""
        for link in links:
            for watch in self._watchers.values():
                if watch.peer and watch.peer != link.peer:
                    continue
                for message in messages:
                    if _wants(watch, message[2]):
                        watch.sink.offer(_traced(watch, link, message, at_s, sent=sent))


def _wants(watch: Watch, kind: str) -> bool:
    """By the kind itself, or by a beginning of it that ends in a colon."""
    if not watch.kinds:
        return True
    return any(
        kind.startswith(wanted) if wanted.endswith(":") else kind == wanted
        for wanted in watch.kinds
    )


def _traced(
    watch: Watch, link: Link, message: Passing, at_s: float, *, sent: bool
) -> TracedMessage:
    type_, message_id, kind, payload = message
    return TracedMessage(
        at_s=at_s,
        sent=sent,
        conn=link.conn,
        peer=link.peer,
        type=type_,
        message_id=message_id,
        kind=kind,
        size_bytes=len(payload),
        payload=payload[: watch.payload_limit_bytes],
    )
