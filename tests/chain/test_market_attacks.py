"""What people try in order to be paid for nothing, and what it gets them."""

import pytest
from msgspec.structs import replace

from lc_node.chain.commitments import SeatName, compute_verdict_commitment
from lc_node.chain.errors import SenderSuspended
from lc_node.chain.errors_market import (
    BidOnOwnJob,
    NotAnImprovement,
    OpeningMismatch,
    RankingFull,
    VerdictMismatch,
)
from lc_node.chain.events import CommitteeDrawn, Reason
from lc_node.chain.job import Label, Phase
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.ranking import get_bid, get_finalists
from lc_node.chain.transactions import (
    Bid,
    Bond,
    Fault,
    Open,
    Transfer,
    Unbond,
    VerdictCommit,
    VerdictReveal,
)
from lc_node.chain.types import JobId, MicroCredits, NanoLoss
from tests.chain.market import MODEL_BYTES, SPEC, Market, fault, flat, key, model, salt

LOSS = 500_000_000
START = 1_000 * CREDIT
BOND = 3 * CREDIT
SYBILS = [f"sybil{index}" for index in range(64)]


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob", "eve", "friend", *SYBILS])


def settle(market: Market, job: JobId, truth: dict[str, int]) -> None:
    """Let honest verifiers judge candidate after candidate until the job is over."""
    while market.job(job).phase is Phase.COMMIT:
        market.judge(job, flat(truth[market.candidate(job)]))


def test_a_copied_bid_cannot_be_opened_and_costs_its_bond(market: Market) -> None:
    job = market.post()
    market.bid("bob", job, LOSS)
    copied = get_bid(market.job(job), key("bob"))
    assert copied
    market.send("eve", Bid(job=job, loss=copied.loss, commitment=copied.commitment))
    market.expire(job)
    market.open("bob", job)

    with pytest.raises(OpeningMismatch):
        market.send(
            "eve",
            Open(job=job, model_root=model("bob"), model_bytes=MODEL_BYTES, salt=salt("bob")),
        )
    market.skip_until_not(job, Phase.OPENING)
    settle(market, job, {"bob": LOSS})
    assert market.job(job).winner == (key("bob"),)
    assert market.balance("eve") == START - BOND


def test_a_front_runner_with_a_lower_loss_still_has_no_model(market: Market) -> None:
    job = market.post()
    market.send("eve", Bid(job=job, loss=NanoLoss(LOSS - 1), commitment=SPEC.image.manifest))
    market.bid("bob", job, LOSS)
    market.expire(job)
    market.open("bob", job)
    market.skip_until_not(job, Phase.OPENING)

    settle(market, job, {"bob": LOSS})

    assert market.job(job).winner == (key("bob"),)
    assert market.balance("eve") == START - BOND


def test_a_fake_leader_does_not_stop_the_race(market: Market) -> None:
    job = market.post()
    market.bid("eve", job, -(2**62))
    market.tick()

    market.auction(job, {"bob": LOSS})
    market.skip_until_not(job, Phase.OPENING)
    settle(market, job, {"bob": LOSS})

    assert market.job(job).winner == (key("bob"),)


def test_a_fake_loss_cannot_be_taken_back_by_a_true_one(market: Market) -> None:
    job = market.post()
    market.bid("eve", job, -(2**62))

    with pytest.raises(NotAnImprovement):
        market.bid("eve", job, LOSS)


def test_a_lie_by_a_lot_costs_everything(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS // 2, "bob": LOSS})

    settle(market, job, {"eve": LOSS, "bob": LOSS})

    assert market.is_banned("eve")
    assert market.balance("eve") == 0
    assert market.balance("bob") == START + 10 * CREDIT


def test_a_lie_within_the_tolerance_is_no_lie(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS - 1_400, "bob": LOSS - 1})

    settle(market, job, {"eve": LOSS, "bob": LOSS})

    assert market.job(job).winner == (key("eve"),)


def test_a_lie_just_past_the_tolerance_wins_nothing(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS - 1_600, "bob": LOSS - 1})

    settle(market, job, {"eve": LOSS, "bob": LOSS})

    assert market.job(job).winner == (key("bob"),)
    assert market.balance("eve") == START - BOND


def test_a_refuted_bidder_cannot_move_its_credits_away_before_the_ban(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS // 2, "bob": LOSS})
    while market.candidate(job) == "eve":
        market.judge(job, flat(LOSS))

    amount = MicroCredits(CREDIT)
    for body in (
        Transfer(to=key("friend"), amount=amount, memo=b""),
        Bond(amount=amount, link=(), resources=()),
        Unbond(amount=amount),
    ):
        with pytest.raises(SenderSuspended):
            market.send("eve", body)
    market.judge(job, flat(LOSS))
    assert market.balance("eve") == 0


def test_a_withheld_model_costs_the_bond_and_the_next_bid_wins(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS - 10**8, "bob": LOSS})
    market.judge(job, fault(Fault.MODEL_UNAVAILABLE))

    settle(market, job, {"bob": LOSS})

    assert market.job(job).winner == (key("bob"),)
    assert market.balance("eve") == START - BOND


def test_eight_keys_at_minus_infinity_lose_all_their_bonds_and_an_honest_reserve_wins(
    market: Market,
) -> None:
    job = market.post()
    for sybil in SYBILS[:8]:
        market.bid(sybil, job, -(2**63))
    market.bid("bob", job, LOSS)
    market.expire(job)
    market.skip_until_not_opened(job)

    market.open("bob", job)
    market.tick()
    settle(market, job, {"bob": LOSS})

    assert market.job(job).winner == (key("bob"),)
    assert [market.balance(sybil) for sybil in SYBILS[:8]] == [START - BOND] * 8


def test_sixty_four_keys_at_minus_infinity_stop_a_job_for_more_than_twice_its_bounty(
    market: Market,
) -> None:
    job = market.post()
    for sybil in SYBILS:
        market.bid(sybil, job, -(2**63))
    with pytest.raises(RankingFull):
        market.bid("bob", job, LOSS)
    market.expire(job)

    while market.job(job).phase is Phase.OPENING:
        market.skip_until_not_opened(job)

    assert market.balance("sue") == START
    assert sum(START - market.balance(sybil) for sybil in SYBILS) == 8 * BOND


def test_sybils_need_a_bond_for_every_finalists_place(market: Market) -> None:
    job = market.post()
    for index, sybil in enumerate(SYBILS):
        market.bid(sybil, job, -index)

    assert len(get_finalists(market.job(job))) == 8
    locked = sum(START - market.balance(sybil) for sybil in SYBILS)
    assert locked == 8 * BOND


def test_a_verifier_cannot_echo_another_ones_hidden_verdict(market: Market) -> None:
    job = market.post()
    market.auction(job, {"bob": LOSS})
    diligent, lazy, third = market.members(job)
    candidate, size = market.seat(job)
    name = SeatName(job=job, candidate=candidate, size=size, member=key(diligent))
    seen = compute_verdict_commitment(market.state.meta.chain_id, name, flat(LOSS), salt("d"))
    for member in (diligent, lazy):
        market.send(member, VerdictCommit(job=job, candidate=candidate, commitment=seen))
    market.commit(third, job, flat(LOSS))
    market.tick()
    shown = VerdictReveal(
        job=job,
        candidate=candidate,
        losses=flat(LOSS).losses,
        fault=Fault.NONE,
        salt=salt("d"),
    )
    market.send(diligent, shown)

    with pytest.raises(VerdictMismatch):
        market.send(lazy, shown)


def test_a_verifier_that_repeats_the_announced_loss_is_off_the_true_losses(
    market: Market,
) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS // 2, "bob": LOSS})
    lazy = market.members(job)[0]

    while market.candidate(job) == "eve":
        market.judge(job, lambda member: flat(LOSS // 2 if member == lazy else LOSS))
    market.judge(job, flat(LOSS))

    assert market.bond(lazy) == 50 * CREDIT
    assert market.is_banned("eve")


def test_two_colluding_verifiers_of_three_save_no_liar(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS // 2, "bob": LOSS})
    colluding = market.members(job)[:2]
    while market.candidate(job) == "eve":
        market.judge(job, lambda member: flat(LOSS // 2 if member in colluding else LOSS))
    market.judge(job, flat(LOSS))

    assert market.job(job).winner == (key("bob"),)
    assert [market.bond(member) for member in colluding] == [50 * CREDIT] * 2


def test_verifiers_above_the_bound_decide_what_is_true(market: Market) -> None:
    job = market.post()
    market.auction(job, {"eve": LOSS // 2, "bob": LOSS})

    market.judge(job, flat(LOSS // 2))

    assert market.job(job).winner == (key("eve"),)


def test_an_honest_bidder_is_not_banned_by_a_lying_committee_alone(market: Market) -> None:
    job = market.post()
    market.auction(job, {"bob": LOSS})

    while market.job(job).phase is Phase.COMMIT:
        market.judge(job, flat(2 * LOSS))

    assert not market.is_banned("bob")


def test_a_submitter_does_not_bid_under_its_own_key(market: Market) -> None:
    job = market.post("sue")

    with pytest.raises(BidOnOwnJob):
        market.bid("sue", job, LOSS)


def test_a_submitter_that_wins_under_another_key_has_paid_its_verifiers(market: Market) -> None:
    job = market.post("sue")
    market.auction(job, {"friend": LOSS})

    settle(market, job, {"friend": LOSS})

    assert market.balance("sue") + market.balance("friend") < 2 * START


def test_keys_that_bond_to_judge_a_friend_are_outvoted_by_weight() -> None:
    cheap = [f"cheap{index}" for index in range(20)]
    market = Market(["sue", "eve", *cheap], verifiers=20)
    for name in cheap:
        market.send(name, Bond(amount=MicroCredits(10 * CREDIT), link=(), resources=()))
        account = market.state.account(key(name))
        offer = market.state.account(key("v0")).resources
        market.state.set_account(
            key(name), replace(account, epoch_bond=account.bond, resources=offer)
        )
    wins = 0
    for _ in range(30):
        job = market.post()
        market.auction(job, {"eve": LOSS})
        wins += sum(member in cheap for member in market.members(job))
        market.judge(job, flat(LOSS))

    assert wins < 90 * 3 // 11


def test_finalists_do_not_judge_their_rival(market: Market) -> None:
    job = market.post()
    market.auction(job, {"bob": LOSS, "v0": LOSS + 1, "v1": LOSS + 2})

    pool = {member.key for member in market.job(job).examinations[0].pool}

    assert not pool & {key("v0"), key("v1")}


def test_an_evaluation_that_hangs_costs_bidders_nothing_but_their_work(market: Market) -> None:
    job = market.post()
    market.auction(job, {"bob": LOSS, "eve": LOSS + 1})

    for _ in range(2):
        market.judge(job, fault(Fault.TIMED_OUT))

    assert (market.balance("bob"), market.balance("eve")) == (START, START)
    assert market.balance("sue") < START


def test_an_evaluation_that_changes_with_the_clock_bans_nobody_alone(market: Market) -> None:
    job = market.post()
    market.auction(job, {"bob": LOSS, "eve": LOSS + 1})

    while market.job(job).phase is Phase.COMMIT:
        now = market.state.meta.time
        market.judge(job, flat(LOSS + now % 10**9 + 10**8))

    assert not market.is_banned("bob")
    assert not market.is_banned("eve")


def test_the_image_that_vanishes_costs_its_submitter_the_fee(market: Market) -> None:
    job = market.post()
    market.auction(job, {"bob": LOSS})

    market.judge(job, fault(Fault.IMAGE_UNAVAILABLE))

    assert market.balance("bob") == START
    assert market.balance("sue") < START


def test_who_sits_is_not_known_before_the_block_that_draws(market: Market) -> None:
    first, second = market.post(), market.post()
    for job in (first, second):
        market.bid("bob", job, LOSS)
    market.expire(first)
    for job in (first, second):
        market.open("bob", job)
    market.tick()

    one, two = (e for e in market.events if isinstance(e, CommitteeDrawn))
    assert one.members != two.members


def test_ten_thousand_jobs_due_at_once_take_their_steps_sixty_four_a_block() -> None:
    rich = replace(DEVNET, tokens_max=10**9)
    market = Market(["sue"], verifiers=0, balance=10**6 * CREDIT, params=rich)
    market.send("sue", Bond(amount=MicroCredits(1), link=(), resources=()))
    first = market.post()
    template = market.job(first)
    account = market.state.account(key("sue"))
    held = template.escrow + template.fee_held
    owed = MicroCredits(account.balance - 9_999 * held)
    market.state.set_account(key("sue"), replace(account, balance=owed))
    for index in range(9_999):
        copy = JobId(model(f"job {index}"))
        market.state.set_job(copy, replace(template, id=copy))
    market.open_books()

    market.expire(first)
    over = [job for job in market.state.jobs() if job.phase is Phase.REFUNDED]
    assert len(over) == DEVNET.deadlines_per_block == 64
    assert sorted(job.id for job in over) == sorted(job.id for job in market.state.jobs())[:64]

    market.tick(1)
    assert sum(job.phase is Phase.REFUNDED for job in market.state.jobs()) == 128


def test_a_job_nobody_can_judge_is_marked_as_unverified() -> None:
    market = Market(["sue", "eve"], verifiers=0)
    job = market.post()

    market.auction(job, {"eve": -(2**62)})

    assert market.job(job).label is Label.UNVERIFIED
    assert any(getattr(e, "reason", None) is Reason.NOBODY_TO_VERIFY for e in market.events)
