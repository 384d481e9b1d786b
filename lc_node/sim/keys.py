"""Signatures that are cheap to make and check, and that anybody could forge: for simulation only."""

import hashlib
from dataclasses import dataclass
from typing import Self

from lc_node.chain.crypto import sha256
from lc_node.chain.types import PublicKey, Signature


@dataclass(frozen=True, slots=True)
class SimSigner:
    """A key pair in name only: the signature is a keyed hash under the public key."""

    public_key: PublicKey

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the signer of a name."""
        return cls(PublicKey(sha256(name.encode())))

    def sign(self, message: bytes) -> Signature:
        """Return the keyed hash of a message."""
        return _sign(self.public_key, message)


def verify(public_key: PublicKey, message: bytes, signature: Signature) -> bool:
    """Return whether this is what the signer of the key would have made."""
    return signature == _sign(public_key, message)


def _sign(public_key: PublicKey, message: bytes) -> Signature:
    return Signature(hashlib.blake2b(message, key=public_key, digest_size=64).digest())
