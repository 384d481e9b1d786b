"""A genesis document travels in parts, and only its digest makes it believed."""

import pytest

from lc_node.chain.errors import MalformedBytes
from lc_node.chain.genesis import chain_id_of
from lc_node.wire.genesis_parts import (
    PART_BYTES,
    PARTS_MAX,
    AskGenesis,
    Assembly,
    TellGenesis,
    part_of,
)

SHORT = b"document"
LONG = bytes(range(256)) * (2 * PART_BYTES // 256) + b"the rest"


def carried(document: bytes, name: bytes) -> bytes:
    """Ask for one part after the other, as a node does."""
    assembly = Assembly(chain_id_of(name))
    for _ in range(PARTS_MAX):
        answer = part_of(document, assembly.question)
        assert answer is not None
        if (whole := assembly.take(answer)) is not None:
            return whole
    pytest.fail("never whole")


@pytest.mark.parametrize("document", [SHORT, LONG, LONG[: 2 * PART_BYTES]])
def test_the_parts_make_the_document(document: bytes) -> None:
    assert carried(document, document) == document


def test_there_is_no_part_behind_the_last() -> None:
    assert part_of(LONG, AskGenesis(part=3)) is None


def test_another_document_is_not_believed() -> None:
    with pytest.raises(MalformedBytes, match="digest"):
        carried(SHORT, b"what was asked for")


def test_a_peer_cannot_make_the_parts_more_as_they_come() -> None:
    assembly = Assembly(chain_id_of(LONG))
    assembly.take(TellGenesis(parts=2, data=bytes(PART_BYTES)))

    with pytest.raises(MalformedBytes, match="belong together"):
        assembly.take(TellGenesis(parts=3, data=bytes(PART_BYTES)))


def test_a_peer_cannot_answer_in_crumbs() -> None:
    with pytest.raises(MalformedBytes, match="belong together"):
        Assembly(chain_id_of(LONG)).take(TellGenesis(parts=2, data=b"crumb"))
