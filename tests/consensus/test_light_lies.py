"""A light client is lied to: whatever single value of an answer is false, it is refused by name."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import verify
from lc_node.chain.errors import BadProof, MalformedBytes, MalformedEntries
from lc_node.chain.types import Height
from lc_node.consensus.checkpoint import (
    CHECKPOINT_DECODER,
    checkpoint_of,
    trusted_from,
)
from lc_node.consensus.inquiries import FINALIZED_DECODER, PROVEN_ENTRY_DECODER
from lc_node.consensus.light import (
    account_key,
)
from lc_node.consensus.light_errors import (
    BadTestimony,
    EpochAhead,
    WrongCheckpoint,
)
from lc_node.consensus.messages import EpochProof
from tests.chain.actors import BERT
from tests.consensus.proven_chain import begun, here, three_epochs, world

KEY: Final = account_key(BERT.public_key)
PROOF_DECODER: Final = Decoder(EpochProof, what="epoch proof", bytes_max=64 * 1024)
REFUSALS: Final = (BadTestimony, BadProof, MalformedBytes, MalformedEntries, EpochAhead)
"""The names by which something false may be refused."""


# Lies: one value of an answer is another one.

T = TypeVar("T")


def leaves(value: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield the places of all values, and of all lists, in a decoded answer."""
    if path:
        yield path
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))


def changed(value: Any, draw: Callable[[int], int]) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bytes):
        if not value:
            return b"\x00"
        place = draw(len(value))
        return value[:place] + bytes((value[place] ^ (1 << draw(8)),)) + value[place + 1 :]
    if isinstance(value, int):
        return value + 1
    return [*value[:-1]] if value else [bytes(32)]


def with_lie(answer: Record, path: tuple[int, ...], draw: Callable[[int], int]) -> bytes:
    """Return an answer's bytes with the value at a place changed."""
    data = msgspec.msgpack.decode(encode(answer))
    holder = data
    for index in path[:-1]:
        holder = holder[index]
    holder[path[-1]] = changed(holder[path[-1]], draw)
    return encode(data)


def lies(answer: Record) -> st.SearchStrategy[bytes]:
    """Return answers of which one value is false."""
    places = list(leaves(msgspec.msgpack.decode(encode(answer))))

    @st.composite
    def lie(draw: st.DrawFn) -> bytes:
        def number(below: int) -> int:
            return draw(st.integers(0, below - 1))

        return with_lie(answer, draw(st.sampled_from(places)), number)

    return lie()


thorough = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@thorough
@given(
    st.integers(0, 1).flatmap(lambda epoch: lies(world().proof(epoch)).map(lambda x: (epoch, x)))
)
def test_no_false_end_of_an_epoch_is_believed(lie: tuple[int, bytes]) -> None:
    epoch, data = lie
    mind = begun(world().document).follow(world().proofs()[:epoch])

    with pytest.raises(REFUSALS):
        mind.follow([PROOF_DECODER.decode(data)])


@thorough
@given(lies(world().entry(KEY)))
def test_no_false_entry_is_believed(data: bytes) -> None:
    with pytest.raises(REFUSALS):
        here().entry(KEY, PROVEN_ENTRY_DECODER.decode(data))


@thorough
@given(lies(three_epochs().step().finalized(7, 8)))
def test_no_false_header_is_believed(data: bytes) -> None:
    with pytest.raises(REFUSALS):
        here().header(Height(7), FINALIZED_DECODER.decode(data))


@thorough
@given(lies(checkpoint_of(here().accept(world().tip, world().certificates[Height(7)]))))
def test_a_checkpoint_with_another_value_is_refused_or_trusts_nobody_else(data: bytes) -> None:
    try:
        mind = trusted_from(CHECKPOINT_DECODER.decode(data), verify)
    except (WrongCheckpoint, MalformedBytes):
        return

    assert mind.setting.validators.keys == here().setting.validators.keys
    assert mind.newest.header == world().tip
