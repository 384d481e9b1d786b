"""Every receipt of the chain is one sentence for people, or deliberately none."""

from typing import get_args

import pytest

from lc_node.api import schema
from lc_node.chain.codec import Record
from lc_node.chain.events import (
    Banned,
    BidPlaced,
    CandidateDecided,
    JobEnded,
    JobForgotten,
    Locked,
    MarketEvent,
    Paid,
    PhaseEntered,
    Reason,
    VerdictRevealed,
)
from lc_node.chain.job import Label, Outcome, Phase
from lc_node.chain.transactions import Fault
from lc_node.chain.types import Height, JobId, MicroCredits, Millis, NanoLoss
from lc_node.runtime.event_texts import credits_text, event_of
from tests.chain.market import EXPIRES_IN, Market, flat, key, model

JOB = JobId(model("job"))


def told(record: Record) -> schema.Event:
    event = event_of(record, Height(3), Millis(7))
    assert event is not None
    return event


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (1, "0.000001"), (100_000, "0.1"), (20_000_000, "20"), (-1_500_000, "-1.5")],
)
def test_credits_are_written_without_needless_zeros(micro: int, text: str) -> None:
    assert credits_text(micro) == text


@pytest.mark.parametrize(
    ("record", "code", "end"),
    [
        (
            BidPlaced(
                job=JOB,
                reason=Reason.BID,
                bidder=key("tom"),
                loss=NanoLoss(101_800_000),
                rank=1,
                bond=MicroCredits(0),
            ),
            "bid",
            "announced 0.101800, rank 1",
        ),
        (
            PhaseEntered(job=JOB, reason=Reason.ALL_COMMITTED, phase=Phase.REVEAL, due=Millis(0)),
            "phase",
            "reveal: all committed",
        ),
        (
            VerdictRevealed(
                job=JOB,
                candidate=key("tom"),
                member=key("rita"),
                losses=(),
                fault=Fault.TIMED_OUT,
            ),
            "verdict",
            "found timed out for",
        ),
        (
            CandidateDecided(
                job=JOB,
                candidate=key("tom"),
                loss=NanoLoss(1),
                outcome=Outcome.CONFIRMED,
                reason=Reason.CONFIRMED,
            ),
            "confirmed",
            "is confirmed",
        ),
        (
            CandidateDecided(
                job=JOB,
                candidate=key("tom"),
                loss=NanoLoss(1),
                outcome=Outcome.REFUTED,
                reason=Reason.REFUTED,
            ),
            "void",
            "is refuted",
        ),
        (
            Banned(
                job=JOB,
                key=key("tom"),
                reason=Reason.GROSSLY_REFUTED,
                burned=MicroCredits(994_000_000),
            ),
            "banned",
            "loses 994 credits",
        ),
        (
            Paid(job=JOB, to=key("tom"), reason=Reason.FEE_REST, amount=MicroCredits(5)),
            "paid",
            "gets 0.000005 credits: fee rest",
        ),
        (
            JobEnded(
                job=JOB,
                reason=Reason.NO_BIDS,
                phase=Phase.REFUNDED,
                winner=(),
                loss=(),
                label=Label.NONE,
            ),
            "refunded",
            "refunded: no bids",
        ),
        (
            JobEnded(
                job=JOB,
                reason=Reason.CONFIRMED,
                phase=Phase.SETTLED,
                winner=(key("tom"),),
                loss=(NanoLoss(1),),
                label=Label.STRONG,
            ),
            "settled",
            "label strong",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Record) else "",
)
def test_a_receipt_is_told_in_words(record: Record, code: str, end: str) -> None:
    event = told(record)

    assert (event.code, event.job, event.height, event.time) == (code, JOB.hex(), 3, 7)
    assert end in event.text


@pytest.mark.parametrize(
    "record",
    [
        JobForgotten(job=JOB, reason=Reason.FORGOTTEN),
        Locked(job=JOB, key=key("tom"), reason=Reason.FEE, amount=MicroCredits(1)),
    ],
)
def test_what_says_nothing_to_an_owner_is_not_told(record: Record) -> None:
    assert event_of(record, Height(1), Millis(0)) is None


def test_a_whole_story_is_told_without_a_failure() -> None:
    market = Market(["sue", "tom", "rita"])
    job = market.post()
    market.auction(job, {"tom": 100, "rita": 90})
    market.judge(job, flat(90))
    market.skip_to(market.state.meta.time + EXPIRES_IN)

    kinds = {type(event) for event in market.events}
    told_ = [event_of(event, Height(1), Millis(0)) for event in market.events]

    assert len(kinds) > len(get_args(MarketEvent)) // 2
    assert all(event.text.strip() for event in told_ if event is not None)
