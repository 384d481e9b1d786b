"""A small market for the tests: named people, blocks without signatures, stories told in verbs."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from msgspec.structs import replace

from lc_node.chain.accounts import process_envelope
from lc_node.chain.audit import Books
from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.commitments import (
    Announcement,
    SeatName,
    compute_bid_commitment,
    compute_verdict_commitment,
)
from lc_node.chain.context import BlockContext, Context
from lc_node.chain.credits import get_credits_total
from lc_node.chain.crypto import digest, sha256
from lc_node.chain.deadlines import process_deadlines
from lc_node.chain.duties import get_candidate, get_examination
from lc_node.chain.errors import InvalidTransaction
from lc_node.chain.events import MARKET_EVENT_DECODER
from lc_node.chain.handlers import process_body
from lc_node.chain.job import Job, Phase, Verdict
from lc_node.chain.params import CREDIT, DEVNET, SECOND_MS, ProtocolParams
from lc_node.chain.records import Account, Meta, ValidatorSet
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    Bid,
    Body,
    Fault,
    ImageReference,
    JobSpec,
    ModelFormat,
    Open,
    PostJob,
    Resources,
    Tolerance,
    Transaction,
    VerdictCommit,
    VerdictReveal,
)
from lc_node.chain.types import (
    Beacon,
    ByteCount,
    ChainId,
    Epoch,
    Height,
    JobId,
    MicroCredits,
    Millis,
    ModelRoot,
    NanoLoss,
    Nonce,
    PartsPerMillion,
    PublicKey,
    Salt,
    Seconds,
    TransactionId,
)

START = Millis(1_700_000_000_000)
CHAIN = ChainId(sha256(b"a chain for tests"))
NEEDS = Resources(
    millicpus=1_000, memory_bytes=ByteCount(1 << 30), disk_bytes=ByteCount(1 << 30), gpus=0
)
JOB_DECODER: Decoder[Job] = Decoder(Job, what="job", bytes_max=1 << 20)
TOLERANCE = Tolerance(absolute=NanoLoss(1_000), relative=PartsPerMillion(1))
EXPIRES_IN = 60 * SECOND_MS
MODEL_BYTES = ByteCount(5_000_000)


@cache
def key(name: str) -> PublicKey:
    return PublicKey(sha256(name.encode()))


def salt(name: str) -> Salt:
    return Salt(sha256(b"salt of " + name.encode()))


def model(name: str) -> ModelRoot:
    return ModelRoot(sha256(b"model of " + name.encode()))


def losses(*values: int) -> Verdict:
    return Verdict(losses=tuple(NanoLoss(value) for value in values), fault=Fault.NONE)


def flat(value: int, count: int = 8) -> Verdict:
    """Return a verdict whose losses are all the same."""
    return losses(*([value] * count))


def fault(kind: Fault) -> Verdict:
    return Verdict(losses=(), fault=kind)


SPEC = JobSpec(
    title="predict the tide",
    image=ImageReference(
        manifest=sha256(b"image"),
        total_bytes=ByteCount(45_000_000),
        references=(),
        on_graph=True,
    ),
    contract="lc/1",
    model_format=ModelFormat.SKOPS,
    resources=NEEDS,
    trial_seconds=Seconds(30),
    evaluate_seconds=Seconds(10),
    model_bytes_max=ByteCount(10_000_000),
    bounty=MicroCredits(10 * CREDIT),
    expiry=Millis(START + EXPIRES_IN),
    tolerance=TOLERANCE,
    open_to_newcomers=False,
    hidden_root=(),
    private=False,
)
UNIT = 100_000 + 10 * 1_000 + 55 * 100
"""u of SPEC by DEVNET's prices: base, ten seconds, 55 megabytes."""


class Market:
    """A state, a clock, and the events since it began; each block's credits are counted."""

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        verifiers: int = 20,
        params: ProtocolParams = DEVNET,
        balance: int = 1_000 * CREDIT,
        bond: int = 100 * CREDIT,
    ) -> None:
        """Give every named person a balance, and bonds to so many verifiers v0, v1, ..."""
        self.params = params
        self.verifiers = [f"v{index}" for index in range(verifiers)]
        self.names = {key(name): name for name in [*names, *self.verifiers]}
        state = State.start(
            Meta(
                chain_id=CHAIN,
                height=Height(0),
                time=START,
                epoch=Epoch(0),
                epoch_began=START,
                beacon=Beacon(CHAIN),
                genesis_credits=MicroCredits(balance * len(self.names) + bond * verifiers),
            ),
            ValidatorSet(epoch=Epoch(0), members=()),
        )
        for name in self.names.values():
            staked = MicroCredits(bond if name in self.verifiers else 0)
            account = Account(
                balance=MicroCredits(balance),
                bond=staked,
                epoch_bond=staked,
                resources=(NEEDS,) if staked else (),
                tokens=params.tokens_max,
                tokens_at=START,
            )
            state.set_account(key(name), account)
        state.flatten()
        self.state = state.child()
        self.events: list[Record] = []
        self.sent: list[Transaction] = []
        self.open_books()
        self._nonce = 0

    # Time.

    def tick(self, ms: int = 100) -> None:
        """Finish the block and begin the next, in which due jobs take a step."""
        self.check()
        self.state.flatten()
        meta = self.state.meta
        self.state = self.state.child()
        later = replace(
            meta,
            height=Height(meta.height + 1),
            time=Millis(meta.time + ms),
            beacon=Beacon(digest("test/beacon", meta.beacon)),
        )
        self.state.set_meta(later)
        process_deadlines(self.state, self.block())
        self.check()

    def skip_to(self, time: int) -> None:
        """Begin a block at a time, if it is later than now."""
        self.tick(max(1, time - self.state.meta.time))

    def check(self) -> None:
        """Assert what is true after every block: no credit is made or lost, all can be stored."""
        meta = self.state.meta
        assert get_credits_total(self.state) == meta.genesis_credits + meta.issued
        self.keep_books()
        for job in self.state.jobs():
            assert JOB_DECODER.decode(encode(job)) == job
        for _, account in self.state.accounts():
            assert min(account.balance, account.bond, account.epoch_bond) >= 0

    def open_books(self) -> None:
        """Begin the books with the state as it stands, also where a test has written into it."""
        self.books = Books(self.state)
        self._booked = (len(self.sent), len(self.events))

    def keep_books(self) -> None:
        """Assert that what was told since explains every credit."""
        self.books.post(self.sent[self._booked[0] :], self.events[self._booked[1] :])
        self._booked = (len(self.sent), len(self.events))
        self.books.validate_whole(self.state)

    def block(self) -> BlockContext:
        meta = self.state.meta
        return BlockContext(
            params=self.params,
            chain_id=CHAIN,
            height=meta.height,
            epoch=meta.epoch,
            time=meta.time,
            beacon=meta.beacon,
            events=self.events,
        )

    # Transactions.

    def send(self, who: str, body: Body) -> TransactionId:
        """Let somebody's transaction have its effect in the current block.

        A handler that refuses must have changed nothing: that is asserted for each refusal.
        """
        self._nonce += 1
        block = self.block()
        name = TransactionId(digest("test/tx", self._nonce.to_bytes(8, "big")))
        transaction = Transaction(
            chain_id=CHAIN,
            sender=key(who),
            nonce=Nonce(self._nonce),
            valid_until=Height(1 << 40),
            body=body,
        )
        admitted = self.state.child()
        process_envelope(admitted, block, transaction)
        changed = admitted.child()
        context = Context(
            params=self.params,
            chain_id=CHAIN,
            height=block.height,
            epoch=block.epoch,
            time=block.time,
            beacon=block.beacon,
            events=[],
            sender=key(who),
            transaction_id=name,
        )
        try:
            process_body(changed, context, body)
        except InvalidTransaction:
            assert changed.own_records() == ({}, {})
            assert changed.meta == admitted.meta
            assert not context.events
            raise
        admitted.absorb(changed)
        self.state.absorb(admitted)
        self._take_events(context.events)
        self.sent.append(transaction)
        return name

    def _take_events(self, events: Sequence[Record]) -> None:
        for event in events:
            assert MARKET_EVENT_DECODER.decode(encode(event)) == event
        self.events.extend(events)

    def post(self, who: str = "sue", spec: JobSpec = SPEC) -> JobId:
        expiry = Millis(self.state.meta.time + EXPIRES_IN)
        return JobId(self.send(who, PostJob(spec=replace(spec, expiry=expiry))))

    def bid(self, who: str, job: JobId, loss: int, *, model_bytes: int = MODEL_BYTES) -> None:
        """Announce a loss for the model that bears the bidder's name."""
        announced = Announcement(
            job=job,
            bidder=key(who),
            loss=NanoLoss(loss),
            model_root=model(who),
            model_bytes=ByteCount(model_bytes),
        )
        commitment = compute_bid_commitment(CHAIN, announced, salt(who))
        self.send(who, Bid(job=job, loss=NanoLoss(loss), commitment=commitment))

    def open(self, who: str, job: JobId, *, model_bytes: int = MODEL_BYTES) -> None:
        self.send(
            who,
            Open(
                job=job,
                model_root=model(who),
                model_bytes=ByteCount(model_bytes),
                salt=salt(who),
            ),
        )

    def commit(self, who: str, job: JobId, verdict: Verdict) -> None:
        candidate, size = self.seat(job)
        name = SeatName(job=job, candidate=candidate, size=size, member=key(who))
        commitment = compute_verdict_commitment(CHAIN, name, verdict, salt(who))
        self.send(who, VerdictCommit(job=job, candidate=candidate, commitment=commitment))

    def reveal(self, who: str, job: JobId, verdict: Verdict) -> None:
        candidate, _ = self.seat(job)
        body = VerdictReveal(
            job=job,
            candidate=candidate,
            losses=verdict.losses,
            fault=verdict.fault,
            salt=salt(who),
        )
        self.send(who, body)

    # Stories.

    def expire(self, job: JobId) -> None:
        self.skip_to(self.job(job).expiry)

    def auction(self, job: JobId, bids: Mapping[str, int]) -> None:
        """Let all bid, expire, open, and the first candidate's committee be drawn."""
        for who, loss in bids.items():
            self.bid(who, job, loss)
        self.expire(job)
        for who in bids:
            self.open(who, job)
        self.tick()

    def judge(self, job: JobId, verdict: "Verdict | Callable[[str], Verdict | None]") -> None:
        """Let the new members commit and reveal, and the committee decide; None stays silent."""
        answers: dict[str, Verdict] = {}
        for member in self.new_members(job):
            answer = verdict if isinstance(verdict, Verdict) else verdict(member)
            if answer is not None:
                answers[member] = answer
                self.commit(member, job, answer)
        self.skip_until_not(job, Phase.COMMIT)
        for member, answer in answers.items():
            self.reveal(member, job, answer)
        self.skip_until_not(job, Phase.REVEAL)

    def skip_until_not(self, job: JobId, phase: Phase) -> None:
        """Let the time pass that a phase of a job still waits."""
        assert self.job(job).phase is phase
        self.skip_to(self.job(job).due)
        if self.job(job).phase is phase:
            self.tick()

    def skip_until_not_opened(self, job: JobId) -> None:
        """Let a window pass in which nobody opens."""
        assert self.job(job).phase is Phase.OPENING
        self.skip_to(self.job(job).due)

    # Looking.

    def job(self, job: JobId) -> Job:
        found = self.state.job(job)
        assert found is not None
        return found

    def balance(self, who: str) -> int:
        return self.state.account(key(who)).balance

    def bond(self, who: str) -> int:
        return self.state.account(key(who)).bond

    def is_banned(self, who: str) -> bool:
        return self.state.account(key(who)).is_banned

    def seat(self, job: JobId) -> tuple[PublicKey, int]:
        examination = get_examination(self.job(job))
        assert examination
        return examination.candidate, examination.size

    def candidate(self, job: JobId) -> str:
        bid = get_candidate(self.job(job))
        assert bid
        return self.names[bid.bidder]

    def members(self, job: JobId) -> list[str]:
        examination = get_examination(self.job(job))
        assert examination
        return [self.names[seat.member.key] for seat in examination.seats]

    def new_members(self, job: JobId) -> list[str]:
        examination = get_examination(self.job(job))
        assert examination
        return [
            self.names[seat.member.key]
            for seat in examination.seats
            if seat.size == examination.size
        ]

    def told(self, kind: type[Record]) -> list[Record]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]
