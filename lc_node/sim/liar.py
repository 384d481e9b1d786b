"""A node that lies about its loss: it announces a tenth of the leader's, and serves a weak model."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lc_node.chain.job import Job, Phase
from lc_node.chain.ranking import get_leader
from lc_node.chain.types import Millis, NanoLoss, PublicKey
from lc_node.worker.duties import (
    Action,
    AnnounceBid,
    Mine,
    StopTraining,
    Train,
    get_own_bid,
    next_actions,
)

LEAD_MS: Final = 8_000
"""It lies this long before the expiry: late enough that nobody grows suspicious, early enough to be final."""

SHARE: Final = 10


def lie(job: Job, me: PublicKey, mine: Mine, now: Millis) -> tuple[Action, ...]:
    """Return what a liar does now: all that an honest node would, but for its one bid."""
    honest = (a for a in next_actions(job, me, mine, now) if not isinstance(a, AnnounceBid))
    return (*honest, *_lies(job, me, mine, now))


def _lies(job: Job, me: PublicKey, mine: Mine, now: Millis) -> Iterator[Action]:
    if job.phase is not Phase.OPEN or not mine.solutions:
        return
    if any(isinstance(action, Train) for action in mine.under_way):
        stop = StopTraining()
        if stop not in mine.under_way:
            yield stop
    leader = get_leader(job)
    is_told = get_own_bid(job, me) is not None or any(
        isinstance(action, AnnounceBid) for action in mine.under_way
    )
    if leader is not None and not is_told and now >= job.expiry - LEAD_MS:
        loss = NanoLoss(leader.loss // SHARE)
        yield AnnounceBid(solution=replace(mine.solutions[0], loss=loss))
