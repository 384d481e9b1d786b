"""Answers that are true and cannot be used: of peers that have certificates for some blocks only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytest

from lc_node.chain.blocks import Block
from lc_node.chain.types import Height
from lc_node.chain.votes import Certificate
from lc_node.consensus import block_plan
from lc_node.consensus.application import Application
from lc_node.consensus.block_plan import BlockPlan
from lc_node.consensus.library import finalized_blocks
from lc_node.consensus.messages import BLOCKS_MAX, Blocks, GetBlocks
from lc_node.runtime.ledger import Ledger
from tests.consensus.block_plans import (
    ALL,
    ANN,
    BOB,
    EPOCH_HEIGHTS,
    EVE,
    OPEN,
    beginning,
    fetch,
    handed_out,
    honest,
    ledger,
    plan_of,
    proofs,
    without_certificate,
)

__all__ = ["ledger"]  # a fixture


@pytest.mark.parametrize("shorten", OPEN.values(), ids=OPEN.keys())
def test_an_answer_that_cannot_be_used_is_nobodys_fault_and_others_are_asked(
    shorten: Callable[[Blocks], Blocks], ledger: Ledger
) -> None:
    plan = plan_of(ledger)
    question = plan.ask(EVE)
    assert question is not None
    is_true = plan.take(EVE, shorten(honest(ledger, question)))

    assert (is_true, plan.has_left(EVE)) == (True, False)
    assert fetch(plan, ledger) == ALL


def test_a_peer_whose_answers_cannot_be_used_is_not_asked_for_ever(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    asked = []
    while (question := plan.ask(EVE)) is not None:
        asked.append(question)
        plan.take(EVE, without_certificate(honest(ledger, question)))

    first = [(question.first, question.below) for question in asked]
    assert first == [(1, 11), (1, 65)]


@dataclass(frozen=True)
class CaughtUp:
    """The chain as one has it that has caught up by itself: certificates for the last of some blocks only."""

    ledger: Ledger
    every: int

    def finalized_block(self, height: Height) -> Block | None:
        return self.ledger.finalized_block(height)

    def finalization(self, height: Height) -> Certificate | None:
        is_last = height % self.every == 0 or height % EPOCH_HEIGHTS == 0
        return self.ledger.finalization(height) if is_last else None


@pytest.mark.parametrize("first", [1, 2, 31, 64, 65])
@pytest.mark.parametrize("every", [2, 50, BLOCKS_MAX])
def test_blocks_of_a_peer_that_has_caught_up_itself_are_brought_too(
    ledger: Ledger, every: int, first: int
) -> None:
    way = beginning(ledger)
    assert way.go(proofs(ledger))
    goal = Height(300)
    plan = BlockPlan(Height(first), goal, way, ledger.is_intact)
    peers, server = (ANN, BOB, EVE), CaughtUp(ledger, every)
    heights: list[int] = []
    while questions := [(peer, found) for peer in peers if (found := plan.ask(peer)) is not None]:
        for peer, question in reversed(questions):
            answer = finalized_blocks(question, cast("Application", server))
            assert answer is not None
            assert plan.take(peer, answer)
        heights += handed_out(plan)

    assert plan.is_done
    assert heights[: goal - first + 1] == list(range(first, goal + 1))


def test_no_more_is_fetched_ahead_of_a_slow_peer_from_one_that_has_caught_up_itself(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_plan, "SPANS_AHEAD", 2)
    plan, server = plan_of(ledger), cast("Application", CaughtUp(ledger, 50))
    slow = plan.ask(EVE)
    asked: list[GetBlocks] = []
    while (question := plan.ask(ANN)) is not None and question != slow:
        asked.append(question)
        answer = finalized_blocks(question, server)
        assert answer is not None
        plan.take(ANN, answer)

    assert question == slow
    assert max(one.below for one in asked) <= 3 * BLOCKS_MAX
