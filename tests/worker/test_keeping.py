"""Which models must not be evicted."""

from msgspec.structs import replace

from lc_node.chain.crypto import sha256
from lc_node.chain.job import Phase
from lc_node.chain.types import ModelRoot, NanoLoss, Salt
from lc_node.worker.duties import AnnounceBid, Mine, OpenBid, Opening, Solution
from lc_node.worker.keeping import get_kept_models
from tests.worker.samples import COMMITMENT, ME, RIVAL, SIZE, a_bid, a_job


def solution(loss: int) -> Solution:
    root = ModelRoot(sha256(b"%d" % loss))
    return Solution(loss=NanoLoss(loss), model_root=root, model_bytes=SIZE)


BID, BETTER, OLD, THEIRS = (solution(loss) for loss in (500, 400, 900, 1))
OWN = {COMMITMENT: Opening(solution=BID, salt=Salt(bytes(32)))}
FOUND = Mine(wanted=True, solutions=(OLD, BID, BETTER), openings=OWN)


def roots(*solutions: Solution) -> frozenset[ModelRoot]:
    return frozenset(one.model_root for one in solutions)


def test_of_our_models_the_bid_and_the_best_are_kept() -> None:
    assert get_kept_models(a_job(Phase.OPEN, a_bid(ME)), ME, FOUND) == roots(BID, BETTER)


def test_a_model_whose_bid_is_on_its_way_is_kept() -> None:
    mine = Mine(wanted=True, under_way=frozenset({AnnounceBid(solution=OLD)}))

    assert get_kept_models(a_job(Phase.OPEN), ME, mine) == roots(OLD)


def test_once_bidding_has_ended_only_the_bid_is_kept() -> None:
    assert get_kept_models(a_job(Phase.COMMIT, a_bid(ME)), ME, FOUND) == roots(BID)


def test_models_that_we_judge_are_kept() -> None:
    mine = Mine(wanted=False, models=roots(THEIRS))

    assert get_kept_models(a_job(Phase.COMMIT, a_bid(RIVAL)), ME, mine) == roots(THEIRS)


def test_who_lost_keeps_nothing_once_the_job_is_over() -> None:
    job = replace(a_job(Phase.SETTLED, a_bid(ME)), winner=(RIVAL,))

    assert get_kept_models(job, ME, FOUND) == frozenset()


def test_the_winner_keeps_its_model_for_the_submitter() -> None:
    job = replace(a_job(Phase.SETTLED, a_bid(ME)), winner=(ME,))

    assert get_kept_models(job, ME, FOUND) == roots(BID)


def test_an_opening_that_is_on_its_way_keeps_nothing_beside_the_best() -> None:
    mine = Mine(
        wanted=True,
        solutions=(BETTER,),
        under_way=frozenset({OpenBid(opening=OWN[COMMITMENT])}),
    )

    assert get_kept_models(a_job(Phase.OPEN), ME, mine) == roots(BETTER)
