"""Small transactions that travel together: a frame costs both ends more than what is in it."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from lc_node.chain.types import Digest
from lc_node.wire.limits import TOGETHER_BYTES, TOGETHER_MAX

Named: TypeAlias = tuple[Digest, bytes]
"""A transaction's name (``wire.gossip.message_id``) and its bytes."""


def together(messages: Iterable[Named]) -> Iterator[tuple[Named, ...]]:
    """Yield the messages in their order, as many together as a frame takes."""
    batch: list[Named] = []
    size = 0
    for message in messages:
        size += len(message[1])
        if batch and (len(batch) == TOGETHER_MAX or size > TOGETHER_BYTES):
            yield tuple(batch)
            batch, size = [], len(message[1])
        batch.append(message)
    if batch:
        yield tuple(batch)
