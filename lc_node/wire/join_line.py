"""The line that lets a machine join a graph: its chain, a few nodes to begin with, perhaps an invitation."""

import base64
from typing import Annotated, Final, NewType

import msgspec

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import digest
from lc_node.chain.errors import LearningChainError, MalformedBytes
from lc_node.chain.types import ChainId, PublicKey
from lc_node.wire.endpoints import Endpoint, is_host
from lc_node.wire.invitations import Invitation
from lc_node.wire.records import ENDPOINTS_MAX
from lc_node.wire.session import TransportKey

PREFIX: Final = "lcjoin1"
"""The last sign is the version."""
BOOTSTRAPS_MAX: Final = 3
_PREFIX_OF_ANY_VERSION: Final = "lcjoin"
_CHECKSUM_BYTES: Final = 5
_LINE_BYTES_MAX: Final = 8 * 1024
_BASE32_GROUP: Final = 8

BearerSecret = NewType(
    "BearerSecret", Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
)
"""The seed of the key that an invitation for nobody in particular names."""


class BadJoinLine(LearningChainError):
    """A text is no join line; what was typed or copied wrong is to be done again."""

    def __init__(self, why: str) -> None:
        """Say what is wrong with the text."""
        super().__init__(
            f"not a join line: {why}; copy the whole line that `lc-node invite` printed"
        )
        self.why = why


class Bootstrap(Record):
    """A node to begin with, the keys it must prove, and where it is reached, the best first."""

    key: PublicKey
    transport_key: TransportKey
    endpoints: Annotated[
        tuple[Endpoint, ...], msgspec.Meta(min_length=1, max_length=ENDPOINTS_MAX)
    ]


class Pass(Record):
    """An invitation to a private graph; with its secret it is good for whoever has the line."""

    invitation: Invitation
    secret: Annotated[tuple[BearerSecret, ...], msgspec.Meta(max_length=1)]


class JoinLine(Record):
    """What a join line says."""

    chain_id: ChainId
    graph: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    bootstraps: Annotated[
        tuple[Bootstrap, ...], msgspec.Meta(min_length=1, max_length=BOOTSTRAPS_MAX)
    ]
    passes: Annotated[tuple[Pass, ...], msgspec.Meta(max_length=1)]


_DECODER: Final = Decoder(JoinLine, what="join line", bytes_max=_LINE_BYTES_MAX)


def write_join_line(line: JoinLine) -> str:
    """Return the line as it is sent around: one word, no case, a checksum at its end."""
    data = encode(line)
    return PREFIX + base64.b32encode(data + _checksum(data)).decode().rstrip("=").lower()


def read_join_line(text: str) -> JoinLine:
    """Return what a line says.

    Raises:
        BadJoinLine: mistyped, cut, or of another version.
    """
    word = "".join(text.split()).lower()
    if not word.startswith(PREFIX):
        is_other = word.startswith(_PREFIX_OF_ANY_VERSION)
        raise BadJoinLine(
            "it is of another version than this node reads"
            if is_other
            else f"it does not begin with {PREFIX}"
        )
    data, checksum = _split(word.removeprefix(PREFIX))
    if checksum != _checksum(data):
        raise BadJoinLine("its checksum does not fit, so a character is wrong or missing")
    try:
        line = _DECODER.decode(data)
    except MalformedBytes as error:
        raise BadJoinLine(error.why) from error
    if not all(is_host(one.host) for boot in line.bootstraps for one in boot.endpoints):
        raise BadJoinLine("a host in it is not one that can be dialed")
    return line


def _split(text: str) -> tuple[bytes, bytes]:
    if len(text) > 2 * _LINE_BYTES_MAX:
        raise BadJoinLine("it is too long")
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % _BASE32_GROUP))
    except ValueError as error:  # binascii.Error, and what is not ASCII
        raise BadJoinLine(
            "it has a character that join lines do not use, or one too few"
        ) from error
    return data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]


def _checksum(data: bytes) -> bytes:
    return digest("lc/join/1", data)[:_CHECKSUM_BYTES]
