"""What time does to jobs: each that is due takes one step, in an order that all nodes share."""

from collections.abc import Callable, Mapping
from typing import Final

from lc_node.chain.context import BlockContext
from lc_node.chain.examination import end_appeal, end_commit, end_reveal
from lc_node.chain.job import Job, Phase
from lc_node.chain.opening import end_bidding, end_opening
from lc_node.chain.settlement import forget
from lc_node.chain.state import State

STEPS: Final[Mapping[Phase, Callable[[State, BlockContext, Job], None]]] = {
    Phase.OPEN: end_bidding,
    Phase.OPENING: end_opening,
    Phase.COMMIT: end_commit,
    Phase.REVEAL: end_reveal,
    Phase.APPEAL: end_appeal,
    Phase.SETTLED: forget,
    Phase.REFUNDED: forget,
    Phase.CANCELLED: forget,
}
"""How each phase ends when its time has come."""


def process_deadlines(state: State, block: BlockContext) -> None:
    """Let due jobs take one step each, by (due, job id); what is over the block's limit stays due."""
    for job_id in state.due_jobs(block.time, block.params.deadlines_per_block):
        job = state.job(job_id)
        assert job is not None, "what is due is there"
        STEPS[job.phase](state, block, job)
