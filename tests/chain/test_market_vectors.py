"""The market's arithmetic against files that a second implementation could replay."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lc_node.chain.agreement import (
    Ballot,
    Question,
    decide,
    get_agreeing,
    get_grossly_wrong,
)
from lc_node.chain.commitments import (
    Announcement,
    SeatName,
    compute_bid_commitment,
    compute_lot,
    compute_verdict_commitment,
)
from lc_node.chain.draw import Urn, compute_next_size, draw
from lc_node.chain.fees import (
    compute_bid_bond,
    compute_commit_window,
    compute_evaluation_price,
    compute_fee,
    compute_tolerance,
)
from lc_node.chain.job import Outcome, Verdict
from lc_node.chain.params import DEVNET
from lc_node.chain.records import Member
from lc_node.chain.transactions import Fault, JobSpec, Tolerance
from lc_node.chain.types import (
    Beacon,
    ByteCount,
    ChainId,
    Digest,
    JobId,
    MicroCredits,
    ModelRoot,
    NanoLoss,
    PartsPerMillion,
    PublicKey,
    Salt,
    Seconds,
    TransactionId,
    Weight,
)
from tests.chain.market import SPEC, TOLERANCE

VECTORS = Path(__file__).parents[1] / "vectors"
Case = dict[str, Any]


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


FEES, COMMITMENTS, DRAWS = load("market_fees"), load("market_commitments"), load("market_draws")
DECISIONS = load("market_decisions")["cases"]


def unhex(text: str) -> Digest:
    return Digest(bytes.fromhex(text))


def spec_of(case: Case) -> JobSpec:
    return replace(
        SPEC,
        image=replace(SPEC.image, total_bytes=ByteCount(case["image_bytes"])),
        model_bytes_max=ByteCount(case.get("model_bytes_max", 0)),
        evaluate_seconds=Seconds(case["evaluate_seconds"]),
        open_to_newcomers=case.get("open_to_newcomers", False),
    )


@pytest.mark.parametrize("case", FEES["fees"])
def test_the_fee_is_some_times_the_price_of_an_evaluation(case: Case) -> None:
    spec = spec_of(case)

    assert compute_evaluation_price(DEVNET, spec) == case["unit"]
    assert compute_fee(DEVNET, spec) == case["fee"]


@pytest.mark.parametrize("case", FEES["bid_bonds"])
def test_a_bid_bond_is_a_part_of_the_bounty_but_not_less_than_the_least(case: Case) -> None:
    assert compute_bid_bond(DEVNET, MicroCredits(case["bounty"])) == case["bond"]


@pytest.mark.parametrize("case", FEES["tolerances"])
def test_a_tolerance_grows_with_the_size_of_the_loss(case: Case) -> None:
    tolerance = Tolerance(
        absolute=NanoLoss(case["absolute"]), relative=PartsPerMillion(case["relative"])
    )

    assert compute_tolerance(tolerance, NanoLoss(case["loss"])) == case["tolerance"]


@pytest.mark.parametrize("case", FEES["commit_windows"])
def test_a_committee_has_time_to_fetch_and_to_evaluate(case: Case) -> None:
    window = compute_commit_window(DEVNET, spec_of(case), ByteCount(case["model_bytes"]))

    assert window == case["window_ms"]


@pytest.mark.parametrize("case", COMMITMENTS["bids"])
def test_a_bid_commits_to_key_loss_and_model(case: Case) -> None:
    announced = Announcement(
        job=JobId(unhex(case["job"])),
        bidder=PublicKey(unhex(case["bidder"])),
        loss=NanoLoss(case["loss"]),
        model_root=ModelRoot(unhex(case["model_root"])),
        model_bytes=ByteCount(case["model_bytes"]),
    )
    chain, salt = ChainId(unhex(case["chain_id"])), Salt(unhex(case["salt"]))

    assert compute_bid_commitment(chain, announced, salt).hex() == case["commitment"]


@pytest.mark.parametrize("case", COMMITMENTS["verdicts"])
def test_a_verdict_commits_to_member_candidate_and_size(case: Case) -> None:
    seat = SeatName(
        job=JobId(unhex(case["job"])),
        candidate=PublicKey(unhex(case["candidate"])),
        size=case["size"],
        member=PublicKey(unhex(case["member"])),
    )
    verdict = Verdict(losses=tuple(case["losses"]), fault=Fault(case["fault"]))
    chain, salt = ChainId(unhex(case["chain_id"])), Salt(unhex(case["salt"]))

    assert compute_verdict_commitment(chain, seat, verdict, salt).hex() == case["commitment"]


@pytest.mark.parametrize("case", COMMITMENTS["lots"])
def test_a_lot_depends_on_the_beacon_of_the_block(case: Case) -> None:
    lot = compute_lot(
        ChainId(unhex(case["chain_id"])),
        Beacon(unhex(case["beacon"])),
        TransactionId(unhex(case["transaction"])),
    )

    assert lot.hex() == case["lot"]


@pytest.mark.parametrize("case", DRAWS, ids=lambda case: case["title"])
def test_a_draw_can_be_repeated_by_anyone(case: Case) -> None:
    urn = Urn(
        chain_id=ChainId(unhex(case["chain_id"])),
        beacon=Beacon(unhex(case["beacon"])),
        job=JobId(unhex(case["job"])),
        candidate=PublicKey(unhex(case["candidate"])),
        size=case["size"],
    )
    pool = [Member(key=PublicKey(unhex(k)), weight=Weight(w)) for k, w in case["pool"]]

    drawn = draw(urn, pool, case["count"])

    assert [member.key.hex() for member in drawn] == case["drawn"]


@pytest.mark.parametrize(
    ("size", "pool", "following"),
    [
        (0, 100, 3),
        (3, 100, 7),
        (7, 100, 15),
        (15, 100, 100),
        (0, 2, 2),
        (3, 5, 5),
        (7, 12, 12),
    ],
)
def test_a_committee_grows_to_the_next_size_or_the_whole_pool(
    size: int, pool: int, following: int
) -> None:
    assert compute_next_size(DEVNET, size, pool) == following


def ballot_of(case: Case) -> Ballot:
    verdict = Verdict(losses=tuple(case["losses"]), fault=Fault(case["fault"]))
    return Ballot(member=PublicKey(Digest(bytes([case["member"]]) * 32)), verdict=verdict)


@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: case["title"])
def test_a_committee_decides_as_its_verdicts_say(case: Case) -> None:
    question = Question(
        announced=NanoLoss(case["announced"]),
        tolerance=TOLERANCE,
        seats=case["seats"],
        first=case["first"],
        last=case["last"],
    )

    decision = decide(DEVNET, question, [ballot_of(ballot) for ballot in case["ballots"]])

    found = decision and (decision.outcome, decision.gross, decision.discordant)
    assert found == (case["outcome"] and (case["outcome"], case["gross"], case["discordant"]))


@pytest.mark.parametrize(
    "case", [case for case in DECISIONS if case["outcome"]], ids=lambda case: case["title"]
)
def test_who_agrees_is_paid_and_who_is_far_off_is_wrong(case: Case) -> None:
    ballots = [ballot_of(ballot) for ballot in case["ballots"]]
    outcome = Outcome(case["outcome"])

    agreeing = get_agreeing(ballots, outcome, TOLERANCE)
    wrong = get_grossly_wrong(DEVNET, ballots, outcome, TOLERANCE)

    assert [key[0] for key in agreeing] == case["agreeing"]
    assert [key[0] for key in wrong] == case["wrong"]
