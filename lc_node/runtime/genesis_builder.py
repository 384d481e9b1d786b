"""Making the document that a chain begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lc_node.chain.addresses import encode_address
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis, GenesisAccount, initial_state
from lc_node.chain.params import DEVNET, MAINNET, ProtocolParams
from lc_node.chain.transactions import Resources
from lc_node.chain.types import Link, MicroCredits, Millis, PublicKey

PRESETS: Final[dict[str, ProtocolParams]] = {"devnet": DEVNET, "mainnet": MAINNET}


class AccountTwice(LearningChainError):
    """Two entries of a genesis document speak of one key."""

    def __init__(self, key: PublicKey) -> None:
        """Name the key."""
        super().__init__(
            f"the account {encode_address(key)} is given twice; give each account once"
        )
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Founder:
    """What one account has when the chain begins; with a bond and a link it is a validator."""

    key: PublicKey
    balance: MicroCredits
    bonded: MicroCredits
    link: Link | None = None
    offers: Resources | None = None
    """What it offers to jobs; who offers nothing never sits on a committee."""

    @property
    def is_member(self) -> bool:
        """Whether it votes in epoch 0."""
        return self.bonded > 0 and self.link is not None


def build_genesis(
    graph: str, params: ProtocolParams, time: Millis, founders: Sequence[Founder]
) -> Genesis:
    """Return a document that a chain can begin with.

    Raises:
        AccountTwice: two founders have one key.
        InvalidGenesis: no member, or too many members or credits.
    """
    ordered = sorted(founders, key=lambda founder: founder.key)
    for one, other in pairwise(ordered):
        if one.key == other.key:
            raise AccountTwice(one.key)
    genesis = Genesis(
        graph=graph,
        params=params,
        time=time,
        accounts=tuple(_account(founder) for founder in ordered),
        members=tuple(founder.key for founder in ordered if founder.is_member),
    )
    initial_state(genesis)
    return genesis


def _account(founder: Founder) -> GenesisAccount:
    return GenesisAccount(
        key=founder.key,
        balance=founder.balance,
        bonded=founder.bonded,
        resources=() if founder.offers is None else (founder.offers,),
        link=() if founder.link is None else (founder.link,),
    )
