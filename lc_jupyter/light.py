"""Facts about the chain that a notebook proves by itself, with no node: how they are had, and shown."""

from collections.abc import Sequence

from lc_jupyter.display import Cell, Shown, facts, stack
from lc_jupyter.errors import UserError
from lc_jupyter.units import show_bytes, show_credits, show_loss
from lc_jupyter.wording import show_moment
from lc_node.api.light import LightClient, connect
from lc_node.api.light_errors import NotSettled
from lc_node.api.light_schema import Freshness, Proof, ProvenAccount, ProvenJob, ProvenResult
from lc_node.api.paths import expand

_FRESHNESS = {
    Freshness.STALE: "no newer block was shown for a while: the chain halts, or this server hides it; "
    "ask another one as well",
    Freshness.AHEAD: "the block is from the future: set this machine's clock",
}


class ProvenChain:
    """What a light client proves, laid out for people."""

    def __init__(self, client: LightClient) -> None:
        """Ask by ``client``."""
        self._client = client

    def status(self) -> Shown:
        """Return the newest final block."""
        proof = self._client.chain().proof
        return facts("LearningChain, proved without a node", _rows(proof))

    def wallet(self, address: str | None) -> Shown:
        """Return an account.

        Raises:
            UserError: none was named; a notebook without a node has none of its own.
        """
        if address is None:
            message = "Name the account: %lc_wallet lc1...; without a node there is no own one."
            raise UserError(message)
        return _show_account(self._client.balance(address))

    def job(self, job: str | None) -> Shown:
        """Return a job, and its result once it has one.

        Raises:
            UserError: none was named.
        """
        if job is None:
            message = "Name the job by its whole id: %lc_job 0123...; without a node there is no last one."
            raise UserError(message)
        found = self._client.job(job)
        try:
            result = self._client.result(job)
        except NotSettled:
            return _show_job(found)
        return stack(_show_job(found), _show_result(result))


def connect_light(
    servers: Sequence[str], *, genesis: str | None, checkpoint: str | None, trust_old: bool
) -> ProvenChain:
    """Return what proves facts by asking these nodes.

    Raises:
        UserError: no node was named.
        ApiError: nothing can be proved; the message names the fix.
    """
    if not servers:
        message = "Name a node: %lc_connect tcp://KEY@HOST:PORT --light, or give a join line."
        raise UserError(message)
    client = connect(
        servers,
        genesis=None if genesis is None else expand(genesis),
        checkpoint=None if checkpoint is None else expand(checkpoint),
        trust_old=trust_old,
    )
    return ProvenChain(client)


def _show_account(account: ProvenAccount) -> Shown:
    balance = Cell("banned", "bad") if account.is_banned else show_credits(account.balance)
    return facts(
        "Credits, proved without a node",
        [
            ("account", account.address),
            ("balance", balance),
            ("bonded", show_credits(account.bonded)),
            ("unbonding", show_credits(account.unbonding)),
            *_rows(account.proof),
        ],
    )


def _show_job(job: ProvenJob) -> Shown:
    best = "–" if job.best_loss is None else show_loss(job.best_loss)
    return facts(
        "Job, proved without a node",
        [
            ("job", job.job),
            ("name", job.title),
            ("posted by", job.submitter),
            ("phase", job.phase.value),
            ("bounty", show_credits(job.bounty)),
            ("bids", f"{job.bids}, best loss {best}"),
            *_rows(job.proof),
        ],
    )


def _show_result(result: ProvenResult) -> Shown:
    return facts(
        "Result",
        [
            ("winner", Cell(result.winner, "good")),
            ("loss", f"{show_loss(result.loss)} ({result.label})"),
            ("model", f"{result.model}, {show_bytes(result.model_bytes)}"),
        ],
    )


def _rows(proof: Proof) -> list[tuple[str, Cell | str]]:
    """Return what a proof rests on."""
    others = proof.servers - 1
    agree = f"{proof.agreeing} of {others} others agree" if others else "no other was asked"
    rows: list[tuple[str, Cell | str]] = [
        ("chain", proof.chain_id[:16]),
        ("proved at", f"height {proof.height}, {show_moment(proof.time)}"),
        ("signed by", f"over two thirds of {proof.validators} validators of epoch {proof.epoch}"),
        ("shown by", f"{proof.server}; {agree}"),
    ]
    if proof.freshness is not Freshness.FRESH:
        rows.append(("beware", Cell(_FRESHNESS[proof.freshness], "bad")))
    if proof.is_trust_old:
        old = "the proofs begin with validators whose bonds may be withdrawn by now (--trust-old)"
        rows.append(("beware", Cell(old, "bad")))
    return rows
