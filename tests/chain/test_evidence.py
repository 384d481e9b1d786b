"""What proves an equivocation, and what does not."""

import pytest
from msgspec.structs import replace

from lc_node.chain.errors import NotEvidence
from lc_node.chain.events import Banned, Reason
from lc_node.chain.evidence import is_equivocation, process_evidence
from lc_node.chain.genesis import initial_state
from lc_node.chain.params import CREDIT
from lc_node.chain.state import State
from lc_node.chain.transactions import Evidence
from lc_node.chain.types import BlockId, Digest, Epoch, View
from lc_node.chain.votes import NO_SUBJECT, Subject, Vote, VoteKind, vote_message
from tests.chain.actors import ANNA, BERT, Person, context_of, genesis

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
ONE, OTHER = (
    Subject(parent_view=View(0), block_id=BlockId(Digest(bytes([n]) * 32))) for n in (1, 2)
)


def vote(
    kind: VoteKind, subject: Subject, *, who: Person = ANNA, view: int = 1, epoch: int = 0
) -> Vote:
    chain_id = initial_state(genesis()).meta.chain_id
    message = vote_message(chain_id, kind, Epoch(epoch), View(view), subject)
    return Vote(
        kind=kind,
        epoch=Epoch(epoch),
        view=View(view),
        subject=subject,
        signer=who.public_key,
        signature=who.sign(message),
    )


CASES = (
    (True, vote(NOTARIZE, ONE), vote(NOTARIZE, OTHER)),
    (True, vote(FINALIZE, ONE), vote(FINALIZE, OTHER)),
    (True, vote(NULLIFY, NO_SUBJECT), vote(FINALIZE, ONE)),
    (True, vote(FINALIZE, ONE), vote(NULLIFY, NO_SUBJECT)),
    (False, vote(NOTARIZE, ONE), vote(NOTARIZE, ONE)),
    (False, vote(NULLIFY, ONE), vote(NULLIFY, OTHER)),
    (False, vote(NOTARIZE, ONE), vote(NULLIFY, NO_SUBJECT)),
    (False, vote(NOTARIZE, ONE), vote(FINALIZE, OTHER)),
    (False, vote(NOTARIZE, ONE), vote(NOTARIZE, OTHER, view=2)),
    (False, vote(NOTARIZE, ONE), vote(NOTARIZE, OTHER, epoch=1)),
    (False, vote(NOTARIZE, ONE), vote(NOTARIZE, OTHER, who=BERT)),
)


@pytest.fixture
def state() -> State:
    return initial_state(genesis()).child()


@pytest.mark.parametrize(("expected", "first", "second"), CASES)
def test_votes_are_evidence_only_if_no_honest_node_signs_both(
    expected: bool,  # noqa: FBT001 - a column of the table
    first: Vote,
    second: Vote,
) -> None:
    assert is_equivocation(first, second) is expected


def test_an_equivocating_validator_is_banned_and_keeps_its_vote_weight(state: State) -> None:
    context = context_of(state, BERT)
    process_evidence(
        state, context, Evidence(first=vote(NOTARIZE, ONE), second=vote(NOTARIZE, OTHER))
    )

    assert state.account(ANNA.public_key).is_banned
    assert state.validators.members[0].weight == 100 * CREDIT
    (event,) = context.events
    assert isinstance(event, Banned)
    assert (event.reason, event.burned) == (Reason.EQUIVOCATED, 1_100 * CREDIT)


FORGED = replace(vote(NOTARIZE, OTHER), signature=ANNA.sign(b"something else"))
REFUSED = (
    ("honest", vote(NOTARIZE, ONE), vote(FINALIZE, OTHER)),
    ("no validator", vote(NOTARIZE, ONE, who=BERT), vote(NOTARIZE, OTHER, who=BERT)),
    ("this epoch", vote(NOTARIZE, ONE, epoch=1), vote(NOTARIZE, OTHER, epoch=1)),
    ("does not verify", vote(NOTARIZE, ONE), FORGED),
    ("does not verify", FORGED, vote(NOTARIZE, ONE)),
)


@pytest.mark.parametrize(("why", "first", "second"), REFUSED)
def test_what_proves_nothing_is_refused(state: State, why: str, first: Vote, second: Vote) -> None:
    before = state.root()

    with pytest.raises(NotEvidence, match=why):
        process_evidence(state, context_of(state, BERT), Evidence(first=first, second=second))

    assert state.root() == before


def test_nobody_is_banned_twice(state: State) -> None:
    evidence = Evidence(first=vote(NOTARIZE, ONE), second=vote(NOTARIZE, OTHER))
    process_evidence(state, context_of(state, BERT), evidence)

    with pytest.raises(NotEvidence, match="banned already"):
        process_evidence(state, context_of(state, BERT), evidence)
