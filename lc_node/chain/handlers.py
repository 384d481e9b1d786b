"""Which rule a transaction's body goes to."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lc_node.chain.accounts import process_bond, process_transfer, process_unbond
from lc_node.chain.bids import process_bid
from lc_node.chain.context import Context
from lc_node.chain.epochs import process_ready
from lc_node.chain.evidence import process_evidence
from lc_node.chain.jobs import (
    process_cancel,
    process_extend,
    process_post_job,
    process_top_up,
)
from lc_node.chain.opening import process_open
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    Bid,
    Body,
    Bond,
    Cancel,
    Evidence,
    Extend,
    Open,
    PostJob,
    Ready,
    TopUp,
    Transfer,
    Unbond,
    VerdictCommit,
    VerdictReveal,
)
from lc_node.chain.verification import process_verdict_commit, process_verdict_reveal

Handler = Callable[[State, Context, Any], None]
"""The third argument is of the class under which the table holds the handler."""

HANDLERS: Final[Mapping[type[Body], Handler]] = {
    Transfer: process_transfer,
    Bond: process_bond,
    Unbond: process_unbond,
    Ready: process_ready,
    PostJob: process_post_job,
    TopUp: process_top_up,
    Extend: process_extend,
    Cancel: process_cancel,
    Bid: process_bid,
    Open: process_open,
    VerdictCommit: process_verdict_commit,
    VerdictReveal: process_verdict_reveal,
    Evidence: process_evidence,
}


def process_body(state: State, context: Context, body: Body) -> None:
    """Let a body have its effect by the rule for its kind.

    Raises:
        InvalidTransaction: the rule is broken; the state has not changed.
    """
    HANDLERS[type(body)](state, context, body)
