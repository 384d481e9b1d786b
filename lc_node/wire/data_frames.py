"""How chunks travel on a data connection: frames of AES-256-GCM (NIST SP 800-38D) under keys of its own.

A frame is its length (4 bytes, big endian; authenticated with it), the encrypted bytes and their tag. The
nonce is the frame's number on the connection in this direction, so that none can be left out, repeated or
moved unnoticed. The keys come of a secret that one end has told the other in their session (HKDF, RFC 5869).
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lc_node.chain.errors import MalformedBytes
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import LIMITS
from lc_node.wire.messages import Frame
from lc_node.wire.session import Role

HEAD_BYTES: Final = 4
TOKEN_BYTES: Final = 16
"""Of each of the three words by which the two ends know each other."""
OPENED_MAX: Final = LIMITS[Kind.CHUNK].bytes_max
"""The longest frame."""

_TAG_BYTES: Final = 16
SEALED_MAX: Final = OPENED_MAX + _TAG_BYTES
"""The longest frame, encrypted, with its tag."""
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_INFO: Final = b"lc/data/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeys:
    """What one end of a data connection needs."""

    token: bytes
    """What the dialer says first, in the clear, so that the listener knows whose connection it is."""
    answer: bytes
    """What the listener says then, so that the dialer knows that it has reached whom it means."""
    confirmation: bytes
    """What the dialer says at last: who has overheard the token does not know it."""
    sending: bytes
    receiving: bytes

    def __repr__(self) -> str:
        """Show nothing: a repr ends up in logs."""
        return "DataKeys()"


def data_keys(secret: bytes, role: Role) -> DataKeys:
    """Return an end's keys; the two ends' are the same with the directions changed."""
    lengths = (TOKEN_BYTES, TOKEN_BYTES, TOKEN_BYTES, _KEY_BYTES, _KEY_BYTES)
    derived = HKDF(algorithm=SHA256(), length=sum(lengths), salt=None, info=_INFO).derive(secret)
    ends = tuple(accumulate(lengths))
    token, answer, confirmation, of_dialer, of_listener = (
        derived[end - length : end] for length, end in zip(lengths, ends, strict=True)
    )
    is_dialer = role is Role.DIALER
    return DataKeys(
        token=token,
        answer=answer,
        confirmation=confirmation,
        sending=of_dialer if is_dialer else of_listener,
        receiving=of_listener if is_dialer else of_dialer,
    )


class Sealer:
    """Encrypts the frames of one direction, in their order."""

    def __init__(self, key: bytes) -> None:
        """Begin with the first frame."""
        self._cipher = AESGCM(key)
        self._number = 0
        self._buffer = memoryview(b"")

    def seal(self, frame: Frame) -> memoryview:
        """Return what is sent for a frame; it holds until the next one."""
        if not self._buffer:
            self._buffer = memoryview(bytearray(HEAD_BYTES + SEALED_MAX))
        length = len(frame) + _TAG_BYTES
        head, sealed = self._buffer[:HEAD_BYTES], self._buffer[HEAD_BYTES : HEAD_BYTES + length]
        head[:] = length.to_bytes(HEAD_BYTES, "big")
        self._cipher.encrypt_into(_nonce(self._number), frame, bytes(head), sealed)
        self._number += 1
        return self._buffer[: HEAD_BYTES + length]


class Opener:
    """Decrypts the frames of one direction, in their order."""

    def __init__(self, key: bytes) -> None:
        """Begin with the first frame."""
        self._cipher = AESGCM(key)
        self._number = 0

    def length(self, head: bytes) -> int:
        """Return how many bytes belong to the frame that begins so.

        Raises:
            MalformedBytes: no frame is as long, or as short.
        """
        length = int.from_bytes(head, "big")
        if not _TAG_BYTES < length <= SEALED_MAX:
            raise MalformedBytes("data frame", f"a length of {length} bytes")
        return length

    def open(self, head: bytes, sealed: memoryview, into: memoryview) -> memoryview:
        """Return the frame, decrypted into the beginning of a buffer of ``OPENED_MAX`` bytes.

        Raises:
            MalformedBytes: it is not the one that was sent as the next.
        """
        frame = into[: len(sealed) - _TAG_BYTES]
        try:
            self._cipher.decrypt_into(_nonce(self._number), sealed, head, frame)
        except InvalidTag:
            raise MalformedBytes("data frame", "it was changed on its way") from None
        self._number += 1
        return frame


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")
