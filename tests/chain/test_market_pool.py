"""The accounts with a bond are found without looking at all others."""

from msgspec.structs import replace

from lc_node.chain.records import Account
from lc_node.chain.state import State
from lc_node.chain.types import MicroCredits
from tests.chain.market import Market, key


def bonded(state: State) -> list[bytes]:
    return [found for found, _ in state.staked_accounts()]


def with_bond(state: State, who: str, amount: int) -> None:
    account = state.account(key(who))
    state.set_account(key(who), replace(account, epoch_bond=MicroCredits(amount)))


def test_staked_accounts_come_in_key_order_and_others_do_not() -> None:
    market = Market(["sue", "bob"], verifiers=4)

    assert bonded(market.state) == sorted(key(f"v{index}") for index in range(4))


def test_a_change_counts_at_once_and_in_its_own_branch_only() -> None:
    market = Market(["sue"], verifiers=1)
    left, right = market.state.child(), market.state.child()

    with_bond(left, "sue", 5)
    with_bond(right, "v0", 0)

    assert bonded(left) == sorted([key("sue"), key("v0")])
    assert bonded(right) == []


def test_what_became_final_is_remembered() -> None:
    market = Market(["sue"], verifiers=1)
    with_bond(market.state, "sue", 5)
    with_bond(market.state, "v0", 0)

    market.state.flatten()

    assert bonded(market.state) == [key("sue")]


def test_a_loaded_state_knows_who_has_a_bond() -> None:
    market = Market(["sue"], verifiers=2)
    market.state.flatten()
    entries = list(market.state.commitment().entries())

    loaded = State.load(entries)

    assert bonded(loaded) == bonded(market.state)
    assert loaded.account(key("nobody")) == Account()
