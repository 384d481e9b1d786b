"""Proof that a validator signed two votes that no honest one signs (docs/CONSENSUS.md, G)."""

from lc_node.chain.bans import ban
from lc_node.chain.context import Context
from lc_node.chain.crypto import verify
from lc_node.chain.errors import NotEvidence
from lc_node.chain.events import Banned, Reason
from lc_node.chain.market_bans import drop_bids
from lc_node.chain.state import State
from lc_node.chain.transactions import Evidence
from lc_node.chain.types import ZERO_DIGEST, ChainId, JobId
from lc_node.chain.validators import is_validator
from lc_node.chain.votes import Vote, VoteKind, vote_message


def process_evidence(state: State, context: Context, body: Evidence) -> None:
    """Ban a validator that is proved to have equivocated; what it owned is burned.

    Raises:
        NotEvidence: the votes prove nothing, or nothing that is still to be punished.
    """
    signer = body.first.signer
    if not is_equivocation(body.first, body.second):
        raise NotEvidence("an honest validator may sign both")
    if not _is_answerable(state, context, body.first):
        raise NotEvidence(
            "their signer is no validator of this epoch, and has no stake from one just before"
        )
    if state.account(signer).is_banned:
        raise NotEvidence("their signer is banned already")
    if not all(_is_signed(context.chain_id, vote) for vote in (body.first, body.second)):
        raise NotEvidence("a signature does not verify")
    burned = ban(state, signer, context.time)
    context.emit(
        Banned(job=JobId(ZERO_DIGEST), key=signer, reason=Reason.EQUIVOCATED, burned=burned)
    )
    drop_bids(state, context, signer)


def is_equivocation(first: Vote, second: Vote) -> bool:
    """Return whether one signer broke a rule by two votes in one view.

    These are two NOTARIZE, or two FINALIZE, for different subjects, and FINALIZE beside NULLIFY.
    NOTARIZE beside NULLIFY, or beside FINALIZE of another subject, is what honest nodes do.
    """
    if (first.signer, first.epoch, first.view) != (second.signer, second.epoch, second.view):
        return False
    if first.kind == second.kind:
        return first.kind is not VoteKind.NULLIFY and first.subject != second.subject
    return {first.kind, second.kind} == {VoteKind.NULLIFY, VoteKind.FINALIZE}


def _is_answerable(state: State, context: Context, vote: Vote) -> bool:
    """Return whether a vote's signer can still be made to pay for it.

    That is a validator of this epoch, and whoever has a stake left from as many epochs ago as unbonding
    takes. An honest key that did not validate then has signed no votes.
    """
    now = context.epoch
    if vote.epoch == now:
        return is_validator(state.validators, vote.signer)
    first = now - context.params.unbonding_epochs
    return first <= vote.epoch < now and state.account(vote.signer).slashable > 0


def _is_signed(chain_id: ChainId, vote: Vote) -> bool:
    """Return whether a vote's signature is its signer's on this chain."""
    message = vote_message(chain_id, vote.kind, vote.epoch, vote.view, vote.subject)
    return verify(vote.signer, message, vote.signature)
