"""Who sits on a committee: a weighted draw without replacement, which anyone can repeat."""

from collections.abc import Sequence

from lc_node.chain.codec import Record
from lc_node.chain.crypto import digest
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Member
from lc_node.chain.types import Beacon, ChainId, JobId, PublicKey


class Urn(Record):
    """What a draw depends on besides the pool; the beacon is of the block that draws."""

    chain_id: ChainId
    beacon: Beacon
    job: JobId
    candidate: PublicKey
    size: int


def draw(urn: Urn, pool: Sequence[Member], count: int) -> tuple[Member, ...]:
    """Return ``count`` members, or all if there are fewer, in the order drawn.

    For k = 0, 1, ... the number x = SHA-256(lc/draw/1, ..., k), big endian, modulo the remaining
    weight, falls into one member's range in key order; that member is seated and leaves the pool.
    """
    remaining = sorted(pool, key=lambda member: member.key)
    drawn: list[Member] = []
    for k in range(min(count, len(remaining))):
        x = _number(urn, k) % sum(member.weight for member in remaining)
        drawn.append(remaining.pop(_index_of(remaining, x)))
    return tuple(drawn)


def compute_next_size(params: ProtocolParams, size: int, pool: int) -> int:
    """Return how many seats the committee after one of ``size`` has; 0 begins.

    After the largest of ``committee_sizes`` comes the whole pool.
    """
    larger = (nominal for nominal in params.committee_sizes if nominal > size)
    return min(next(larger, pool), pool)


def _number(urn: Urn, k: int) -> int:
    """Return the k-th number of a draw."""
    number = digest(
        "lc/draw/1",
        urn.chain_id,
        urn.beacon,
        urn.job,
        urn.candidate,
        urn.size.to_bytes(8, "big"),
        k.to_bytes(8, "big"),
    )
    return int.from_bytes(number, "big")


def _index_of(members: Sequence[Member], x: int) -> int:
    """Return the index of the member whose cumulative range of weights holds x."""
    index = 0
    while x >= members[index].weight:
        x -= members[index].weight
        index += 1
    return index
