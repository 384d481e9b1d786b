"""Getting a job's image before it is needed: a committee has little time, and may draw us."""

from typing import Final

from lc_node.chain.committee import is_able
from lc_node.chain.crypto import digest
from lc_node.chain.job import Job
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Account
from lc_node.chain.types import Millis, MillisSpan, PublicKey

SPREAD_MAX_MS: Final = MillisSpan(20_000)
"""Those who may judge begin within such a span, so that not all fetch at once."""

_PARTS: Final = 4
"""Of a short job the span is this part of the time that is left."""


def may_judge(params: ProtocolParams, account: Account, job: Job, me: PublicKey) -> bool:
    """Return whether a committee of a job may draw this node as things stand."""
    return me != job.submitter and is_able(params, account, job.spec.resources)


def get_prefetch_time(job: Job, me: PublicKey, since: Millis) -> Millis:
    """Return when a node that may judge a job fetches its image, having seen the first bid at ``since``.

    Without a bid there is nothing to judge, and those who train fetch undisturbed. Each node waits for its
    own share of the spread: the same each time, unlike that of other nodes.
    """
    spread = min(SPREAD_MAX_MS, max(0, job.expiry - since) // _PARTS)
    share = int.from_bytes(digest("lc/prefetch/1", job.id, me)[:4], "big")
    return Millis(since + (share * spread >> 32))
