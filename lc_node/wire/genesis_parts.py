"""The genesis document in parts: how a node that knows only its digest gets it from a peer."""

from typing import Annotated, Final

import msgspec

from lc_node.chain.codec import Decoder, Record
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.genesis import GENESIS_BYTES_MAX, chain_id_of
from lc_node.chain.types import ChainId
from lc_node.wire.limits import KIB

PART_BYTES: Final = 512 * KIB
PARTS_MAX: Final = GENESIS_BYTES_MAX // PART_BYTES

_WHAT: Final = "part of a genesis document"


class AskGenesis(Record):
    """The question of ``Topic.GENESIS``."""

    part: Annotated[int, msgspec.Meta(ge=0, lt=PARTS_MAX)]


class TellGenesis(Record):
    """The answer: a part of the document, each but the last one full."""

    parts: Annotated[int, msgspec.Meta(ge=1, le=PARTS_MAX)]
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=PART_BYTES)]


ASK_DECODER: Final = Decoder(AskGenesis, what="AskGenesis", bytes_max=16)
TELL_DECODER: Final = Decoder(TellGenesis, what=_WHAT, bytes_max=PART_BYTES + 32)


def part_of(document: bytes, question: AskGenesis) -> TellGenesis | None:
    """Return the part that is asked for, None if the document is shorter."""
    begin = question.part * PART_BYTES
    if begin >= len(document):
        return None
    parts = -(-len(document) // PART_BYTES)
    return TellGenesis(parts=parts, data=document[begin : begin + PART_BYTES])


class Assembly:
    """Puts one peer's parts together: bounded, and believed only as a whole, by the digest."""

    def __init__(self, chain_id: ChainId) -> None:
        """Begin without parts of the document that this chain is named by."""
        self._chain_id = chain_id
        self._parts: list[bytes] = []
        self._count = 0

    @property
    def question(self) -> AskGenesis:
        """What to ask for next."""
        return AskGenesis(part=len(self._parts))

    def take(self, answer: TellGenesis) -> bytes | None:
        """Take the answer to ``question``; return the document once it is whole.

        Raises:
            MalformedBytes: the parts do not belong together, or are not the document.
        """
        self._parts.append(answer.data)
        if len(self._parts) == 1:
            self._count = answer.parts
        is_last = len(self._parts) == self._count
        if answer.parts != self._count or (len(answer.data) < PART_BYTES and not is_last):
            raise MalformedBytes(_WHAT, "the parts do not belong together")
        if not is_last:
            return None
        document = b"".join(self._parts)
        if chain_id_of(document) != self._chain_id:
            raise MalformedBytes("genesis document", "its digest is not the chain's name")
        return document
