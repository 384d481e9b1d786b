"""What a light client has to fetch, with as many validators as there may be (docs/LIGHT.md)."""

from functools import cache
from typing import Final

from msgspec.structs import replace

from lc_node.chain.bucket import Bucket
from lc_node.chain.codec import encode
from lc_node.chain.commitment import BUCKET_BITS
from lc_node.chain.crypto import sha256
from lc_node.chain.params import CREDIT, MAINNET
from lc_node.chain.proofs import BucketProof
from lc_node.chain.records import Account, Member, ValidatorSet
from lc_node.chain.state import ACCOUNT_TABLE
from lc_node.chain.types import Epoch, MicroCredits, Millis, MilliTokens, Nonce, Weight
from lc_node.chain.validators import set_hash
from lc_node.consensus.inquiries import ProvenEntry
from lc_node.consensus.messages import PROOFS_MAX, EpochProof, EpochProofs
from tests.chain.actors import Person, person
from tests.consensus.proven_chain import certify, world

QUORUM: Final = 67
ACCOUNTS_IN_A_BUCKET: Final = 1_000_000 // 4_096


@cache
def people() -> tuple[Person, ...]:
    """Return as many validators as there may be, in key order."""
    made = (person(f"validator {number}") for number in range(MAINNET.validators_max))
    return tuple(sorted(made, key=lambda who: who.public_key))


@cache
def end_of_an_epoch() -> EpochProof:
    """Return the end of an epoch by the least quorum there is: 67 of 100."""
    weight = Weight(10_000 * CREDIT)
    members = tuple(Member(key=who.public_key, weight=weight) for who in people())
    voters = ValidatorSet(epoch=Epoch(1), members=members)
    following = replace(voters, epoch=Epoch(2))
    header = replace(world().headers[6], next_set_hash=(set_hash(following),))
    certificate = certify(header, voters, signers=people()[:QUORUM])
    return EpochProof(header=header, certificate=certificate, next_set=following)


def bucket() -> BucketProof:
    """Return a bucket of the state of a million accounts."""
    account = Account(
        balance=MicroCredits(1_000 * CREDIT),
        nonce=Nonce(1_000),
        tokens=MilliTokens(60_000),
        tokens_at=Millis(1_700_000_000_000),
    )
    keys = sorted(ACCOUNT_TABLE + sha256(bytes([n])) for n in range(ACCOUNTS_IN_A_BUCKET))
    entries = tuple((key, encode(account)) for key in keys)
    assert len(Bucket.of(entries)) == ACCOUNTS_IN_A_BUCKET
    return BucketProof(entries=entries, siblings=(sha256(b""),) * BUCKET_BITS)


def test_the_end_of_an_epoch_of_a_hundred_validators_takes_less_than_10_kb() -> None:
    assert 9_000 < len(encode(end_of_an_epoch())) < 10_000


def test_sixteen_of_them_fit_into_an_answer() -> None:
    answer = EpochProofs(proofs=(end_of_an_epoch(),) * PROOFS_MAX)

    assert len(encode(answer)) < 160_000


def test_a_balance_among_a_million_accounts_takes_less_than_30_kb() -> None:
    end = end_of_an_epoch()
    answer = ProvenEntry(header=end.header, certificate=end.certificate, proof=bucket())

    assert 20_000 < len(encode(answer)) < 30_000
