"""Slots that leaders missed: counted from headers alone, and who missed half of them is left out."""

from collections import Counter

import pytest
from msgspec.structs import replace

from lc_node.chain.attendance import SKIPPED_MAX, SLOTS_MIN, is_absent
from lc_node.chain.leaders import Leaders
from lc_node.chain.records import Account, Service
from lc_node.chain.transactions import Ready
from lc_node.chain.types import View
from tests.chain.epoch_chain import FOUR, HEIGHTS, SHORT, Chain, four_members

OPEN_TO_THREE = replace(SHORT, validators_ready_min=3)


@pytest.fixture
def chain() -> Chain:
    return Chain(four_members())


def led(chain: Chain, first: int, below: int) -> Counter[str]:
    """Return how many of some views each person leads."""
    names = {who.public_key: who.name for who in FOUR}
    leaders = Leaders.of(chain.state.meta.chain_id, chain.state.validators)
    return Counter(names[leaders.leader(View(view))] for view in range(first, below))


def missed(chain: Chain) -> dict[str, int]:
    return {who.name: chain.account(who).service.missed for who in FOUR}


def first_absence(chain: Chain) -> tuple[View, str]:
    """Return the first view before which somebody has led enough views to be absent, and who that is."""
    for view in range(1, 1_000):
        (who, slots), *_ = led(chain, 1, view).most_common(1) or [("", 0)]
        if slots == SLOTS_MIN:
            return View(view), who
    raise AssertionError("somebody leads ten views of a thousand")


def test_nobody_misses_where_view_follows_view(chain: Chain) -> None:
    chain.step().step()

    assert sum(missed(chain).values()) == 0


def test_the_leaders_between_a_block_and_its_parent_missed_their_slots(chain: Chain) -> None:
    chain.step(view=View(3)).step(view=View(20))

    expected = led(chain, 1, 3) + led(chain, 4, 20)
    assert missed(chain) == {who.name: expected[who.name] for who in FOUR}


def test_a_new_epoch_begins_with_view_one_and_nothing_missed(chain: Chain) -> None:
    chain.step(view=View(50))
    chain.finish()

    assert chain.state.meta.view == 0
    assert sum(missed(chain).values()) == 0


def test_the_work_of_a_long_darkness_is_bounded(chain: Chain) -> None:
    chain.step(view=View(10**9))

    assert sum(missed(chain).values()) == SKIPPED_MAX


@pytest.mark.parametrize(
    ("blocks", "missing", "absent"),
    [
        (0, SLOTS_MIN - 1, False),
        (0, SLOTS_MIN, True),
        (5, 5, True),
        (6, 5, False),
        (20, 19, False),
    ],
)
def test_who_missed_half_of_ten_slots_or_more_is_absent(
    blocks: int, missing: int, *, absent: bool
) -> None:
    assert is_absent(Account(service=Service(blocks=blocks, missed=missing))) is absent


def test_who_was_absent_is_left_out_of_the_next_set() -> None:
    chain = Chain(four_members(params=OPEN_TO_THREE))
    view, who = first_absence(chain)
    chain.step(*((each, Ready(epoch=chain.state.meta.epoch)) for each in FOUR), view=view)
    while chain.state.meta.height < HEIGHTS:
        chain.step()

    assert set(chain.members) == {other.name for other in FOUR} - {who}


def test_where_too_many_were_absent_the_old_set_goes_on() -> None:
    chain = Chain(four_members(params=replace(SHORT, validators_ready_min=1)))
    chain.step(*((who, Ready(epoch=chain.state.meta.epoch)) for who in FOUR), view=View(500))
    while chain.state.meta.height < HEIGHTS:
        chain.step()

    assert set(chain.members) == {who.name for who in FOUR}
