"""Whom a job makes a node need: who has the model or the image, and who is to judge ours."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from lc_node.chain.job import Job, Phase
from lc_node.chain.types import PublicKey
from lc_node.worker.company import get_company
from tests.worker.samples import ME, OPEN, RIVAL, SUBMITTER, seated

COMMIT = seated(Phase.COMMIT)
SEATS = frozenset(seat.member.key for seat in COMMIT.examinations[-1].seats)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A job, who looks at it, and whom it needs."""

    job: Job
    me: PublicKey
    fetches_image: bool = False
    needed: frozenset[PublicKey]


@pytest.mark.parametrize(
    "case",
    [
        Case(job=OPEN, me=ME, needed=frozenset()),
        Case(job=OPEN, me=ME, fetches_image=True, needed=frozenset({SUBMITTER})),
        Case(job=COMMIT, me=RIVAL, needed=SEATS),
        Case(job=COMMIT, me=ME, needed=frozenset({RIVAL, SUBMITTER})),
        Case(job=COMMIT, me=PublicKey(b"o" * 32), needed=frozenset()),
        Case(job=OPEN, me=SUBMITTER, needed=frozenset()),
        Case(
            job=replace(OPEN, phase=Phase.SETTLED, winner=(RIVAL,)),
            me=SUBMITTER,
            needed=frozenset({RIVAL}),
        ),
    ],
    ids=["open", "image", "candidate", "seat", "outsider", "submitter", "settled"],
)
def test_a_node_needs_whom_the_job_makes_it_need(case: Case) -> None:
    assert get_company(case.job, case.me, fetches_image=case.fetches_image) == case.needed
