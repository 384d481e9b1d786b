"""Final blocks come together from many peers' answers, in order, whoever lies, sleeps or leaves."""

from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lc_node.chain.blocks import Block
from lc_node.chain.types import Epoch, Height, PublicKey
from lc_node.consensus.block_plan import SILENCES_MAX, SPANS_AHEAD, BlockPlan
from lc_node.consensus.messages import BLOCKS_MAX, Blocks, GetBlocks
from lc_node.consensus.way import EPOCHS_KEPT
from lc_node.runtime.ledger import Ledger
from tests.consensus.block_plans import (
    ALL,
    ANN,
    BOB,
    EPOCH_HEIGHTS,
    EVE,
    FIRST,
    GOAL,
    OPEN,
    beginning,
    fetch,
    handed_out,
    honest,
    ledger,
    plan_of,
    proofs,
)

__all__ = ["ledger"]  # a fixture


def test_an_honest_peer_brings_every_block_in_order(ledger: Ledger) -> None:
    plan = plan_of(ledger)

    assert fetch(plan, ledger) == ALL
    assert plan.is_done


def test_blocks_that_come_early_wait_for_their_turn(ledger: Ledger) -> None:
    plan = plan_of(ledger)
    first, second = plan.ask(ANN), plan.ask(BOB)
    assert first is not None
    assert second is not None
    plan.take(BOB, honest(ledger, second))
    early = handed_out(plan)
    plan.take(ANN, honest(ledger, first))

    assert (early, handed_out(plan)[0]) == ([], FIRST)
    assert (first.below, second.first) == (FIRST + BLOCKS_MAX, FIRST + BLOCKS_MAX)


def test_the_rest_of_a_short_answer_is_asked_for_again(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(110))
    plan.ask(ANN)
    plan.take(ANN, honest(ledger, GetBlocks(first=FIRST, below=Height(11))))
    again = plan.ask(ANN)

    assert again == GetBlocks(first=Height(11), below=Height(65))


def test_only_so_much_is_fetched_ahead(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10_000))
    waiting = plan.ask(EVE)
    asked = [plan.ask(PublicKey(bytes([number]) * 32)) for number in range(10, 60)]

    new = {question.first for question in asked if question is not None} - {FIRST}
    assert waiting is not None
    assert len(new) == SPANS_AHEAD - 1


def test_what_a_slow_peer_owes_is_asked_of_another(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    question = plan.ask(EVE)
    assert question is not None

    assert fetch(plan, ledger) == list(range(1, 11))
    assert plan.take(EVE, honest(ledger, question))
    assert handed_out(plan) == []


def test_an_answer_that_another_was_faster_with_is_dropped_while_that_waits(
    ledger: Ledger,
) -> None:
    plan = plan_of(ledger, Height(10))
    first, second = plan.ask(EVE), plan.ask(ANN)
    assert first is not None
    assert second is not None
    plan.take(ANN, honest(ledger, second))
    plan.take(EVE, honest(ledger, first))

    assert handed_out(plan) == list(range(1, 11))


def without_signature(answer: Blocks) -> Blocks:
    (certificate,) = answer.certificate
    broken = replace(certificate, signatures=certificate.signatures[::-1])
    return replace(answer, certificate=(broken,))


def with_gap(answer: Blocks) -> Blocks:
    return replace(answer, blocks=(answer.blocks[0], *answer.blocks[2:]))


def with_other_transactions(answer: Blocks) -> Blocks:
    last = answer.blocks[-1]
    false = Block(
        header=replace(last.header, transactions_root=last.header.state_root), transactions=()
    )
    return replace(answer, blocks=(*answer.blocks[:-1], false))


LIES: Mapping[str, Callable[[Blocks], Blocks]] = {
    "a forged certificate": without_signature,
    "a gap": with_gap,
    "other transactions": with_other_transactions,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_ends_a_peer_s_part_and_others_are_asked(
    lie: Callable[[Blocks], Blocks], ledger: Ledger
) -> None:
    plan = plan_of(ledger)
    question = plan.ask(EVE)
    assert question is not None
    is_true = plan.take(EVE, lie(honest(ledger, question)))

    assert (is_true, plan.ask(EVE), plan.has_left(EVE)) == (False, None, True)
    assert fetch(plan, ledger) == ALL


def test_blocks_beyond_what_was_asked_are_a_lie(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    plan.ask(EVE)

    assert not plan.take(EVE, honest(ledger, GetBlocks(first=FIRST, below=Height(12))))


def test_blocks_of_two_epochs_in_one_answer_are_a_lie(ledger: Ledger) -> None:
    plan = plan_of(ledger)
    while (question := plan.ask(ANN)) is not None and question.first < EPOCH_HEIGHTS:
        if question.below > EPOCH_HEIGHTS + 1:
            break
        plan.take(ANN, honest(ledger, question))
    assert question is not None
    one = honest(ledger, question)
    rest = GetBlocks(first=Height(question.first + len(one.blocks)), below=question.below)
    two = honest(ledger, rest)
    both = replace(two, blocks=one.blocks + two.blocks)

    assert not plan.take(ANN, both)


def test_blocks_of_an_epoch_that_is_not_known_are_not_believed(ledger: Ledger) -> None:
    plan = BlockPlan(Height(101), GOAL, beginning(ledger), ledger.is_intact)
    question = plan.ask(ANN)
    assert question is not None

    assert not plan.take(ANN, honest(ledger, question))


def test_who_lacks_blocks_is_not_asked_for_them_again(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    plan.ask(BOB)
    plan.lacks(BOB)

    assert (plan.ask(BOB), plan.has_left(BOB), plan.is_stuck) == (None, False, True)
    assert fetch(plan, ledger) == list(range(1, 11))
    assert not plan.is_stuck


def test_who_lacks_the_next_span_is_not_asked_for_it_while_nobody_else_was(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(100))
    plan.ask(BOB)
    plan.lacks(BOB)
    again = plan.ask(ANN)
    assert again is not None
    plan.leave(ANN)

    assert plan.ask(BOB) == GetBlocks(first=Height(65), below=Height(101))
    plan.lacks(BOB)
    assert plan.ask(BOB) is None


def test_what_waits_is_not_stuck(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    question = plan.ask(ANN)
    is_stuck_while_asked = plan.is_stuck
    assert question is not None
    plan.take(ANN, honest(ledger, question))

    assert (is_stuck_while_asked, plan.is_stuck) == (False, False)


def test_a_peer_that_does_not_answer_is_left_after_a_while(ledger: Ledger) -> None:
    plan = plan_of(ledger)
    for _ in range(SILENCES_MAX):
        assert plan.ask(EVE) is not None
        plan.silent(EVE)

    assert plan.has_left(EVE)
    assert fetch(plan, ledger) == ALL


def test_what_is_said_after_a_peer_was_left_is_not_heard(ledger: Ledger) -> None:
    plan = plan_of(ledger)
    question = plan.ask(EVE)
    assert question is not None
    plan.leave(EVE)
    plan.silent(EVE)
    plan.lacks(EVE)

    assert plan.take(EVE, honest(ledger, question))
    assert handed_out(plan) == []


def test_what_two_were_asked_for_is_returned_once(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    plan.ask(EVE)
    plan.ask(BOB)
    plan.leave(EVE)
    plan.leave(BOB)

    assert fetch(plan, ledger) == list(range(1, 11))


def test_what_was_returned_and_then_came_is_not_asked_for(ledger: Ledger) -> None:
    plan = plan_of(ledger, Height(10))
    plan.ask(EVE)
    question = plan.ask(ANN)
    assert question is not None
    plan.leave(EVE)
    plan.take(ANN, honest(ledger, question))

    assert plan.ask(ANN) is None
    assert handed_out(plan) == list(range(1, 11))


@given(st.integers(0, 2**32), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_any_mixture_of_answers_gives_the_chain_or_stops_short_of_a_lie(
    ledger: Ledger, seed: int, liars: int, honest_ones: int
) -> None:
    draw = Random(seed)  # noqa: S311  # not for secrets
    lies = [*LIES.values(), *OPEN.values()]
    peers = {PublicKey(bytes([n]) * 32): n < liars for n in range(liars + honest_ones)}
    plan, heights = plan_of(ledger), list[int]()
    asked: dict[PublicKey, GetBlocks] = {}
    while True:
        for peer in peers:
            if peer not in asked and (question := plan.ask(peer)) is not None:
                asked[peer] = question
        if not asked:
            break
        peer = draw.choice(sorted(asked))
        answer = honest(ledger, asked.pop(peer))
        is_true = plan.take(peer, draw.choice(lies)(answer) if peers[peer] else answer)
        assert is_true or peers[peer]
        heights += handed_out(plan)

    assert heights == ALL[: len(heights)]
    assert plan.is_done or not honest_ones


# The way.


def test_the_way_leads_from_epoch_to_epoch(ledger: Ledger) -> None:
    way = beginning(ledger)

    assert way.go(proofs(ledger))
    assert (way.newest.epoch, way.newest.root.height) == (3, 3 * EPOCH_HEIGHTS)


def test_a_false_proof_ends_the_way_before_it(ledger: Ledger) -> None:
    way, (first, second, third) = beginning(ledger), proofs(ledger)
    false = replace(second, certificate=third.certificate)

    assert not way.go((first, false, third))
    assert way.newest.epoch == 1


def test_a_way_that_was_gone_before_is_not_checked_again(ledger: Ledger) -> None:
    way = beginning(ledger)
    way.retrace(proofs(ledger))

    assert way.newest.epoch == 3


def test_a_header_is_final_by_its_own_epoch(ledger: Ledger) -> None:
    way = beginning(ledger)
    way.go(proofs(ledger))
    certificate = ledger.finalization(Height(150))
    block, other = ledger.finalized_block(Height(150)), ledger.finalized_block(Height(151))
    assert certificate is not None
    assert block is not None
    assert other is not None

    assert way.is_final(block.header, certificate)
    assert not way.is_final(other.header, certificate)
    assert not way.is_final(replace(block.header, epoch=Epoch(9)), certificate)


def test_epochs_long_past_are_forgotten(ledger: Ledger) -> None:
    way = beginning(ledger)
    proof = proofs(ledger)[0]
    way.retrace([proof] * EPOCHS_KEPT)

    assert way.setting_of(Epoch(0)) is None
    assert way.setting_of(Epoch(1)) is not None


def test_a_peer_may_leave_before_it_was_asked_anything(ledger: Ledger) -> None:
    plan = plan_of(ledger)
    plan.leave(EVE)

    assert plan.ask(EVE) is None
