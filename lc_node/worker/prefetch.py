"""Getting a job's image before it is needed: a committee has little time, and may draw us."""

from typing import Final

from lc_node.chain.committee import is_able
from lc_node.chain.crypto import digest
from lc_node.chain.job import Job
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Account
from lc_node.chain.types import Millis, MillisSpan, PublicKey

HEAD_START_MAX_MS: Final = MillisSpan(10_000)
"""Those who train fetch first: they then hand the image on to the others."""

SPREAD_MAX_MS: Final = MillisSpan(20_000)
"""Those who may judge begin within such a span after it, so that not all fetch at once."""

_PARTS: Final = 4
"""Of a short job, head start and spread are each at most this part of the time that is left."""


def may_judge(params: ProtocolParams, account: Account, job: Job, me: PublicKey) -> bool:
    """Return whether a committee of a job may draw this node as things stand."""
    return me != job.submitter and is_able(params, account, job.spec.resources)


def get_prefetch_time(job: Job, me: PublicKey, seen: Millis) -> Millis:
    """Return when a node that may judge a job fetches its image, having seen the job at ``seen``.

    Each node waits for its own share of the spread: the same each time, unlike that of other nodes.
    """
    part = max(0, job.expiry - seen) // _PARTS
    share = int.from_bytes(digest("lc/prefetch/1", job.id, me)[:4], "big")
    wait = share * min(SPREAD_MAX_MS, part) >> 32
    return Millis(seen + min(HEAD_START_MAX_MS, part) + wait)
