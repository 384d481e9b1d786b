"""A leader may propose what it likes; nothing of it stays once its view is past."""

from msgspec.structs import replace

from lc_node.chain.blocks import block_id
from lc_node.chain.types import Height
from lc_node.chain.votes import VoteKind
from tests.consensus.stage import (
    ROOT_ID,
    START,
    Author,
    Stage,
    certificate,
    propose,
    subject_of,
)


def test_a_body_of_absurd_height_is_dropped_once_a_later_view_is_final() -> None:
    author, stage = Author(), Stage(None).start()
    honest = author.block(2, ROOT_ID, time=START + 2)
    junk = replace(honest, header=replace(honest.header, view=1, height=Height(2**60)))
    stage.tell(propose(junk, 0))
    stage.adopt(certificate(VoteKind.NULLIFY, 1))
    stage.tell(propose(honest, 0))
    subject = subject_of(honest, 0)

    stage.adopt(certificate(VoteKind.NOTARIZE, 2, subject))
    stage.adopt(certificate(VoteKind.FINALIZE, 2, subject))

    tree = stage.core._replica.tree
    assert tree.tip_id == block_id(honest.header)
    assert tree.body(block_id(junk.header)) is None
