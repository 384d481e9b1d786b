"""A light client believes what is proved, and nothing else (docs/CONSENSUS.md, H)."""

from typing import Any, Final

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import Header
from lc_node.chain.codec import Decoder, encode
from lc_node.chain.crypto import verify
from lc_node.chain.errors import BadProof, MalformedBytes, MalformedEntries
from lc_node.chain.records import EMPTY_ACCOUNT, Member
from lc_node.chain.types import ChainId, Epoch, Height, JobId, Millis, PublicKey, View
from lc_node.chain.validators import set_hash
from lc_node.chain.votes import VoteKind
from lc_node.consensus.checkpoint import (
    CHECKPOINT_DECODER,
    Checkpoint,
    checkpoint_of,
    genesis_checkpoint,
    trusted_from,
)
from lc_node.consensus.light import (
    HEARTBEATS_MISSED,
    Freshness,
    Trusted,
    account_in,
    account_key,
    job_in,
    job_key,
    validate_agreement,
)
from lc_node.consensus.light_errors import (
    BadEpochProof,
    BadTestimony,
    Certified,
    Contradiction,
    EpochAhead,
    NotFinal,
    NotLinked,
    OlderThanKnown,
    PastEpoch,
    TrustExpired,
    WrongCheckpoint,
)
from lc_node.consensus.messages import EpochProof
from tests.chain.actors import ANNA, BERT, CLEO
from tests.chain.epoch_chain import HEIGHTS
from tests.consensus.proven_chain import ProvenChain, begun, certify, here, three_epochs, world

NOBODY: Final = PublicKey(bytes(32))
KEY: Final = account_key(BERT.public_key)
PROOF_DECODER: Final = Decoder(EpochProof, what="epoch proof", bytes_max=64 * 1024)
REFUSALS: Final = (BadTestimony, BadProof, MalformedBytes, MalformedEntries, EpochAhead)
"""The names by which something false may be refused."""


# What is proved.


def test_the_ends_of_epochs_lead_to_the_validators_of_now() -> None:
    mind = here()

    assert (mind.setting.epoch, mind.setting.validators.keys) == (
        2,
        tuple(sorted(who.public_key for who in (ANNA, BERT, CLEO))),
    )


def test_a_balance_is_proved_over_two_epochs() -> None:
    mind, entry = here().entry(KEY, world().entry(KEY))

    balance = account_in(entry).balance
    assert (mind.newest.header, balance) == (world().tip, world().chain.account(BERT).balance)


def test_that_nothing_stands_under_a_key_is_proved_as_well() -> None:
    key = account_key(NOBODY)
    _, entry = here().entry(key, world().entry(key))

    assert account_in(entry) == EMPTY_ACCOUNT


def test_a_job_that_the_state_does_not_hold_is_none() -> None:
    key = job_key(JobId(world().tip.parent_id))
    _, entry = here().entry(key, world().entry(key))

    assert job_in(entry) is None


def test_a_header_below_the_newest_hangs_on_it() -> None:
    chain = three_epochs().step()
    mind = begun(chain.document).follow(chain.proofs())

    assert mind.header(Height(7), chain.finalized(7, 8)) == chain.headers[7]


def test_a_mind_goes_on_from_its_checkpoint() -> None:
    mind, _ = here().entry(KEY, world().entry(KEY))
    checkpoint = CHECKPOINT_DECODER.decode(encode(checkpoint_of(mind)))
    again = trusted_from(checkpoint, verify)

    assert (again.setting.validators.keys, again.newest) == (
        mind.setting.validators.keys,
        mind.newest,
    )


def test_genesis_is_a_checkpoint() -> None:
    mind = begun(world().document)

    assert (mind.setting.epoch, mind.newest.header) == (0, world().headers[0])


# Answers to other questions.


def test_an_entry_of_another_key_is_not_what_was_asked_for() -> None:
    with pytest.raises(BadProof):
        here().entry(account_key(CLEO.public_key), world().entry(KEY))


def test_an_entry_under_an_older_root_is_refused() -> None:
    chain = three_epochs()
    old = chain.entry(KEY)
    mind = begun(chain.document).follow(chain.proofs())
    newest = chain.step().entry(KEY)
    mind, _ = mind.entry(KEY, newest)

    with pytest.raises(OlderThanKnown):
        mind.entry(KEY, old)


# Certificates that are none.


def accept(header: Header, **how: Any) -> Trusted:
    return here().accept(header, certify(header, world().sets[2], **how))


def test_a_header_of_a_later_epoch_says_what_is_to_be_asked() -> None:
    with pytest.raises(EpochAhead) as caught:
        begun(world().document).accept(world().tip, world().certificates[Height(7)])

    assert (caught.value.trusted, caught.value.found) == (0, 2)


def test_a_header_of_an_epoch_that_has_ended_is_refused() -> None:
    with pytest.raises(PastEpoch):
        here().accept(world().headers[6], world().certificates[Height(6)])


def test_too_few_signatures_prove_nothing() -> None:
    with pytest.raises(NotFinal):
        accept(world().tip, signers=(ANNA, CLEO))


def test_a_notarization_finalises_nothing() -> None:
    with pytest.raises(NotFinal):
        accept(world().tip, kind=VoteKind.NOTARIZE)


def test_those_who_voted_before_prove_nothing_now() -> None:
    old = begun(world().document).follow(world().proofs()[:1])

    with pytest.raises(BadEpochProof):
        old.follow([world().proof(0)])


def test_epochs_are_not_skipped() -> None:
    with pytest.raises(BadEpochProof):
        begun(world().document).follow([world().proof(1)])


def test_headers_that_begin_elsewhere_are_refused() -> None:
    with pytest.raises(NotLinked):
        here().header(Height(7), three_epochs().step().finalized(8, 8))


# Contradictions: more than a third have lied.


def rival(chain: ProvenChain) -> Header:
    """Return another block for the height of the chain's tip."""
    return replace(chain.tip, view=View(chain.tip.view + 1))


def test_two_final_blocks_at_one_height_are_told_with_both_certificates() -> None:
    chain, other = world(), rival(world())
    mind = here().accept(chain.tip, chain.certificates[chain.height])
    with pytest.raises(Contradiction, match="TWO DIFFERENT BLOCKS") as caught:
        mind.accept(other, certify(other, chain.sets[2]))

    assert (caught.value.first.header, caught.value.second.header) == (chain.tip, other)


def test_a_final_block_above_another_one_contradicts_the_newest() -> None:
    chain = three_epochs()
    other = rival(chain)
    mind = (
        begun(chain.document).follow(chain.proofs()).accept(other, certify(other, chain.sets[2]))
    )

    with pytest.raises(Contradiction):
        mind.header(Height(7), chain.step().finalized(7, 8))


def test_an_end_of_an_epoch_contradicts_another_last_block() -> None:
    chain = world()
    end = chain.headers[HEIGHTS]
    other = replace(end, view=View(end.view + 1))
    mind = begun(chain.document).accept(other, certify(other, chain.sets[0]))

    with pytest.raises(Contradiction):
        mind.follow([chain.proof(0)])


def test_what_two_servers_have_proved_is_compared_at_every_height() -> None:
    chain = world()
    end = chain.headers[HEIGHTS]
    other = replace(end, view=View(end.view + 1))
    false = replace(chain.proof(0), header=other, certificate=certify(other, chain.sets[0]))
    misled = begun(chain.document).follow([false])

    with pytest.raises(Contradiction) as caught:
        validate_agreement(here().known(), misled.known())
    assert caught.value.height == HEIGHTS


def test_servers_that_have_proved_the_same_do_not_contradict_each_other() -> None:
    known = here().known()

    validate_agreement(known, here().accept(world().tip, world().certificates[Height(7)]).known())


# Time.


def test_what_is_older_than_bonds_last_is_not_trusted() -> None:
    mind = here()
    last = mind.newest.header.time + mind.spans.unbonding
    mind.validate_age(Millis(last))

    with pytest.raises(TrustExpired, match="--trust-old"):
        mind.validate_age(Millis(last + 1))


@pytest.mark.parametrize(
    ("heartbeats", "extra", "freshness"),
    [
        (HEARTBEATS_MISSED, 0, Freshness.FRESH),
        (HEARTBEATS_MISSED, 1, Freshness.STALE),
        (-HEARTBEATS_MISSED, 0, Freshness.FRESH),
        (-HEARTBEATS_MISSED, -1, Freshness.AHEAD),
    ],
)
def test_a_header_is_fresh_for_some_heartbeats(
    heartbeats: int, extra: int, freshness: Freshness
) -> None:
    mind = here()
    now = Millis(mind.newest.header.time + heartbeats * mind.spans.heartbeat + extra)

    assert mind.freshness(now) is freshness


@pytest.mark.parametrize(
    ("age", "words"),
    [(90_061_000, "25 h"), (180_000_000, "2 d"), (150_000, "2 min"), (61_000, "61 s")],
)
def test_an_age_is_told_as_people_say_it(age: int, words: str) -> None:
    seen = Millis(1_000_000)

    assert f"is {words} old" in str(TrustExpired(seen, Millis(seen + age), here().spans.unbonding))


# Checkpoints that cannot be.


def checkpoint() -> Checkpoint:
    return checkpoint_of(here().accept(world().tip, world().certificates[Height(7)]))


def false_checkpoints() -> list[Checkpoint]:
    true = checkpoint()
    first = genesis_checkpoint(world().document)
    weightless = replace(first.validators.members[0], weight=0)
    return [
        replace(true, chain_id=ChainId(world().tip.parent_id)),
        replace(true, epoch_heights=true.epoch_heights + 1),
        replace(true, validators=replace(true.validators, epoch=Epoch(1))),
        replace(true, validators=replace(true.validators, members=true.validators.members[:2])),
        replace(true, newest=Certified(header=true.newest.header, certificate=())),
        replace(true, newest=replace(true.newest, header=rival(world()))),
        replace(first, validators=replace(first.validators, members=first.validators.members[:2])),
        naming(first, ()),
        naming(first, (weightless,)),
    ]


def naming(first: Checkpoint, members: tuple[Member, ...]) -> Checkpoint:
    """Return a checkpoint whose root names these members."""
    validators = replace(first.validators, members=members)
    root = replace(first.root, set_hash=set_hash(validators))
    newest = Certified(header=root, certificate=())
    return replace(first, root=root, validators=validators, newest=newest)


@pytest.mark.parametrize("number", range(9))
def test_a_checkpoint_that_contradicts_itself_is_refused(number: int) -> None:
    with pytest.raises(WrongCheckpoint):
        trusted_from(false_checkpoints()[number], verify)
