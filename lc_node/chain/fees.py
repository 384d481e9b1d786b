"""What the market's things cost and how long they take, as functions of the job alone."""

from typing import Final

from lc_node.chain.params import ProtocolParams
from lc_node.chain.transactions import JobSpec, Tolerance
from lc_node.chain.types import ByteCount, MicroCredits, MillisSpan, NanoLoss, PartsPerMillion

MILLION: Final = 1_000_000
MEGABYTE: Final = 1_000_000


def compute_share(amount: MicroCredits, part: PartsPerMillion) -> MicroCredits:
    """Return a proportion of an amount, rounded down."""
    return MicroCredits(amount * part // MILLION)


def compute_evaluation_price(params: ProtocolParams, spec: JobSpec) -> MicroCredits:
    """Return u, what one evaluation of the job's model is worth.

    The model is not known when the fee is taken, so the largest that the job allows counts.
    """
    megabytes = -(-(spec.image.total_bytes + spec.model_bytes_max) // MEGABYTE)
    return MicroCredits(
        params.fee_base
        + params.fee_per_second * spec.evaluate_seconds
        + params.fee_per_megabyte * megabytes
    )


def compute_fee(params: ProtocolParams, spec: JobSpec) -> MicroCredits:
    """Return what the submitter puts aside for the job's verifiers."""
    units = params.fee_units_newcomers if spec.open_to_newcomers else params.fee_units
    return MicroCredits(units * compute_evaluation_price(params, spec))


def compute_bid_bond(params: ProtocolParams, bounty: MicroCredits) -> MicroCredits:
    """Return the bond of a finalist at the current bounty."""
    return MicroCredits(max(params.bid_bond_min, compute_share(bounty, params.bid_bond_ppm)))


def compute_tolerance(tolerance: Tolerance, loss: NanoLoss) -> NanoLoss:
    """Return how far another loss may lie from this one and still count as the same."""
    return NanoLoss(tolerance.absolute + abs(loss) * tolerance.relative // MILLION)


def compute_commit_window(
    params: ProtocolParams, spec: JobSpec, model_bytes: ByteCount
) -> MillisSpan:
    """Return how long a committee has to fetch image and model and to evaluate."""
    evaluating = params.commit_evaluations * spec.evaluate_seconds * 1_000
    fetching = (spec.image.total_bytes + model_bytes) * 1_000 // params.bytes_per_second
    return MillisSpan(params.commit_window_ms + evaluating + fetching)
