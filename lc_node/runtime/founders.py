"""The genesis document that nodes found together: equal shares for all who are there."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.types import MicroCredits, Millis
from lc_node.runtime.genesis_builder import Founder, build_genesis
from lc_node.wire.founding import Candidacy

SHARE: Final = MicroCredits(1_000 * CREDIT)
"""What each founder may spend."""
BOND: Final = MicroCredits(100 * CREDIT)
"""What each founder has at stake, so that all votes weigh the same."""


class FoundedOtherwise(LearningChainError):
    """The document that was founded does not give us what we came for."""

    def __init__(self, genesis: Genesis, why: str) -> None:
        """Name the chain and what is wrong with its document."""
        super().__init__(
            f"chain {chain_id(genesis).hex()} was founded as {genesis.graph!r} in this room, but {why}; "
            "find out who does this, or found the graph by `lc-node genesis new` and join lines"
        )


def found(graph: str, candidacies: Sequence[Candidacy], time: Millis) -> Genesis:
    """Return the document of a graph that these found, all with the same rights."""
    return build_genesis(graph, DEVNET, time, [_founder(one) for one in candidacies])


def found_alone(own: Candidacy, time: Millis) -> Genesis:
    """Return the document of a graph that admits nobody else until its only founder invites them."""
    params = replace(DEVNET, is_private=True)
    return build_genesis(own.graph, params, time, [_founder(own)])


def check_founded(genesis: Genesis, own: Candidacy) -> bool:
    """Return whether we are a founder; else we are a latecomer, who begins without credits.

    Raises:
        FoundedOtherwise: it is not the document that ``found`` makes of what we signed.
    """
    if genesis.graph != own.graph:
        raise FoundedOtherwise(genesis, f"its document says {genesis.graph!r}")
    entry = next((one for one in genesis.accounts if one.key == own.key), None)
    if entry is None:
        return False
    if (
        own.key not in genesis.members
        or entry.link != (own.link,)
        or entry.resources != own.offers
    ):
        raise FoundedOtherwise(genesis, "our account in it is not what we signed")
    if any((one.balance, one.bonded) != (SHARE, BOND) for one in genesis.accounts):
        raise FoundedOtherwise(genesis, "not all have the same share in it")
    if genesis.params != DEVNET:
        raise FoundedOtherwise(
            genesis, "its rules are not those of a graph that is founded in a room"
        )
    return True


def _founder(one: Candidacy) -> Founder:
    return Founder(
        key=one.key,
        balance=SHARE,
        bonded=BOND,
        link=one.link,
        offers=one.offers[0] if one.offers else None,
    )
