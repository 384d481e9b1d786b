"""Answers to who asks for blocks or certificates; nothing here changes a state."""

from lc_node.chain.blocks import Block
from lc_node.chain.codec import encode
from lc_node.chain.types import Height
from lc_node.chain.votes import Certificate
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

    As many as fit, all of one epoch, since of another the asker may not know the validators. If not even
    the shortest certified run fits, then the last blocks of it: the asker knows by their ids that they
    are right, and asks for those below them next.
    """
    below = min(question.below, Height(question.first + SPAN_MAX))
    window, certified = _Window(), 0
    certificate: Certificate | None = None
    for height in range(question.first, below):
        block = application.finalized_block(Height(height))
        if block is None or not window.append(block):
            break
        found = application.finalization(Height(height))
        if found is not None:
            certificate, certified = found, len(window.blocks)
    if certificate is not None:
        return Blocks(blocks=window.blocks[:certified], certificate=(certificate,))
    return _top_of_run(question.first, below, application) if window.blocks else None


def _top_of_run(first: Height, below: Height, application: Application) -> Blocks | None:
    """Return the last blocks of a run that is too long, without a look at those below them.

    The newest final block has a certificate, so that a span without any lies wholly below it.
    """
    top, certificate = Height(below - 1), None
    for height in range(first, below):
        certificate = application.finalization(Height(height))
        if certificate is not None:
            top = Height(height)
            break
    window = _Window()
    for height in range(top, first - 1, -1):
        block = application.finalized_block(Height(height))
        if block is None or not window.append(block):
            break
    if not window.blocks:
        return None
    ending = () if certificate is None else (certificate,)
    return Blocks(blocks=window.blocks[::-1], certificate=ending)


def certificates(question: GetCertificates, book: CertificateBook) -> Certificates | None:
    """Return held certificates of the views asked for and a newer finalisation; None if there are none."""
    found = list(book.between(question.first, question.last, CERTIFICATES_MAX))
    newest = book.finalization
    if newest is not None and newest.view > question.finalized and newest not in found:
        found.append(newest)
    return Certificates(certificates=tuple(found)) if found else None


class _Window:
    """The blocks of a run, in one epoch, that fit into one answer."""

    def __init__(self) -> None:
        self.blocks: tuple[Block, ...] = ()
        self._bytes = 0

    def append(self, block: Block) -> bool:
        """Take a block of the same epoch if there is room; there is always room for one."""
        if self.blocks and self.blocks[0].header.epoch != block.header.epoch:
            return False
        size = len(encode(block))
        is_full = len(self.blocks) == BLOCKS_MAX or self._bytes + size > BLOCKS_BYTES_MAX
        if is_full and self.blocks:
            return False
        self.blocks = (*self.blocks, block)
        self._bytes += size
        return True
