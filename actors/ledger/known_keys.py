"""The rules of a key scheme with a memory of good keys: senders and recipients repeat.

To decode or to examine a key costs a tenth to a third of a verification, and holds the interpreter. Must
not live here: the rules themselves, or what was refused: strangers can invent more of that than of
anything.
"""

from __future__ import annotations

from collections import OrderedDict

from actors.ledger.keys import KeyScheme, PublicKey

MAX_KNOWN_KEYS = 8_192
"""Of senders, and of recipients: more than a full mempool has. Decoded p192 keys take 16 MiB in all."""


class KnownKeys:
    """`KeyRules` that answer as their scheme does, sooner; the oldest keys are forgotten first.

    One thread asks who is standard, which adds to the memory; any may ask the rest, which only looks.
    """

    __slots__ = ("_addresses", "_capacity", "_scheme", "_senders")

    def __init__(self, scheme: KeyScheme, capacity: int = MAX_KNOWN_KEYS) -> None:
        self._scheme, self._capacity = scheme, capacity
        self._senders: OrderedDict[bytes, PublicKey] = OrderedDict()
        self._addresses: OrderedDict[bytes, None] = OrderedDict()

    @property
    def name(self) -> str:
        """The scheme's name."""
        return self._scheme.name

    def is_sender(self, key: bytes) -> bool:
        """As the scheme says."""
        return key in self._senders or self._scheme.is_sender(key)

    def is_address(self, key: bytes) -> bool:
        """As the scheme says."""
        return self._scheme.is_address(key)

    def is_standard_sender(self, key: bytes) -> bool:
        """As the scheme says, and remember it."""
        public = self._senders.get(key)
        if public is None:
            public = self._scheme.public_key(key)
            if public is None or not public.is_standard:
                return False
            self._senders[key] = public
            if len(self._senders) > self._capacity:
                self._senders.popitem(last=False)
        return True

    def is_standard_address(self, key: bytes) -> bool:
        """As the scheme says, and remember it."""
        if key in self._addresses:
            return True
        if not self._scheme.is_standard_address(key):
            return False
        self._addresses[key] = None
        if len(self._addresses) > self._capacity:
            self._addresses.popitem(last=False)
        return True

    def verify(self, sender: bytes, signature: bytes, message: bytes) -> bool:
        """As the scheme says. Any thread."""
        public = self._senders.get(sender)
        if public is None:
            return self._scheme.verify(sender, signature, message)
        return public.verify(signature, message)
