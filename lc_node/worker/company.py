"""Whom a node needs to be connected with for a job: models and images go straight from who has them to who needs them."""

from lc_node.chain.job import Job, Phase
from lc_node.chain.types import PublicKey


def get_company(job: Job, me: PublicKey, *, fetches_image: bool) -> frozenset[PublicKey]:
    """Return the nodes that have what we need now, or need what only we may have.

    A candidate and its committee need each other from the draw on, the members and who fetches the image its
    submitter, and a submitter the winner, for whose model it comes.
    """
    needed = {job.submitter} if fetches_image else set()
    if job.phase is Phase.COMMIT:
        examination = job.examinations[-1]
        seats = {seat.member.key for seat in examination.seats}
        if me == examination.candidate:
            needed |= seats
        elif me in seats:
            needed |= {examination.candidate, job.submitter}
    elif me == job.submitter:
        needed |= set(job.winner)
    return frozenset(needed - {me})
