"""Public keys as people read and type them: bech32m (BIP-350) with the prefix ``lc``."""

from typing import Final

from lc_node.chain.crypto import PUBLIC_KEY_BYTES
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import PublicKey

PREFIX: Final = "lc"
_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32M: Final = 0x2BC830A3
_CHECKSUM_SYMBOLS: Final = 6
_LENGTH_MAX: Final = 90  # beyond it the checksum no longer promises to find four errors


class BadAddress(LearningChainError):
    """A text is not an address of this network."""

    def __init__(self, why: str) -> None:
        """Say what is wrong with the text."""
        super().__init__(f"not an address: {why}; copy it again, whole")
        self.why = why


def encode_address(key: PublicKey) -> str:
    """Return a key's address, ``lc1`` and 58 characters."""
    return bech32m_encode(PREFIX, _regrouped(key, 8, 5))


def decode_address(text: str) -> PublicKey:
    """Return the key that an address stands for.

    Raises:
        BadAddress: mistyped, of another network, or not of a key.
    """
    prefix, symbols = bech32m_decode(text)
    if prefix != PREFIX:
        raise BadAddress(f"it begins with {prefix!r}, ours begin with {PREFIX!r}")
    # A key of 32 bytes fills 52 symbols but for four bits, which are zero.
    data = _regrouped(symbols, 5, 8)
    if len(data) != PUBLIC_KEY_BYTES + 1 or data[-1] != 0:
        raise BadAddress("it does not hold a key of 32 bytes")
    return PublicKey(data[:PUBLIC_KEY_BYTES])


def bech32m_encode(prefix: str, symbols: bytes) -> str:
    """Return the bech32m text of 5-bit symbols under a lower-case prefix."""
    checksum = _polymod(_expanded(prefix) + symbols + bytes(_CHECKSUM_SYMBOLS)) ^ _BECH32M
    tail = bytes(checksum >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_SYMBOLS))
    return prefix + "1" + "".join(_ALPHABET[symbol] for symbol in symbols + tail)


def bech32m_decode(text: str) -> tuple[str, bytes]:
    """Return prefix and 5-bit symbols of a bech32m text.

    Raises:
        BadAddress: not bech32m, or its checksum does not fit.
    """
    if len(text) > _LENGTH_MAX or any(not "!" <= character <= "~" for character in text):
        raise BadAddress(f"it is longer than {_LENGTH_MAX} characters or has strange ones")
    if text not in (text.lower(), text.upper()):
        raise BadAddress("it mixes upper and lower case")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or not prefix or len(data) < _CHECKSUM_SYMBOLS:
        raise BadAddress("it is too short or has no separator '1'")
    if any(character not in _ALPHABET for character in data):
        raise BadAddress("it has a character that addresses do not use")
    symbols = bytes(_ALPHABET.index(character) for character in data)
    if _polymod(_expanded(prefix) + symbols) != _BECH32M:
        raise BadAddress("its checksum does not fit, so a character is wrong or missing")
    return prefix, symbols[:-_CHECKSUM_SYMBOLS]


def _polymod(values: bytes) -> int:
    """Return the checksum polynomial over 5-bit values (BIP-173)."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for i, coefficient in enumerate(_GENERATOR):
            checksum ^= coefficient if top >> i & 1 else 0
    return checksum


def _expanded(prefix: str) -> bytes:
    """Return a prefix as 5-bit values for the checksum: high bits, zero, low bits (BIP-173)."""
    codes = prefix.encode("ascii")
    return bytes(code >> 5 for code in codes) + b"\x00" + bytes(code & 31 for code in codes)


def _regrouped(values: bytes, bits_from: int, bits_to: int) -> bytes:
    """Return a bit string regrouped, its last group filled with zeros on the right."""
    total = len(values) * bits_from
    number = 0
    for value in values:
        number = number << bits_from | value
    groups = -(-total // bits_to)
    number <<= groups * bits_to - total
    mask = (1 << bits_to) - 1
    return bytes(number >> bits_to * (groups - 1 - i) & mask for i in range(groups))
