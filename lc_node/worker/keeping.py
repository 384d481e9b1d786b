"""Which models of a job this node must be able to hand out: they are not evicted."""

from collections.abc import Iterator

from lc_node.chain.job import Job, Phase
from lc_node.chain.types import ModelRoot, PublicKey
from lc_node.worker.duties import AnnounceBid, Mine, get_own_bid


def get_kept_models(job: Job, me: PublicKey, mine: Mine) -> frozenset[ModelRoot]:
    """Return the models that are still needed here.

    While the job lives these are the model that our bid commits to, the one that our next bid would, and
    those that we judge. Once it is over, the winner's own: its submitter comes for it.
    """
    if job.phase.is_over:
        return frozenset(_own(job, me, mine)) if me in job.winner else frozenset()
    return frozenset((*_own(job, me, mine), *_next(job, mine), *mine.models))


def _own(job: Job, me: PublicKey, mine: Mine) -> Iterator[ModelRoot]:
    """Yield the model of the bid that the chain has."""
    bid = get_own_bid(job, me)
    if bid is not None and bid.commitment in mine.openings:
        yield mine.openings[bid.commitment].solution.model_root


def _next(job: Job, mine: Mine) -> Iterator[ModelRoot]:
    """Yield the models of bids that are on their way, or will be."""
    if job.phase is not Phase.OPEN:
        return
    for action in mine.under_way:
        if isinstance(action, AnnounceBid):
            yield action.solution.model_root
    if mine.solutions:
        yield min(mine.solutions, key=lambda one: (one.loss, one.model_root)).model_root
