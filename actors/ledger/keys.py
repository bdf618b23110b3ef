"""Key schemes: who is a public key, and who signed what (LEDGER: keys).

Lives here: the contract of a scheme, and the two that networks choose from. Each scheme's own file
holds its curve. None of them remembers a key, which would be state in a module: `known_keys` does, for
who owns one.

Must not live here: key files, randomness (entropy is handed in), or hex.
"""

from typing import Final, Protocol

from actors.ledger.ed25519 import Ed25519
from actors.ledger.p192 import P192Sha1


class PrivateKey(Protocol):
    """A private key of some scheme; its `repr` shows the public half alone."""

    @property
    def public(self) -> bytes:
        """The public key in its standard encoding: the address."""
        ...

    @property
    def secret(self) -> bytes:
        """What a key file holds; `KeyScheme.private_key` takes it back."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The deterministic signature of `message`."""
        ...


class PublicKey(Protocol):
    """A sender's key, decoded; any thread may use it."""

    @property
    def is_standard(self) -> bool:
        """Policy: whether it was in the encoding that is pooled, relayed and built."""
        ...

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Consensus: whether the signature is this key's."""
        ...


class KeyRules(Protocol):
    """What one kind of key must be: consensus (`is_*`) and policy (`is_standard_*`).

    Nothing that arrives in a transaction makes a method raise: what is no key is False or None.
    """

    @property
    def name(self) -> str:
        """The scheme's name in a network definition."""
        ...

    def is_sender(self, key: bytes) -> bool:
        """Consensus: whether a sender is a public key."""
        ...

    def is_address(self, key: bytes) -> bool:
        """Consensus: whether a recipient or a coinbase has a length of this scheme."""
        ...

    def is_standard_sender(self, key: bytes) -> bool:
        """Policy: whether a transaction of this sender is pooled, relayed and built."""
        ...

    def is_standard_address(self, key: bytes) -> bool:
        """Policy: whether a recipient or a coinbase is a public key that can spend."""
        ...

    def verify(self, sender: bytes, signature: bytes, message: bytes) -> bool:
        """Consensus: whether the signature is the sender's; False when the sender is no key."""
        ...


class KeyScheme(KeyRules, Protocol):
    """One kind of key: its rules, and how to get one."""

    def public_key(self, key: bytes) -> PublicKey | None:
        """The key of a sender; None when `is_sender` says no."""
        ...

    def generate(self, entropy: bytes) -> PrivateKey:
        """A new key from at least 32 bytes of entropy; raises `ValueError` below."""
        ...

    def private_key(self, data: bytes) -> PrivateKey | None:
        """The key of a key file's bytes; None when they are no key of this scheme."""
        ...


ED25519: Final[KeyScheme] = Ed25519()
P192_SHA1: Final[KeyScheme] = P192Sha1()
