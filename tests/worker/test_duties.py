"""What a node owes a job in each phase, and what it leaves alone."""

import pytest

from lc_node.chain.job import Job, Phase, Standing, Verdict
from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, Millis, NanoLoss, Salt
from lc_node.worker.duties import (
    AnnounceBid,
    CommitVerdict,
    Evaluate,
    FetchImage,
    FetchModel,
    Mine,
    OpenBid,
    Opening,
    RevealVerdict,
    Solution,
    Stage,
    StopTraining,
    Train,
    get_bar,
    get_stage,
    next_actions,
)
from tests.worker.samples import (
    COMMITMENT,
    EXPIRY,
    MANIFEST,
    ME,
    NOW,
    OPEN,
    RIVAL,
    ROOT,
    SIZE,
    SUBMITTER,
    a_bid,
    a_job,
    seated,
)

SOLUTION = Solution(loss=NanoLoss(500), model_root=ROOT, model_bytes=SIZE)
OPENING = Opening(solution=SOLUTION, salt=Salt(bytes(32)))
FETCH_IMAGE = FetchImage(manifest=MANIFEST, total_bytes=ByteCount(1_000))
LOSSES = Verdict(losses=(NanoLoss(500),), fault=Fault.NONE)


def mine(**known: object) -> Mine:
    return Mine(**{"wanted": True, **known})  # type: ignore[arg-type]


MY_BID = a_job(Phase.OPEN, a_bid(ME))
COMMIT = seated(Phase.COMMIT)
LATE = Millis(EXPIRY - 3_000)
COMMIT_LOSSES = CommitVerdict(candidate=RIVAL, size=3, verdict=LOSSES)


def commit_fault(fault: Fault) -> CommitVerdict:
    return CommitVerdict(candidate=RIVAL, size=3, verdict=Verdict(losses=(), fault=fault))


@pytest.mark.parametrize(
    ("job", "own", "now", "actions"),
    [
        (OPEN, mine(), NOW, (FETCH_IMAGE,)),
        (OPEN, mine(image_ready=True), NOW, (Train(until=EXPIRY),)),
        (OPEN, mine(wanted=False), NOW, ()),
        (OPEN, mine(image_refused=True), NOW, ()),
        (OPEN, mine(trained=True, image_ready=True), NOW, ()),
        (OPEN, mine(under_way=frozenset({FETCH_IMAGE})), NOW, ()),
        (OPEN, mine(), EXPIRY, ()),
        (OPEN, mine(wanted=False, solutions=(SOLUTION,)), NOW, (AnnounceBid(solution=SOLUTION),)),
        (MY_BID, mine(wanted=False, solutions=(SOLUTION,)), NOW, ()),
        (
            a_job(Phase.OPEN, a_bid(RIVAL, -(2**63))),
            mine(wanted=False, solutions=(SOLUTION,)),
            NOW,
            (AnnounceBid(solution=SOLUTION),),
        ),
        (
            a_job(Phase.OPENING, a_bid(ME)),
            mine(openings={COMMITMENT: OPENING}),
            NOW,
            (OpenBid(opening=OPENING),),
        ),
        (
            a_job(Phase.OPENING, a_bid(ME, standing=Standing.RESERVE)),
            mine(openings={COMMITMENT: OPENING}),
            NOW,
            (),
        ),
        (
            a_job(Phase.OPENING),
            mine(under_way=frozenset({Train(until=EXPIRY)})),
            NOW,
            (StopTraining(),),
        ),
        (
            COMMIT,
            mine(),
            NOW,
            (FETCH_IMAGE, FetchModel(candidate=RIVAL, model_root=ROOT, model_bytes=SIZE)),
        ),
        (
            COMMIT,
            mine(image_ready=True, models=frozenset({ROOT})),
            NOW,
            (Evaluate(candidate=RIVAL, model_root=ROOT),),
        ),
        (COMMIT, mine(models=frozenset({ROOT})), NOW, (FETCH_IMAGE,)),
        (COMMIT, mine(verdicts={RIVAL: LOSSES}), NOW, (COMMIT_LOSSES,)),
        (
            COMMIT,
            mine(verdicts={RIVAL: LOSSES}, under_way=frozenset({COMMIT_LOSSES})),
            NOW,
            (),
        ),
        (COMMIT, mine(image_refused=True), NOW, (commit_fault(Fault.IMAGE_UNAVAILABLE),)),
        (COMMIT, mine(), LATE, (commit_fault(Fault.IMAGE_UNAVAILABLE),)),
        (COMMIT, mine(image_ready=True), LATE, (commit_fault(Fault.MODEL_UNAVAILABLE),)),
        (
            COMMIT,
            mine(image_ready=True, models=frozenset({ROOT})),
            LATE,
            (commit_fault(Fault.DECLINED),),
        ),
        (seated(Phase.COMMIT, (COMMITMENT,)), mine(verdicts={RIVAL: LOSSES}), NOW, ()),
        (a_job(Phase.COMMIT), mine(), NOW, ()),
        (seated(Phase.REVEAL), mine(verdicts={RIVAL: LOSSES}), NOW, ()),
        (
            seated(Phase.REVEAL, (COMMITMENT,)),
            mine(verdicts={RIVAL: LOSSES}),
            NOW,
            (RevealVerdict(candidate=RIVAL, verdict=LOSSES),),
        ),
        (a_job(Phase.OPENING, a_bid(ME)), mine(), NOW, ()),
        (seated(Phase.REVEAL, (COMMITMENT,)), mine(), NOW, ()),
        (a_job(Phase.APPEAL, a_bid(ME)), mine(), NOW, ()),
        (a_job(Phase.SETTLED, a_bid(ME)), mine(), NOW, ()),
    ],
)
def test_what_is_to_be_begun_now(
    job: Job, own: Mine, now: Millis, actions: tuple[object, ...]
) -> None:
    assert next_actions(job, ME, own, now) == actions


def test_a_submitter_does_not_train_its_own_job() -> None:
    assert next_actions(OPEN, SUBMITTER, mine(image_ready=True), NOW) == ()


def test_every_phase_is_known() -> None:
    assert [next_actions(a_job(phase), ME, mine(wanted=False), NOW) for phase in Phase] == [()] * 8


def test_a_bid_on_its_way_holds_back_a_worse_one_only() -> None:
    better = Solution(loss=NanoLoss(400), model_root=ROOT, model_bytes=SIZE)
    under_way = frozenset({AnnounceBid(solution=SOLUTION)})

    same = mine(wanted=False, solutions=(SOLUTION,), under_way=under_way)
    improved = mine(wanted=False, solutions=(SOLUTION, better), under_way=under_way)

    assert next_actions(OPEN, ME, same, NOW) == ()
    assert next_actions(OPEN, ME, improved, NOW) == (AnnounceBid(solution=better),)


@pytest.mark.parametrize(
    ("job", "bar"),
    [
        (OPEN, None),
        (a_job(Phase.OPEN, a_bid(RIVAL, 1)), None),
        (a_job(Phase.OPEN, a_bid(RIVAL, 1), a_bid(SUBMITTER, 7)), 7),
        (a_job(Phase.OPEN, a_bid(ME, 1), a_bid(SUBMITTER, 7)), 1),
    ],
)
def test_the_bar_is_our_own_bid_or_the_last_place_never_the_leader(
    job: Job, bar: int | None
) -> None:
    assert get_bar(job, ME, places_max=2) == bar


@pytest.mark.parametrize(
    ("job", "own", "stage"),
    [
        (OPEN, mine(), Stage.IDLE),
        (OPEN, mine(under_way=frozenset({FETCH_IMAGE})), Stage.FETCHING_IMAGE),
        (OPEN, mine(under_way=frozenset({Train(until=EXPIRY)})), Stage.TRAINING),
        (MY_BID, mine(), Stage.WAITING),
        (seated(Phase.COMMIT, (COMMITMENT,)), mine(), Stage.COMMITTED),
        (seated(Phase.REVEAL, (COMMITMENT,), (LOSSES,)), mine(), Stage.REVEALED),
        (a_job(Phase.REFUNDED), mine(), Stage.DONE),
    ],
)
def test_an_owner_sees_where_the_node_stands(job: Job, own: Mine, stage: Stage) -> None:
    assert get_stage(job, ME, own) is stage
