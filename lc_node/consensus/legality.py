"""Whether a block may stand where a leader put it: the checks that need no state (D.3 d)."""

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.types import View
from lc_node.chain.votes import Vote
from lc_node.consensus.setting import Setting


def continues(header: Header, parent: Header, vote: Vote, setting: Setting) -> bool:
    """Return whether a header is of this chain, epoch, view and leader, and next after its parent."""
    return header.parent_id == block_id(parent) and (
        header.chain_id,
        header.epoch,
        header.view,
        header.proposer,
        header.height,
    ) == (setting.chain_id, setting.epoch, View(vote.view), vote.signer, parent.height + 1)
