"""What nodes that have stopped left on disk, read the way the next start would read it."""

from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.chain.blocks import BLOCK_DECODER, block_id
from lc_node.chain.codec import Decoder
from lc_node.chain.credits import get_credits_total
from lc_node.chain.genesis import chain_id
from lc_node.chain.state import State
from lc_node.chain.types import BlockId, Height
from lc_node.chain.votes import Vote, VoteKind
from lc_node.runtime.devnet import Place

_VOTE: Decoder[Vote] = Decoder(Vote, what="stored vote", bytes_max=4096)


def block_ids(place: Place) -> tuple[BlockId, ...]:
    """Return the names of a node's final blocks by height."""
    store = _chain(place)
    try:
        tip = store.tip()
        last = -1 if tip is None else tip[0]
        blocks = (store.block_at(Height(height)) for height in range(last + 1))
        return tuple(block_id(BLOCK_DECODER.decode(data).header) for data in blocks if data)
    finally:
        store.close()


def final_state(place: Place) -> State:
    """Return a node's final state."""
    store = _chain(place)
    try:
        return State.load(store.entries())
    finally:
        store.close()


def credits_created_or_lost(state: State) -> int:
    """Return by how much all credits differ from what genesis gave and epochs issued: 0."""
    meta = state.meta
    return get_credits_total(state) - meta.genesis_credits - meta.issued


def votes_signed(place: Place) -> list[tuple[int, int, VoteKind]]:
    """Return epoch, view and kind of every vote that a node has stored."""
    store = SqliteVoteStore.open(place.home.votes_path)
    try:
        epoch = final_state(place).meta.epoch
        votes = [_VOTE.decode(data) for data, _ in store.votes(epoch)]
        return [(vote.epoch, vote.view, vote.kind) for vote in votes]
    finally:
        store.close()


def _chain(place: Place) -> SqliteChainStore:
    return SqliteChainStore.open(place.home.chain_path, chain_id(place.home.genesis()))
