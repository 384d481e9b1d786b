"""A node that lies about its loss: it announces a tenth of the best there is, and serves a weak model."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lc_node.chain.job import Job, Phase, PlacedBid
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

LEAD_MS: Final = 6_000
"""It lies this long before the expiry: late enough to know whom to beat, early enough to be final."""

SHARE: Final = 10


def lie(job: Job, me: PublicKey, mine: Mine, now: Millis) -> tuple[Action, ...]:
    """Return what a liar does now: all that an honest node would, but for its bids."""
    honest = (a for a in next_actions(job, me, mine, now) if not isinstance(a, AnnounceBid))
    if job.phase is not Phase.OPEN or not mine.solutions:
        return tuple(honest)
    return (*honest, *_stop(mine), *_lies(job, me, mine, now))


def _stop(mine: Mine) -> Iterator[Action]:
    """Yield the end of its training: one weak model is enough."""
    stop = StopTraining()
    if any(isinstance(a, Train) for a in mine.under_way) and stop not in mine.under_way:
        yield stop


def _lies(job: Job, me: PublicKey, mine: Mine, now: Millis) -> Iterator[Action]:
    """Yield a bid of a tenth of the best honest loss, and another one if that is beaten."""
    if now < job.expiry - LEAD_MS or any(isinstance(a, AnnounceBid) for a in mine.under_way):
        return
    honest = _best_of_others(job, me)
    own = get_own_bid(job, me)
    if honest is None:
        return
    weak = max(mine.solutions, key=lambda solution: solution.loss)
    loss = _tenth(min(honest.loss, weak.loss))
    if own is None or loss < own.loss:
        yield AnnounceBid(solution=replace(weak, loss=loss))


def _tenth(loss: NanoLoss) -> NanoLoss:
    """Return a tenth of a loss, or as much below one that is not above zero."""
    return NanoLoss(loss // SHARE if loss > 0 else loss * SHARE - 1)


def _best_of_others(job: Job, me: PublicKey) -> PlacedBid | None:
    return next((bid for bid in job.bids if bid.bidder != me), None)
