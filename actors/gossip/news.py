"""What is news: rumours of a bearable form that were not heard before (WIRE: limits, seen ids).

Ids are kept with the hash of what they named, or a known id would suppress other news; contents are kept
beside them once there is a last word on them. Must not live here: what is done with news.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import compress

from actors.gossip.course import ID_BYTES, Course
from actors.gossip.kinds import Kind
from actors.gossip.seen import SeenKeys
from actors.messaging.messages import Inbound, MessageType
from actors.peers.messages import ConnectionMisbehaved
from actors.tcp.messages import ConnId

Rumour = tuple[Inbound, bytes]
"""A message, and the hash of its kind and of its payload without the id. A plain tuple for speed."""

UNSOUND_POINTS = 20
"""WIRE: limits, score: for one of ours alone. What a field node passes on is not its own."""

_REGULAR = MessageType.REGULAR
_HEARD = b"heard"
"""Before the key of what listeners heard and nobody relayed; no key without it is as long."""


class News:
    """The caches of what was heard; of each at most as many keys as `SeenKeys` holds."""

    def __init__(self) -> None:
        self._seen, self._judged = SeenKeys(), SeenKeys()

    @property
    def ids(self) -> int:
        """Messages remembered."""
        return len(self._seen)

    @property
    def contents(self) -> int:
        """Contents remembered."""
        return len(self._judged)

    def expire(self, now_s: float) -> None:
        """Before a batch."""
        self._seen.expire(now_s)
        self._judged.expire(now_s)

    def sound(self, messages: Sequence[Inbound], course: Course) -> list[Rumour]:
        """The messages of one kind that have its form."""
        salt, longest = course.kind.salt, course.longest_bytes
        return [
            (message, sha256(salt + message.payload[ID_BYTES:]).digest())
            for message in messages
            if message.type is _REGULAR and ID_BYTES <= len(message.payload) <= longest
        ]

    def open(self, rumours: list[Rumour]) -> list[Rumour]:
        """Those without a last word on their content."""
        judged = self._judged.keys()
        return [rumour for rumour in rumours if rumour[1] not in judged]

    def unheard(self, rumours: list[Rumour]) -> list[Rumour]:
        """Those that are open and not heard yet; nothing is noted."""
        seen = self._seen.keys()
        return [rumour for rumour in self.open(rumours) if _key(*rumour) not in seen]

    def note(self, rumours: list[Rumour], now_s: float) -> list[Rumour]:
        """Those that are open and not heard yet, from now on heard."""
        unjudged = self.open(rumours)
        keys = [message.payload[:ID_BYTES] + content for message, content in unjudged]
        return list(compress(unjudged, self._seen.add_all(keys, now_s)))

    def take_back(self, rumour: Rumour) -> None:
        """The very same message, from somebody else, is to be news."""
        self._seen.take_back(_key(*rumour))

    def is_heard(self, rumour: Rumour) -> bool:
        """Whether it was told to listeners, though it is not noted."""
        return _HEARD + _key(*rumour) in self._seen

    def note_heard(self, rumour: Rumour, now_s: float) -> None:
        """It was told to listeners."""
        self._seen.add(_HEARD + _key(*rumour), now_s)

    def note_own(self, message_id: bytes, kind: Kind, payload: bytes, now_s: float) -> None:
        """Of what we publish the echo is none. It is accepted by definition; of what nobody judges the same
        may be said again.
        """
        content = sha256(kind.salt + payload).digest()
        self._seen.add(message_id + content, now_s)
        if kind.handler is not None:
            self._judged.add(content, now_s)

    def note_judged(self, contents: Iterable[bytes], now_s: float) -> None:
        """There is a last word on them."""
        self._judged.add_all(contents, now_s)


def misdeed_of(conn: ConnId, unsound: int) -> ConnectionMisbehaved:
    """Of whoever sent so many messages of kinds that we know, without their form."""
    reason = "gossip that is too short or too long"
    return ConnectionMisbehaved(conn, unsound * UNSOUND_POINTS, reason, ours_only=True)


def _key(message: Inbound, content: bytes) -> bytes:
    return message.payload[:ID_BYTES] + content
