"""What hides a bid's model or a member's verdict until it is opened, and what settles a tie.

Integers are hashed as eight bytes, big endian, two's complement; losses as their concatenation.
"""

from lc_node.chain.codec import Record
from lc_node.chain.crypto import digest
from lc_node.chain.job import Verdict
from lc_node.chain.types import (
    Beacon,
    ByteCount,
    ChainId,
    Digest,
    JobId,
    ModelRoot,
    NanoLoss,
    PublicKey,
    Salt,
    TransactionId,
)


class Announcement(Record):
    """What a bid commits to: bound to the key and the model, so that neither can be taken by another."""

    job: JobId
    bidder: PublicKey
    loss: NanoLoss
    model_root: ModelRoot
    model_bytes: ByteCount


class SeatName(Record):
    """Whose verdict on whom: bound to the member, so that a commitment cannot be echoed."""

    job: JobId
    candidate: PublicKey
    size: int
    """Of the committee for which the member was drawn."""
    member: PublicKey


def compute_bid_commitment(chain: ChainId, bid: Announcement, salt: Salt) -> Digest:
    """Return what a bid shows of its model before the opening."""
    return digest(
        "lc/bid/1",
        chain,
        bid.job,
        bid.bidder,
        _signed(bid.loss),
        bid.model_root,
        _signed(bid.model_bytes),
        salt,
    )


def compute_verdict_commitment(
    chain: ChainId, seat: SeatName, verdict: Verdict, salt: Salt
) -> Digest:
    """Return what a member shows of its verdict before all have committed."""
    return digest(
        "lc/verdict/1",
        chain,
        seat.job,
        seat.candidate,
        _signed(seat.size),
        seat.member,
        b"".join(_signed(loss) for loss in verdict.losses),
        verdict.fault.encode(),
        salt,
    )


def compute_lot(chain: ChainId, beacon: Beacon, transaction: TransactionId) -> Digest:
    """Return what orders equal losses of one block: known only once the block is made."""
    return digest("lc/lot/1", chain, beacon, transaction)


def _signed(number: int) -> bytes:
    """Return an integer as eight bytes."""
    return number.to_bytes(8, "big", signed=True)
