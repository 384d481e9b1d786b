"""Hashes and signatures, each kind of signed thing under a domain tag of its own."""

import hashlib
from typing import Final, Protocol

from lc_node.chain.types import Digest, PublicKey, Signature

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 1 << 255


class Signer(Protocol):
    """Whoever holds a private key: signs, and never shows it."""

    @property
    def public_key(self) -> PublicKey:
        """The identity that the signatures verify under."""
        ...

    def sign(self, message: bytes) -> Signature:
        """Return the Ed25519 signature (RFC 8032, pure) of ``message``."""
        ...


def digest(tag: str, *parts: bytes) -> Digest:
    """Return SHA-256 over a domain tag and parts, each prefixed by its length (8 bytes, big endian)."""
    state = hashlib.sha256()
    for part in (tag.encode(), *parts):
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return Digest(state.digest())


def sha256(data: bytes) -> Digest:
    """Return the plain SHA-256 of ``data``."""
    return Digest(hashlib.sha256(data).digest())
