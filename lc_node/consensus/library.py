"""Answers to who asks for blocks or certificates; nothing here changes a state."""

from collections import deque

from lc_node.chain.blocks import Block
from lc_node.chain.codec import encode
from lc_node.chain.types import Height
from lc_node.consensus.application import Application
from lc_node.consensus.book import CertificateBook
from lc_node.consensus.messages import (
    BLOCKS_BYTES_MAX,
    BLOCKS_MAX,
    CERTIFICATES_MAX,
    SPAN_MAX,
    Blocks,
    Certificates,
    GetBlocks,
    GetCertificates,
)


def finalized_blocks(question: GetBlocks, application: Application) -> Blocks | None:
    """Return blocks that end with a certified one; None if we have none of these heights.

    As many as fit. If not even the shortest certified run fits, then the last blocks of it: the asker
    knows by their ids that they are right, and asks for those below them next.
    """
    window = _Window()
    answer: Blocks | None = None
    below = min(question.below, question.first + SPAN_MAX)
    for height in range(question.first, below):
        block = application.finalized_block(Height(height))
        if block is None:
            break
        window.append(block)
        if window.is_shifted and answer is not None:
            return answer
        certificate = application.finalization(Height(height))
        if certificate is not None:
            answer = Blocks(blocks=window.blocks, certificate=(certificate,))
    if answer is None and window.blocks:
        return Blocks(blocks=window.blocks, certificate=())
    return answer


def certificates(question: GetCertificates, book: CertificateBook) -> Certificates | None:
    """Return held certificates of the views asked for and a newer finalisation; None if there are none."""
    found = list(book.between(question.first, question.last, CERTIFICATES_MAX))
    newest = book.finalization
    if newest is not None and newest.view > question.finalized and newest not in found:
        found.append(newest)
    return Certificates(certificates=tuple(found)) if found else None


class _Window:
    """The last blocks of a run that fit into one answer."""

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque()
        self._sizes: deque[int] = deque()
        self.is_shifted = False

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(self._blocks)

    def append(self, block: Block) -> None:
        self._blocks.append(block)
        self._sizes.append(len(encode(block)))
        while len(self._blocks) > BLOCKS_MAX or (
            sum(self._sizes) > BLOCKS_BYTES_MAX and len(self._blocks) > 1
        ):
            self._blocks.popleft()
            self._sizes.popleft()
            self.is_shifted = True
