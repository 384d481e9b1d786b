"""People on the real ledger: they pay, stake, post jobs, bid, lie about it, open and evaluate."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from msgspec.structs import replace

from lc_node.chain.commitments import (
    Announcement,
    SeatName,
    compute_bid_commitment,
    compute_verdict_commitment,
)
from lc_node.chain.crypto import digest, sha256
from lc_node.chain.duties import Duty, get_candidate, get_duty, get_examination
from lc_node.chain.job import Job, Phase, Verdict
from lc_node.chain.params import CREDIT, DEVNET, SECOND_MS, ProtocolParams
from lc_node.chain.ranking import get_bid
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    Bid,
    Body,
    Bond,
    Fault,
    ImageReference,
    JobSpec,
    ModelFormat,
    Open,
    PostJob,
    Resources,
    SignedTransaction,
    Tolerance,
    Transaction,
    Transfer,
    Unbond,
    VerdictCommit,
    VerdictReveal,
    transaction_id,
)
from lc_node.chain.types import (
    ByteCount,
    Height,
    MicroCredits,
    Millis,
    MillisSpan,
    ModelRoot,
    NanoLoss,
    Nonce,
    PartsPerMillion,
    PublicKey,
    Salt,
    Seconds,
)
from lc_node.sim.person import Person
from lc_node.sim.stakes import stakes

PARAMS: Final[ProtocolParams] = replace(
    DEVNET,
    epoch_heights=6,
    expiry_min_ms=MillisSpan(3 * SECOND_MS),
    open_window_ms=MillisSpan(4 * SECOND_MS),
    commit_window_ms=MillisSpan(2 * SECOND_MS),
    reveal_window_ms=MillisSpan(4 * SECOND_MS),
)
"""Windows so short that a job ends within half a minute of virtual time, over several epochs."""

NEEDS: Final = Resources(
    millicpus=1_000, memory_bytes=ByteCount(1 << 30), disk_bytes=ByteCount(1 << 30), gpus=0
)

_BIDDING_MS: Final = 6 * SECOND_MS
_MODEL_BYTES: Final = ByteCount(100_000)
_LOSSES: Final = 8
_LIE: Final = 10
"""What a liar announces is a tenth of what its model is worth."""
_HEIGHTS: Final = 30
"""A transaction is of no use when so many blocks have come without it."""
_PATIENCE_MS: Final = 5 * SECOND_MS
"""Nor does anybody wait longer than this for it, but says the next thing instead."""
_BIDDERS: Final = 4
"""Honest members that take part in a job."""
_RESTLESSNESS: Final = 0.05
"""The chance that somebody with nothing to do moves credits."""


class Market:
    """Everybody's script; what they know is the final state."""

    def __init__(self, people: Sequence[Person], rng: Random) -> None:
        """Start with nobody having sent anything."""
        self.people = people
        self._rng = rng
        self._users = [person for person in people if not person.is_member]
        self._members = [person for person in people if person.is_member]

    def act(self, state: State, now: Millis) -> list[SignedTransaction]:
        """Return what everybody sends now, each at most one transaction."""
        sent = (self._act_of(person, state, now) for person in self.people)
        return [signed for signed in sent if signed is not None]

    def _act_of(self, person: Person, state: State, now: Millis) -> SignedTransaction | None:
        if _is_under_way(person, state, now) or state.account(person.key).is_banned:
            return None
        wishes = (
            *person.queue[:1],
            *self._duties(person, state),
            *stakes(person, self.people, state, self._rng),
            *self._wishes(person, state, now),
        )
        del person.queue[:1]
        if not wishes:
            return None
        person.gives_up_at = Millis(now + _PATIENCE_MS)
        return _signed(person, wishes[0], state)

    def _duties(self, person: Person, state: State) -> Iterator[Body]:
        """Yield what jobs demand of a member; a dishonest one opens its lie, and judges nobody."""
        for job in state.live_jobs():
            duty = get_duty(job, person.key)
            if duty is Duty.OPEN:
                yield _opening(person, job)
            elif duty is Duty.COMMIT and person.is_honest:
                yield _commit(person, job, state)
            elif duty is Duty.REVEAL and person.is_honest:
                yield _reveal(person, job)

    def _wishes(self, person: Person, state: State, now: Millis) -> Iterator[Body]:
        """Yield what a person may want: the first user wants jobs done, members want bounties."""
        if person is self._users[0] and not any(
            job.submitter == person.key for job in state.live_jobs()
        ):
            yield PostJob(spec=_spec(now))
        elif person.is_member:
            yield from self._bids(person, state)
        if self._rng.random() < _RESTLESSNESS:
            yield self._money(person)

    def _bids(self, person: Person, state: State) -> Iterator[Body]:
        """Yield a bid if a member takes part in a job: a few honest ones do, and every liar."""
        for job in state.live_jobs():
            place = (job.id[0] + self._members.index(person)) % len(self._members)
            takes_part = place < _BIDDERS or not person.is_honest
            if job.phase is Phase.OPEN and takes_part and get_bid(job, person.key) is None:
                yield _bid(person, job, state)

    def _money(self, person: Person) -> Body:
        """Return a transfer or a change of the bond; the dishonest do not buy themselves more weight."""
        amount = MicroCredits(self._rng.randint(0, 20 * CREDIT))
        to = self._rng.choice(self.people).key
        bodies: list[Body] = [
            Transfer(to=to, amount=amount, memo=b""),
            Unbond(amount=MicroCredits(amount // 10)),
        ]
        if person.is_honest:
            bodies.append(Bond(amount=amount, link=(), resources=()))
        return self._rng.choice(bodies)


def _signed(person: Person, body: Body, state: State) -> SignedTransaction:
    meta, last = state.meta, person.sent.nonce if person.sent else 0
    transaction = Transaction(
        chain_id=meta.chain_id,
        sender=person.key,
        nonce=Nonce(max(state.account(person.key).nonce, last) + 1),
        valid_until=Height(meta.height + _HEIGHTS),
        body=body,
    )
    person.sent = transaction
    signature = person.signer.sign(transaction_id(transaction))
    return SignedTransaction(transaction=transaction, signature=signature)


def get_worth(job: Job, key: PublicKey) -> NanoLoss:
    """Return the loss that a person's model really has in a job."""
    return NanoLoss(100_000_000 + int.from_bytes(sha256(job.id + key)[:3], "big"))


def _is_under_way(person: Person, state: State, now: Millis) -> bool:
    sent = person.sent
    return (
        sent is not None
        and sent.nonce > state.account(person.key).nonce
        and now < person.gives_up_at
    )


def _spec(now: Millis) -> JobSpec:
    return JobSpec(
        title="predict the tide",
        image=ImageReference(
            manifest=sha256(b"image"), total_bytes=ByteCount(100_000), references=(), on_graph=True
        ),
        contract="lc/1",
        model_format=ModelFormat.SKOPS,
        resources=NEEDS,
        trial_seconds=Seconds(1),
        evaluate_seconds=Seconds(1),
        model_bytes_max=ByteCount(1_000_000),
        bounty=MicroCredits(5 * CREDIT),
        expiry=Millis(now + _BIDDING_MS),
        tolerance=Tolerance(absolute=NanoLoss(1_000), relative=PartsPerMillion(1)),
        open_to_newcomers=False,
        hidden_root=(),
        private=False,
    )


def _salt(person: Person, job: Job, what: bytes) -> Salt:
    return Salt(digest("lc/sim/salt", person.key, job.id, what))


def _model(person: Person, job: Job) -> ModelRoot:
    return ModelRoot(digest("lc/sim/model", person.key, job.id))


def _bid(person: Person, job: Job, state: State) -> Bid:
    worth = get_worth(job, person.key)
    loss = worth if person.is_honest else NanoLoss(worth // _LIE)
    announced = Announcement(
        job=job.id,
        bidder=person.key,
        loss=loss,
        model_root=_model(person, job),
        model_bytes=_MODEL_BYTES,
    )
    commitment = compute_bid_commitment(state.meta.chain_id, announced, _salt(person, job, b"bid"))
    return Bid(job=job.id, loss=loss, commitment=commitment)


def _opening(person: Person, job: Job) -> Open:
    return Open(
        job=job.id,
        model_root=_model(person, job),
        model_bytes=_MODEL_BYTES,
        salt=_salt(person, job, b"bid"),
    )


def _commit(person: Person, job: Job, state: State) -> VerdictCommit:
    examination = get_examination(job)
    assert examination is not None, "whoever has a duty to commit has a seat"
    candidate = examination.candidate
    seat = SeatName(job=job.id, candidate=candidate, size=examination.size, member=person.key)
    salt = _salt(person, job, candidate)
    commitment = compute_verdict_commitment(state.meta.chain_id, seat, _verdict(job), salt)
    return VerdictCommit(job=job.id, candidate=candidate, commitment=commitment)


def _reveal(person: Person, job: Job) -> VerdictReveal:
    verdict, candidate = _verdict(job), _candidate(job)
    return VerdictReveal(
        job=job.id,
        candidate=candidate,
        losses=verdict.losses,
        fault=verdict.fault,
        salt=_salt(person, job, candidate),
    )


def _verdict(job: Job) -> Verdict:
    """Return what everybody finds who evaluates the candidate's model."""
    return Verdict(losses=(get_worth(job, _candidate(job)),) * _LOSSES, fault=Fault.NONE)


def _candidate(job: Job) -> PublicKey:
    bid = get_candidate(job)
    assert bid is not None, "a committee sits on somebody"
    return bid.bidder
