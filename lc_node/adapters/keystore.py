"""The node's key in a file of its own: encrypted under a passphrase, or plain and for the owner's eyes.

A key file is JSON. Encrypted, the seed is sealed by ChaCha20-Poly1305 (RFC 8439) under a key that scrypt
(RFC 7914) draws from the passphrase; what else the file says is authenticated with it.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lc_node.adapters.private_files import check_private_file, write_private
from lc_node.chain.addresses import encode_address
from lc_node.chain.types import PublicKey, Signature
from lc_node.ports.keystore import (
    KeyExists,
    KeyMalformed,
    KeyMissing,
    PassphraseMissing,
    PassphraseWrong,
)

_SEED_BYTES: Final = 32
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_FILE_BYTES_MAX: Final = 16 * 1024
_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=256)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScryptCost:
    """How dear it is to try a passphrase; the default takes 128 MiB and about half a second."""

    n: int = 2**17
    r: int = 8
    p: int = 1


class _Scrypt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="scrypt"):
    """How the file's key follows from the passphrase; bounded, so that no file eats the memory."""

    n: Annotated[int, msgspec.Meta(ge=2, le=2**20)]
    r: Annotated[int, msgspec.Meta(ge=1, le=8)]
    p: Annotated[int, msgspec.Meta(ge=1, le=4)]
    salt: _Hex


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a key file holds."""

    version: Literal[1]
    address: str
    kdf: _Scrypt | None
    """None: the seed is plain."""
    nonce: _Hex
    seed: _Hex


class FileKeystore:
    """A key in memory; it signs and derives, and shows itself to nobody who does not ask by name."""

    __slots__ = ("_private", "_public", "_seed")

    def __init__(self, seed: bytes) -> None:
        """Hold the key of a seed of 32 bytes (RFC 8032)."""
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = PublicKey(self._private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Return a new key."""
        return cls(secrets.token_bytes(_SEED_BYTES))

    def __repr__(self) -> str:
        return f"FileKeystore({encode_address(self._public)})"

    def __reduce__(self) -> NoReturn:
        message = "a key is not copied into other processes"
        raise TypeError(message)

    @property
    def public_key(self) -> PublicKey:
        """The node's identity and account."""
        return self._public

    def sign(self, message: bytes) -> Signature:
        """Return the Ed25519 signature (RFC 8032, pure) of ``message``."""
        return Signature(self._private.sign(message))

    @property
    def transport_secret(self) -> bytes:
        """The X25519 secret key (32 bytes, RFC 7748) of the CURVE transport."""
        return self._derived("lc/transport/1")

    @property
    def transport_public(self) -> bytes:
        """The X25519 public key (32 bytes) that belongs to it."""
        private = X25519PrivateKey.from_private_bytes(self.transport_secret)
        return private.public_key().public_bytes_raw()

    @property
    def beacon_seed(self) -> bytes:
        """The seed (32 bytes) of the hash chain that the beacon is fed from."""
        return self._derived("lc/beacon-seed/1")

    @property
    def salt_seed(self) -> bytes:
        """The seed (32 bytes) of the salts of bids and verdicts."""
        return self._derived("lc/salt/1")

    def export_pkcs8(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM (RFC 8410), for a backup."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def save(self, path: Path, passphrase: str | None, cost: ScryptCost | None = None) -> None:
        """Write the key file, complete or not at all; without a passphrase the seed is plain.

        Raises:
            KeyExists: there is a key already; it stays.
        """
        write_private(path, self._sealed(passphrase, cost or ScryptCost()), taken=KeyExists(path))

    def _sealed(self, passphrase: str | None, cost: ScryptCost) -> bytes:
        address = encode_address(self._public)
        if passphrase is None:
            file = _KeyFile(1, address, None, "", self._seed.hex())
        else:
            salt = secrets.token_bytes(_SALT_BYTES).hex()
            nonce = secrets.token_bytes(_NONCE_BYTES)
            head = _KeyFile(1, address, _Scrypt(cost.n, cost.r, cost.p, salt), nonce.hex(), "")
            sealed = _cipher(head, passphrase).encrypt(nonce, self._seed, _authenticated(head))
            file = msgspec.structs.replace(head, seed=sealed.hex())
        return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"

    def _derived(self, tag: str) -> bytes:
        """Return a secret of its own for a purpose (RFC 5869)."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=tag.encode()).derive(self._seed)


def load_keystore(path: Path, passphrase: str | None) -> FileKeystore:
    """Read a key file.

    Raises:
        KeyMissing: there is none.
        KeyUnsafe: others could have read or replaced it.
        KeyMalformed: damaged, of a newer version, or of another address than it says.
        PassphraseMissing, PassphraseWrong: the passphrase is what it takes.
    """
    try:
        check_private_file(path)
        file = msgspec.json.decode(_read(path), type=_KeyFile)
    except FileNotFoundError as error:
        raise KeyMissing(path) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise KeyMalformed(path, str(error)) from None  # the cause would carry the file's text
    seed = _opened(path, file, passphrase)
    if len(seed) != _SEED_BYTES:
        raise KeyMalformed(path, f"the seed has {len(seed)} bytes, not {_SEED_BYTES}")
    keystore = FileKeystore(seed)
    if encode_address(keystore.public_key) != file.address:
        raise KeyMalformed(path, f"the key is not that of {file.address}")
    return keystore


def is_encrypted(path: Path) -> bool:
    """Tell whether a key file takes a passphrase.

    Raises:
        KeyMissing, KeyUnsafe, KeyMalformed: there is none, others could read it, or it is damaged.
    """
    try:
        check_private_file(path)
        return msgspec.json.decode(_read(path), type=_KeyFile).kdf is not None
    except FileNotFoundError as error:
        raise KeyMissing(path) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise KeyMalformed(path, str(error)) from None  # as above


def _opened(path: Path, file: _KeyFile, passphrase: str | None) -> bytes:
    if file.kdf is None:
        return bytes.fromhex(file.seed)
    if passphrase is None:
        raise PassphraseMissing(path)
    head = msgspec.structs.replace(file, seed="")
    try:
        nonce, sealed = bytes.fromhex(file.nonce), bytes.fromhex(file.seed)
        return _cipher(head, passphrase).decrypt(nonce, sealed, _authenticated(head))
    except InvalidTag as error:
        raise PassphraseWrong(path) from error
    except ValueError as error:  # a nonce of the wrong length, an n that is no power of two
        raise KeyMalformed(path, str(error)) from error


def _cipher(head: _KeyFile, passphrase: str) -> ChaCha20Poly1305:
    kdf = head.kdf
    if kdf is None:
        message = "a plain key has no cipher"
        raise ValueError(message)
    drawn = Scrypt(salt=bytes.fromhex(kdf.salt), length=32, n=kdf.n, r=kdf.r, p=kdf.p)
    return ChaCha20Poly1305(drawn.derive(passphrase.encode()))


def _authenticated(head: _KeyFile) -> bytes:
    """Return what the seal covers besides the seed: everything that the file says."""
    return msgspec.json.encode(head)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_FILE_BYTES_MAX)
