"""How a node behaves: honestly, or as an adversary of the demo does, on a chain for trying things out."""

from collections.abc import Mapping
from typing import Final

from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis
from lc_node.chain.params import DEVNET
from lc_node.runtime.office import Decide
from lc_node.sim.liar import lie
from lc_node.worker.duties import next_actions

CONDUCTS: Final[Mapping[str, Decide]] = {"honest": next_actions, "liar": lie}


class LiarRefused(LearningChainError):
    """Adversaries exist to be watched losing, not to be run against people."""

    def __init__(self) -> None:
        """Say where they may run."""
        super().__init__("--conduct liar runs on chains with the devnet preset only")


def conduct_for(name: str, genesis: Genesis) -> Decide:
    """Return the rules of conduct of that name.

    Raises:
        LiarRefused: the chain is not one for trying things out.
    """
    if name != "honest" and genesis.params != DEVNET:
        raise LiarRefused
    return CONDUCTS[name]
