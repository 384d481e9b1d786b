"""Slots that leaders missed: every header tells, by its view and its parent's (docs/CONSENSUS.md, F.5)."""

from collections import Counter
from typing import Final

from msgspec.structs import replace

from lc_node.chain.leaders import Leaders
from lc_node.chain.records import Account
from lc_node.chain.state import State
from lc_node.chain.types import View

SLOTS_MIN: Final = 10
"""Fewer slots in an epoch say nothing about who had them."""

SKIPPED_MAX: Final = 1_024
"""Skipped views, the last ones before a block, that are looked at: after a long darkness all are equally guilty."""


def count_missed(state: State, below: View, view: View) -> None:
    """Count on every leader between the parent's view, ``below``, and the block's that it came to nothing."""
    first = max(below + 1, view - SKIPPED_MAX)
    if first >= view:
        return
    leaders = Leaders.of(state.meta.chain_id, state.validators)
    missed = Counter(leaders.leader(View(skipped)) for skipped in range(first, view))
    for key, count in sorted(missed.items()):
        account = state.account(key)
        service = replace(account.service, missed=account.service.missed + count)
        state.set_account(key, replace(account, service=service))


def is_absent(account: Account) -> bool:
    """Return whether a leader missed half of its slots in this epoch, or more."""
    missed = account.service.missed
    slots = account.service.blocks + missed
    return slots >= SLOTS_MIN and 2 * missed >= slots
