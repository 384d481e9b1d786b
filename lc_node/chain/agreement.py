"""What a committee's verdicts say together: pure arithmetic on revealed losses and faults."""

from collections.abc import Sequence
from typing import Final

from lc_node.chain.codec import Record
from lc_node.chain.fees import compute_tolerance
from lc_node.chain.job import Outcome, Verdict
from lc_node.chain.params import ProtocolParams
from lc_node.chain.transactions import Fault, LossVector, Tolerance
from lc_node.chain.types import NanoLoss, PublicKey


class Ballot(Record):
    """A revealed verdict and whose it is."""

    member: PublicKey
    verdict: Verdict


class Question(Record):
    """What a committee decides about, and with how many seats."""

    announced: NanoLoss
    tolerance: Tolerance
    seats: int
    """All of them, whether they revealed or not."""
    first: bool
    """The smallest committee: it decides only if all agree."""
    last: bool
    """Nobody is left to be drawn: half of the reveals decide."""


class Decision(Record):
    """What a committee found; ``gross`` and ``discordant`` as in Examination."""

    outcome: Outcome
    gross: bool = False
    discordant: bool = False


UNDECIDED: Final = Decision(outcome=Outcome.UNDECIDED)


def compute_mean(losses: LossVector) -> NanoLoss:
    """Return the mean of a vector, rounded down."""
    return NanoLoss(sum(losses) // len(losses))


def is_confirming(losses: LossVector, announced: NanoLoss, tolerance: Tolerance) -> bool:
    """Return whether a re-evaluation is no worse than announced, within the tolerance."""
    return compute_mean(losses) <= announced + compute_tolerance(tolerance, announced)


def is_matching(
    left: LossVector, right: LossVector, tolerance: Tolerance, factor: int = 1
) -> bool:
    """Return whether two vectors agree element-wise, within ``factor`` times the larger tolerance."""
    return len(left) == len(right) and all(
        abs(a - b)
        <= factor * max(compute_tolerance(tolerance, a), compute_tolerance(tolerance, b))
        for a, b in zip(left, right, strict=True)
    )


def find_reference(ballots: Sequence[Ballot], tolerance: Tolerance) -> Ballot | None:
    """Return the ballot whose losses match most others', of several the lowest member key's."""
    numeric = sorted(_numeric(ballots), key=lambda ballot: ballot.member)
    if not numeric:
        return None
    return max(numeric, key=lambda ballot: len(_matching(numeric, ballot, tolerance)))


def decide(
    params: ProtocolParams, question: Question, ballots: Sequence[Ballot]
) -> Decision | None:
    """Return what the revealed ballots decide, None if a larger committee must.

    Losses count together if they match the reference; a fault counts with the same fault.
    """
    outcome = _agreed_outcome(question, ballots)
    gross = outcome is Outcome.REFUTED and _is_gross(params, question, ballots)
    if question.last:
        discordant = outcome is None and _is_discordant(question, ballots)
        found = outcome or Outcome.UNDECIDED
    elif outcome is None or (question.first and _is_far_off(params, question, ballots, outcome)):
        return None
    else:
        discordant, found = False, outcome
    return Decision(outcome=found, gross=gross, discordant=discordant)


def get_agreeing(
    ballots: Sequence[Ballot], outcome: Outcome, tolerance: Tolerance
) -> tuple[PublicKey, ...]:
    """Return the members who share the committee's finding, in key order: they are paid.

    Losses that match the reference are right even where tolerance puts their mean on the other side.
    Nobody is paid where nobody was seated.
    """
    if outcome is Outcome.UNDECIDED:
        return ()
    if outcome in (Outcome.CONFIRMED, Outcome.REFUTED):
        reference = find_reference(ballots, tolerance)
        agreeing = _matching(_numeric(ballots), reference, tolerance) if reference else []
    else:
        agreeing = [ballot for ballot in ballots if ballot.verdict.fault == outcome.value]
    return tuple(sorted(ballot.member for ballot in agreeing))


def get_grossly_wrong(
    params: ProtocolParams, ballots: Sequence[Ballot], outcome: Outcome, tolerance: Tolerance
) -> tuple[PublicKey, ...]:
    """Return the members whose losses are far off the final reference, in key order.

    Only a decision on losses has a final reference: where a fault was found, or nothing, no
    losses are called wrong.
    """
    reference = find_reference(ballots, tolerance)
    if reference is None or outcome not in (Outcome.CONFIRMED, Outcome.REFUTED):
        return ()
    right, factor = reference.verdict.losses, params.gross_tolerances
    return tuple(
        sorted(
            ballot.member
            for ballot in _numeric(ballots)
            if not is_matching(ballot.verdict.losses, right, tolerance, factor)
        )
    )


def _agreed_outcome(question: Question, ballots: Sequence[Ballot]) -> Outcome | None:
    """Return the outcome that enough ballots share."""
    for outcome, count in _tally(question, ballots).items():
        if _is_enough(question, count, len(ballots)):
            return outcome
    return None


def _is_enough(question: Question, count: int, reveals: int) -> bool:
    """Return whether so many equal ballots decide; at most one outcome can have enough."""
    if question.last:
        return 2 * count > reveals
    if question.first:
        return count == reveals and count >= _FIRST_REVEALS_MIN
    return 2 * count > question.seats


_FIRST_REVEALS_MIN: Final = 2


def _tally(question: Question, ballots: Sequence[Ballot]) -> dict[Outcome, int]:
    """Return how many ballots stand for each outcome."""
    tally: dict[Outcome, int] = {}
    for ballot in ballots:
        if ballot.verdict.fault is not Fault.NONE:
            outcome = Outcome(ballot.verdict.fault.value)
            tally[outcome] = tally.get(outcome, 0) + 1
    reference = find_reference(ballots, question.tolerance)
    if reference is not None:
        for ballot in _matching(_numeric(ballots), reference, question.tolerance):
            outcome = Outcome.CONFIRMED if _confirms(question, ballot) else Outcome.REFUTED
            tally[outcome] = tally.get(outcome, 0) + 1
    return tally


def _is_gross(params: ProtocolParams, question: Question, ballots: Sequence[Ballot]) -> bool:
    """Return whether a refutation is far off and rests on enough members to ban for it."""
    enough_seats = question.last or question.seats >= params.gross_seats_min
    refuting = [ballot for ballot in _numeric(ballots) if not _confirms(question, ballot)]
    return (
        enough_seats
        and _is_far_off(params, question, ballots, Outcome.REFUTED)
        and _has_clique(refuting, question.tolerance, params.gross_reveals_min)
    )


def _is_far_off(
    params: ProtocolParams, question: Question, ballots: Sequence[Ballot], outcome: Outcome
) -> bool:
    """Return whether the lower median of the refuting means exceeds the announced loss by far."""
    if outcome is not Outcome.REFUTED:
        return False
    means = sorted(
        compute_mean(ballot.verdict.losses)
        for ballot in _numeric(ballots)
        if not _confirms(question, ballot)
    )
    excess = means[(len(means) - 1) // 2] - question.announced
    allowed = compute_tolerance(question.tolerance, question.announced)
    return excess > params.gross_tolerances * allowed


def _is_discordant(question: Question, ballots: Sequence[Ballot]) -> bool:
    """Return whether nothing was decided only because losses did not match one another."""
    numeric = _numeric(ballots)
    reference = find_reference(ballots, question.tolerance)
    if reference is None or 2 * len(numeric) <= len(ballots):
        return False
    return 2 * len(_matching(numeric, reference, question.tolerance)) <= len(ballots)


def _has_clique(ballots: Sequence[Ballot], tolerance: Tolerance, size: int) -> bool:
    """Return whether ``size`` of the ballots match pairwise."""
    if size == 0:
        return True
    return any(
        _has_clique(_matching(ballots[index + 1 :], ballot, tolerance), tolerance, size - 1)
        for index, ballot in enumerate(ballots)
    )


def _numeric(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return the ballots with losses."""
    return [ballot for ballot in ballots if ballot.verdict.fault is Fault.NONE]


def _matching(ballots: Sequence[Ballot], to: Ballot, tolerance: Tolerance) -> list[Ballot]:
    """Return the numeric ballots that match one of them, itself included if it is there."""
    losses = to.verdict.losses
    return [b for b in ballots if is_matching(b.verdict.losses, losses, tolerance)]


def _confirms(question: Question, ballot: Ballot) -> bool:
    """Return whether a numeric ballot confirms the announced loss."""
    return is_confirming(ballot.verdict.losses, question.announced, question.tolerance)
