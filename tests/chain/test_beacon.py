"""Hash chains: every link opens the one above it."""

from collections.abc import Callable

import pytest

from lc_node.chain.beacon import LinkChain, link_above, next_beacon
from lc_node.chain.crypto import sha256
from lc_node.chain.types import Beacon, Digest, Link

SEED = sha256(b"seed")


@pytest.mark.parametrize("links", [1, 2, 1_024, 1_025])
def test_the_chain_is_walked_down_to_its_seed(links: int) -> None:
    chain = LinkChain(SEED, links=links)
    shown, steps = chain.commitment, 0

    while (reveal := chain.below(shown)) is not None:
        assert link_above(reveal) == shown
        shown, steps = reveal, steps + 1

    assert (shown, steps) == (SEED, links)


def test_a_link_shown_on_an_abandoned_branch_is_shown_again() -> None:
    chain = LinkChain(SEED, links=10)

    assert chain.below(chain.commitment) == chain.below(chain.commitment)


def test_a_link_of_another_chain_has_nothing_below() -> None:
    assert LinkChain(SEED, links=10).below(LinkChain(sha256(b"x"), links=9).commitment) is None


def test_the_beacon_depends_on_what_was_before_and_on_the_reveal() -> None:
    one, two = Digest(bytes(32)), sha256(b"")

    assert next_beacon(Beacon(one), Link(two)) != next_beacon(Beacon(two), Link(one))


@pytest.mark.parametrize("links", [1, 1_024, 1_025, 3_000])
def test_a_chain_that_was_kept_is_the_same_again(links: int) -> None:
    chain = LinkChain(SEED, links=links)

    again = LinkChain.load(SEED, chain.dump(), links=links)

    assert again is not None
    assert again.commitment == chain.commitment
    assert again.below(again.commitment) == chain.below(chain.commitment)


@pytest.mark.parametrize(
    ("seed", "harm"),
    [
        (sha256(b"another seed"), lambda data: data),
        (SEED, lambda data: data[:-1]),
        (SEED, lambda data: data + b"x"),
        (SEED, lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        (SEED, lambda data: data[:0]),
    ],
    ids=["another seed", "cut", "longer", "one bit", "empty"],
)
def test_kept_links_that_are_harmed_or_of_another_seed_are_not_taken(
    seed: Digest, harm: Callable[[bytes], bytes]
) -> None:
    data = harm(LinkChain(SEED, links=2_000).dump())

    assert LinkChain.load(seed, data, links=2_000) is None
