"""Key schemes: who is a public key, and who signed what (LEDGER: keys).

Lives here: the contract of a scheme, and the two that networks choose from. Each scheme's own file
holds its curve. A key object is built for each verification and thrown away: the verification
itself dominates, and a cache would be state in a module.

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


class KeyScheme(Protocol):
    """The rules of one kind of key: consensus (`is_*`) and policy (`is_standard_*`).

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

    def generate(self, entropy: bytes) -> PrivateKey:
        """A new key from at least 32 bytes of entropy; raises `ValueError` below."""
        ...

    def private_key(self, data: bytes) -> PrivateKey | None:
        """The key of a key file's bytes; None when they are no key of this scheme."""
        ...


ED25519: Final[KeyScheme] = Ed25519()
P192_SHA1: Final[KeyScheme] = P192Sha1()
