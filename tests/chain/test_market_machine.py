"""Many people in one market for a long time: whatever they do, the rules hold."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from lc_node.chain.contracts import Contract
from lc_node.chain.duties import Duty, get_duty
from lc_node.chain.errors import InvalidTransaction
from lc_node.chain.job import Job, Label, Phase, Verdict
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Body, Cancel, Fault, TopUp, Transfer
from lc_node.chain.types import JobId, MicroCredits
from tests.chain.market import SPEC, Market, fault, flat, key

START = 1_000 * CREDIT
TRUTH = {"honest": 500_000_000, "second": 500_400_000, "slow": 700_000_000}
HONEST = list(TRUTH)
LIARS = {"liar": 100_000_000, "fibber": 499_000_000 - 2_000, "ghost": 1, "hider": 2}
"""What dishonest bidders announce; a liar's model is really worth 600,000,000, a fibber's a bit more."""
WORTH = {"liar": 600_000_000, "fibber": 499_000_000}
BIDDERS = [*HONEST, *LIARS, "sybil0", "sybil1"]
SUBMITTERS = ["sue", "tom"]


class Trading(RuleBasedStateMachine):
    """Posts, bids and verifies at random; of nine verifiers one is lazy, one absent, one slanders."""

    def __init__(self) -> None:
        super().__init__()
        self.market = Market([*SUBMITTERS, *BIDDERS], verifiers=9)
        self.evaluation: dict[JobId, str] = {}

    # What people do.

    @precondition(lambda self: len(self.evaluation) < 4)
    @rule(
        who=st.sampled_from(SUBMITTERS),
        kind=st.sampled_from(["fair", "fair", "crash", "dice"]),
        contract=st.sampled_from(list(Contract)),
    )
    def post(self, who: str, kind: str, contract: Contract) -> None:
        job = self.market.post(who, replace(SPEC, contract=contract.value))
        self.evaluation[job] = kind

    @invariant()
    def only_what_guards_itself_is_trusted(self) -> None:
        trusted = {Label.WEAK, Label.STRONG}
        for job in self.market.state.jobs():
            assert job.label not in trusted or job.spec.contract == Contract.LC_1

    @precondition(lambda self: self.evaluation)
    @rule(data=st.data(), who=st.sampled_from(BIDDERS), better=st.integers(0, 3))
    def bid(self, data: st.DataObject, who: str, better: int) -> None:
        job = data.draw(st.sampled_from(list(self.evaluation)))
        announced = (TRUTH | LIARS).get(who, 800_000_000) - (0 if who in WORTH else better)
        self.attempt(lambda: self.market.bid(who, job, announced + 3))

    @precondition(lambda self: self.evaluation)
    @rule(data=st.data(), kind=st.sampled_from(["top_up", "cancel", "transfer"]))
    def meddle(self, data: st.DataObject, kind: str) -> None:
        job = data.draw(st.sampled_from(list(self.evaluation)))
        who = data.draw(st.sampled_from([*SUBMITTERS, "liar"]))
        amount = MicroCredits(data.draw(st.integers(0, 2 * CREDIT)))
        bodies: dict[str, Body] = {
            "top_up": TopUp(job=job, amount=amount),
            "cancel": Cancel(job=job),
            "transfer": Transfer(to=key("ghost"), amount=amount, memo=b""),
        }
        self.attempt(lambda: self.market.send(who, bodies[kind]))

    @rule(ms=st.integers(1, 70_000))
    def pass_time(self, ms: int) -> None:
        for job in self.evaluation:
            self.do_duties(job)
        self.market.tick(ms)

    # What must be true.

    @invariant()
    def the_credits_are_all_there(self) -> None:
        self.market.check()

    @invariant()
    def no_honest_bidder_is_banned(self) -> None:
        assert not any(self.market.is_banned(who) for who in HONEST)

    @invariant()
    def no_liar_wins_a_job_that_can_be_evaluated(self) -> None:
        winners = [
            self.market.names[key]
            for job in self.market.state.jobs()
            if self.evaluation[job.id] == "fair"
            for key in job.winner
        ]
        assert not set(winners) & set(LIARS)

    def teardown(self) -> None:
        """Let every job end; then nobody honest has lost anything."""
        for _ in range(60):
            self.pass_time(70_000)
        assert not list(self.market.state.live_jobs())
        assert all(self.market.balance(who) >= START for who in HONEST)
        assert all(self.market.bond(f"v{index}") == 100 * CREDIT for index in range(6))
        assert not any(
            self.market.state.account(key(who)).is_suspended for who in self.market.names.values()
        )

    # How they do it.

    def attempt(self, act: Callable[[], object]) -> None:
        """Try something that the chain may refuse; that a refusal changes nothing is checked there."""
        with suppress(InvalidTransaction):
            act()

    def do_duties(self, job_id: JobId) -> None:
        """Let all who are expected do what they do."""
        job = self.market.state.job(job_id)
        if job is None:
            return
        for who in [*BIDDERS, *self.market.verifiers]:
            duty = get_duty(job, key(who))
            if duty is Duty.OPEN and who != "ghost":
                self.attempt(lambda who=who: self.market.open(who, job_id))  # type: ignore[misc]
            elif duty in (Duty.COMMIT, Duty.REVEAL):
                self.judge(job, who, duty)

    def judge(self, job: Job, member: str, duty: Duty) -> None:
        verdict = self.verdict_of(member, job)
        if verdict is None:
            return
        if duty is Duty.COMMIT:
            self.market.commit(member, job.id, verdict)
        else:
            self.market.reveal(member, job.id, verdict)

    def verdict_of(self, member: str, job: Job) -> Verdict | None:
        """Return what a member says: honest ones what they find, the last three what they like."""
        candidate = self.market.candidate(job.id)
        announced = next(bid.loss for bid in job.bids if bid.bidder == key(candidate))
        bad = {"v6": flat(announced), "v7": None, "v8": flat(2 * announced + 10**9)}
        if member in bad:
            return bad[member]
        if self.evaluation[job.id] == "crash":
            return fault(Fault.CRASHED)
        if self.evaluation[job.id] == "dice":
            return flat(10**9 + 10**6 * int(member[1:]))
        if candidate == "hider":
            return fault(Fault.MODEL_UNAVAILABLE)
        return flat(WORTH.get(candidate, announced))


Trading.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestTrading = Trading.TestCase


def test_a_market_that_runs_its_usual_course_settles() -> None:
    trading = Trading()
    trading.post("sue", "fair", Contract.LC_1)
    (job,) = trading.evaluation
    for who in BIDDERS:
        trading.market.bid(who, job, (TRUTH | LIARS).get(who, 800_000_000))

    while not trading.market.job(job).phase.is_over:
        trading.pass_time(70_000)

    assert trading.market.job(job).phase is Phase.SETTLED
    assert trading.market.job(job).winner == (key("honest"),)
    assert trading.market.is_banned("liar")
    assert not trading.market.is_banned("fibber")
