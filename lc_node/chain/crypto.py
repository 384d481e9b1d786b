"""Hashes and signatures, each kind of signed thing under a domain tag of its own."""

import hashlib
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lc_node.chain.types import Digest, PublicKey, Signature

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_Y_MASK: Final = 2**255 - 1

_ORDER_8_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _ORDER_8_Y, _P - _ORDER_8_Y})
"""The y of the eight points whose order divides 8; each stands with either sign of x."""


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
    state = _started(tag).copy()
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return Digest(state.digest())


@lru_cache(maxsize=256)
def _started(tag: str) -> "hashlib._Hash":
    """Return a hash that has taken a domain tag; copies of it go on with the parts."""
    encoded = tag.encode()
    return hashlib.sha256(len(encoded).to_bytes(8, "big") + encoded)


def sha256(data: bytes) -> Digest:
    """Return the plain SHA-256 of ``data``."""
    return Digest(hashlib.sha256(data).digest())


def verify(public_key: PublicKey, message: bytes, signature: Signature) -> bool:
    """Return whether a signature is a public key's over a message.

    Libraries disagree on signatures that no honest signer makes (Chalkias et al., "Taming the many
    EdDSAs", eprint 2020/1244), and nodes must not. So what they disagree on is refused beforehand:
    encodings that are not canonical, and points of small order.
    """
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    if int.from_bytes(signature[32:], "little") >= _L:  # RFC 8032, 5.1.7: S is below L
        return False
    if not _is_sound_point(public_key) or not _is_sound_point(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _is_sound_point(encoded: bytes) -> bool:
    """Return whether an encoded point's y is canonical (RFC 8032, 5.1.3) and its order is large."""
    y = int.from_bytes(encoded, "little") & _Y_MASK
    return y < _P and y not in _SMALL_ORDER_Y
