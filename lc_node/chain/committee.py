"""Who may judge a candidate, and what those who were drawn have shown."""

from msgspec.structs import replace

from lc_node.chain.agreement import Ballot, find_reference
from lc_node.chain.context import BlockContext
from lc_node.chain.contracts import can_model_execute
from lc_node.chain.draw import Urn, compute_next_size, draw
from lc_node.chain.job import Examination, Job, Label, Outcome, PlacedBid, Seat
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Account, Duties, Member
from lc_node.chain.state import State
from lc_node.chain.transactions import Fault, Resources
from lc_node.chain.types import PublicKey, Weight


def freeze_examination(
    state: State, params: ProtocolParams, job: Job, candidate: PlacedBid
) -> Examination:
    """Return an examination whose pool is who may judge now; nobody is seated yet.

    The job's own finalists judge only if the others are too few. Of a pool larger than
    ``validators_max`` the heaviest stay, so that a job has a bounded size.
    """
    excluded = {job.submitter, candidate.bidder}
    able = tuple(
        Member(key=key, weight=Weight(account.epoch_bond))
        for key, account in state.staked_accounts()
        if key not in excluded and is_able(params, account, job.spec.resources)
    )
    rivals = {bid.bidder for bid in job.bids if bid.opening}
    independent = tuple(member for member in able if member.key not in rivals)
    strong = len(independent) >= params.strong_pool_min and (
        3 * _weight(independent) >= 2 * _weight(able)
    )
    return Examination(
        candidate=candidate.bidder,
        pool=_heaviest(independent if strong else able, params.validators_max),
        strong=strong,
        size=0,
        seats=(),
        outcome=Outcome.PENDING,
        gross=False,
        discordant=False,
    )


def grow(state: State, block: BlockContext, job: Job, examination: Examination) -> Examination:
    """Return an examination with the next size's seats drawn beside those that are there."""
    pool = examination.pool
    size = compute_next_size(block.params, examination.size, len(pool))
    urn = Urn(
        chain_id=block.chain_id,
        beacon=block.beacon,
        job=job.id,
        candidate=examination.candidate,
        size=size,
    )
    free = get_drawable(state, examination)
    drawn = draw(urn, free, size - len(examination.seats))
    for member in drawn:
        _count_draw(state, block, member.key)
    seats = tuple(Seat(member=member, size=size, commitment=(), verdict=()) for member in drawn)
    return replace(examination, size=size, seats=(*examination.seats, *seats))


def get_drawable(state: State, examination: Examination) -> tuple[Member, ...]:
    """Return who of the pool has no seat yet and may still take one."""
    seated = {seat.member.key for seat in examination.seats}
    return tuple(
        member
        for member in examination.pool
        if member.key not in seated and _is_admitted(state.account(member.key))
    )


def is_able(params: ProtocolParams, account: Account, needed: Resources) -> bool:
    """Return whether an account has enough at stake and to offer to evaluate a job."""
    bond = account.epoch_bond
    return (
        bond >= params.verifier_bond_min
        and _is_admitted(account)
        and any(_covers(offered, needed) for offered in account.resources)
    )


def get_seat(examination: Examination, key: PublicKey) -> Seat | None:
    """Return a key's seat, None if it was not drawn."""
    return next((seat for seat in examination.seats if seat.member.key == key), None)


def get_new_seats(examination: Examination) -> tuple[Seat, ...]:
    """Return the seats that were drawn for the current size."""
    return tuple(seat for seat in examination.seats if seat.size == examination.size)


def is_commit_complete(examination: Examination) -> bool:
    """Return whether every member that was drawn for the current size has committed."""
    return all(seat.commitment for seat in get_new_seats(examination))


def is_reveal_complete(examination: Examination) -> bool:
    """Return whether every member that committed for the current size has revealed."""
    return all(seat.verdict for seat in get_new_seats(examination) if seat.commitment)


def get_ballots(examination: Examination) -> tuple[Ballot, ...]:
    """Return the revealed verdicts; who declined has none."""
    return tuple(
        Ballot(member=seat.member.key, verdict=verdict)
        for seat in examination.seats
        for verdict in seat.verdict
        if verdict.fault is not Fault.DECLINED
    )


def get_label(params: ProtocolParams, job: Job, examination: Examination) -> Label:
    """Return how much an examination's confirmation is worth.

    A vector that is too short to judge by makes it weak, once the committee's is known.
    """
    if not examination.pool or can_model_execute(job.spec):
        return Label.UNVERIFIED
    reference = find_reference(get_ballots(examination), job.spec.tolerance)
    is_short = reference is not None and (len(reference.verdict.losses) < params.strong_losses_min)
    return Label.STRONG if examination.strong and not is_short else Label.WEAK


def get_duties(state: State, block: BlockContext, key: PublicKey) -> Duties:
    """Return how often a key was drawn, and declined, in this epoch."""
    duties = state.account(key).duties
    if duties and duties[0].epoch == block.epoch:
        return duties[0]
    return Duties(epoch=block.epoch, draws=0, declines=0)


def count_duty(state: State, key: PublicKey) -> None:
    """Count a decided examination in which a member agreed: epochs pay for it."""
    account = state.account(key)
    if not account.is_banned:
        service = replace(account.service, duties=account.service.duties + 1)
        state.set_account(key, replace(account, service=service))


def set_duties(state: State, key: PublicKey, duties: Duties) -> None:
    """Replace a key's count of duties."""
    state.set_account(key, replace(state.account(key), duties=(duties,)))


def _count_draw(state: State, block: BlockContext, key: PublicKey) -> None:
    """Count a seat that a key was drawn for."""
    duties = get_duties(state, block, key)
    set_duties(state, key, replace(duties, draws=duties.draws + 1))


def _is_admitted(account: Account) -> bool:
    """Return whether an account may take a seat at all."""
    return not account.is_banned and not account.is_suspended


def _covers(offered: Resources, needed: Resources) -> bool:
    """Return whether an offer is at least what a job needs, in everything."""
    return (
        offered.millicpus >= needed.millicpus
        and offered.memory_bytes >= needed.memory_bytes
        and offered.disk_bytes >= needed.disk_bytes
        and offered.gpus >= needed.gpus
    )


def _weight(members: tuple[Member, ...]) -> int:
    """Return the weight of members together."""
    return sum(member.weight for member in members)


def _heaviest(members: tuple[Member, ...], count: int) -> tuple[Member, ...]:
    """Return the members of most weight, of equal weight those of lower key, in key order."""
    by_weight = sorted(members, key=lambda member: (-member.weight, member.key))
    return tuple(sorted(by_weight[:count], key=lambda member: member.key))
