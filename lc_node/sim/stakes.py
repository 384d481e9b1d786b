"""People and the validator set on the real ledger: they stay in it, join it, leave it, and come back."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from lc_node.chain.attendance import is_absent
from lc_node.chain.params import CREDIT
from lc_node.chain.state import State
from lc_node.chain.transactions import Body, Bond, Ready, Unbond
from lc_node.chain.types import MicroCredits
from lc_node.chain.validators import is_validator
from lc_node.sim.person import Person

STAKE: Final = MicroCredits(50 * CREDIT)
"""What somebody bonds who joins: little against a member's."""

LEAVING: Final = 0.02
"""The chance, each time it could do something, that who has joined leaves."""


def stakes(person: Person, people: Sequence[Person], state: State, rng: Random) -> Iterator[Body]:
    """Yield what a person does about the set, if anything is due."""
    account = state.account(person.key)
    if person.link and not account.bond:
        link = () if account.link or account.next_link else person.link
        yield Bond(amount=STAKE, link=link, resources=())
    elif person.link and is_validator(state.validators, person.key) and rng.random() < LEAVING:
        yield Unbond(amount=account.bond)
    elif account.bond and not account.service.is_ready and _may(person, people, state):
        yield Ready(epoch=state.meta.epoch)


def _may(person: Person, people: Sequence[Person], state: State) -> bool:
    """Return whether a person may ask to go on: the dishonest have less than a third of every set.

    That is what agreement assumes; who is cut off from an epoch may miss the next, so liars ask last.
    """
    if person.is_honest:
        return True
    accounts = [(other, state.account(other.key)) for other in people]
    bad = sum(account.bond for other, account in accounts if not other.is_honest)
    ready = sum(
        account.bond
        for other, account in accounts
        if other.is_honest and account.service.is_ready and not is_absent(account)
    )
    return 2 * bad < ready
