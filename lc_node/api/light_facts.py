"""Proved entries of the state in the words of the API."""

from lc_node.api import schema
from lc_node.api.light_schema import Proof, ProvenAccount, ProvenJob, ProvenResult
from lc_node.chain.addresses import encode_address
from lc_node.chain.duties import get_winner
from lc_node.chain.job import Job, PlacedBid
from lc_node.chain.records import Account
from lc_node.chain.types import PublicKey


def account_fact(key: PublicKey, account: Account, proof: Proof) -> ProvenAccount:
    """Return an account as its owner reads it."""
    return ProvenAccount(
        address=_address(key),
        balance=schema.MicroCredits(account.balance),
        bonded=schema.MicroCredits(account.bond),
        unbonding=schema.MicroCredits(sum(entry.amount for entry in account.unbonding)),
        is_banned=account.is_banned,
        proof=proof,
    )


def job_fact(job: Job, proof: Proof) -> ProvenJob:
    """Return a job as anybody reads it."""
    best = job.bids[0].loss if job.bids else None
    return ProvenJob(
        job=schema.JobId(job.id.hex()),
        title=job.spec.title,
        submitter=_address(job.submitter),
        phase=schema.Phase(job.phase.name.lower()),
        bounty=schema.MicroCredits(job.bounty),
        expiry=schema.Millis(job.expiry),
        bids=len(job.bids),
        best_loss=None if best is None else schema.NanoLoss(best),
        proof=proof,
    )


def result_fact(job: Job, proof: Proof) -> ProvenResult | None:
    """Return who won a job, None if nobody did, or not yet."""
    winner = get_winner(job)
    return None if winner is None else _result(job, winner, proof)


def _result(job: Job, winner: PlacedBid, proof: Proof) -> ProvenResult:
    ((model, model_bytes),) = winner.opening
    return ProvenResult(
        job=schema.JobId(job.id.hex()),
        title=job.spec.title,
        winner=_address(winner.bidder),
        bounty=schema.MicroCredits(job.bounty),
        loss=schema.NanoLoss(winner.loss),
        label=job.label.value,
        model=schema.Digest(model.hex()),
        model_bytes=model_bytes,
        proof=proof,
    )


def _address(key: PublicKey) -> schema.Address:
    return schema.Address(encode_address(key))
