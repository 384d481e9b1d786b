"""How headers name who votes; quorums and leaders are lc_node.consensus.validator_set's."""

from lc_node.chain.codec import encode
from lc_node.chain.crypto import digest
from lc_node.chain.records import ValidatorSet
from lc_node.chain.types import Digest, PublicKey


def set_hash(validators: ValidatorSet) -> Digest:
    """Return the hash under which headers name a validator set."""
    return digest("lc/set/1", encode(validators))


def is_validator(validators: ValidatorSet, key: PublicKey) -> bool:
    """Return whether a key votes in the set's epoch."""
    return any(member.key == key for member in validators.members)
