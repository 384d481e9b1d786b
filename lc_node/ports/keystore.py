"""The node's one secret, and what is derived from it; nothing here ever shows it."""

from pathlib import Path
from typing import Protocol

from lc_node.chain.crypto import Signer
from lc_node.chain.errors import LearningChainError


class KeyExists(LearningChainError):
    """A key file is never overwritten: credits and bonds would be gone with it."""

    def __init__(self, path: Path) -> None:
        """Name the file that is in the way."""
        super().__init__(f"{path} already holds a key; choose another --home, or move it away.")
        self.path = path


class KeyMissing(LearningChainError):
    """There is no key file yet."""

    def __init__(self, path: Path) -> None:
        """Name the file that was looked for."""
        super().__init__(f"{path} does not exist; make a key with `lc-node init`.")
        self.path = path


class KeyUnsafe(LearningChainError):
    """Others could have read or replaced the key file."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        """Name the file, what is wrong, and the command that mends it."""
        super().__init__(f"{path} {why}; {remedy}")
        self.path = path


class KeyMalformed(LearningChainError):
    """The key file is damaged or of a newer version."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong."""
        super().__init__(f"{path} is not a key file: {why}; restore it from a backup.")
        self.path = path


class PassphraseMissing(LearningChainError):
    """The key is encrypted and no passphrase was given."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(f"{path} is encrypted; give --passphrase-file, or LC_PASSPHRASE_FILE.")
        self.path = path


class PassphraseWrong(LearningChainError):
    """The passphrase does not open the key file."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(f"the passphrase does not open {path}; try again.")
        self.path = path


class Keystore(Signer, Protocol):
    """Signs, and derives the other secrets of the node, so that one backup suffices."""

    @property
    def transport_secret(self) -> bytes:
        """The X25519 secret key (32 bytes, RFC 7748) of the CURVE transport."""
        ...

    @property
    def transport_public(self) -> bytes:
        """The X25519 public key (32 bytes) that belongs to it."""
        ...

    @property
    def beacon_seed(self) -> bytes:
        """The seed (32 bytes) of the hash chain that the beacon is fed from."""
        ...

    @property
    def salt_seed(self) -> bytes:
        """The seed (32 bytes) of the salts of bids and verdicts."""
        ...

    def export_pkcs8(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM (RFC 8410), for a backup."""
        ...
