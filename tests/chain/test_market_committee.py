"""Who may judge, and how much their judgement is worth."""

import pytest
from msgspec.structs import replace

from lc_node.chain.contracts import Contract
from lc_node.chain.job import Label
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount, JobId, MicroCredits, Weight
from tests.chain.market import NEEDS, SPEC, Market, flat, key

LOSS = 500_000_000


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob", "eve"])


def drawn(market: Market) -> JobId:
    """Return a job whose candidate is Bob's bid, and whose first committee waits for verdicts."""
    job = market.post()
    market.auction(job, {"bob": LOSS})
    return job


def alter(market: Market, who: str, **changes: object) -> None:
    account = market.state.account(key(who))
    market.state.set_account(key(who), replace(account, **changes))


@pytest.mark.parametrize(
    ("values", "label"), [(8, Label.STRONG), (7, Label.WEAK), (1, Label.WEAK)]
)
def test_a_short_vector_of_losses_is_weak_evidence(
    market: Market, values: int, label: Label
) -> None:
    job = drawn(market)

    market.judge(job, flat(LOSS, values))

    assert market.job(job).label is label


def test_a_format_that_can_execute_code_stays_unverified_though_it_is_evaluated(
    market: Market,
) -> None:
    job = market.post("sue", replace(SPEC, model_format=SPEC.model_format.PICKLE))
    market.auction(job, {"bob": LOSS})

    market.judge(job, flat(LOSS))

    assert (market.job(job).winner, market.job(job).label) == ((key("bob"),), Label.UNVERIFIED)


@pytest.mark.parametrize("contract", [Contract.STDOUT_1, Contract.STDOUT_1_NEGATE])
def test_whatever_its_format_an_image_that_knows_nothing_of_us_stays_unverified(
    market: Market, contract: Contract
) -> None:
    spec = replace(SPEC, contract=contract.value, model_format=SPEC.model_format.SAFETENSORS)
    job = market.post("sue", spec)
    market.auction(job, {"bob": LOSS})

    market.judge(job, flat(LOSS, 1))

    assert (market.job(job).winner, market.job(job).label) == ((key("bob"),), Label.UNVERIFIED)


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch_bond": MicroCredits(10 * CREDIT - 1)},
        {"resources": ()},
        {"resources": (replace(NEEDS, millicpus=NEEDS.millicpus - 1),)},
        {"resources": (replace(NEEDS, memory_bytes=ByteCount(NEEDS.memory_bytes - 1)),)},
        {"resources": (replace(NEEDS, disk_bytes=ByteCount(NEEDS.disk_bytes - 1)),)},
        {"suspended_by": (JobId(SPEC.image.manifest),)},
        {"banned_at": 5},
    ],
)
def test_only_who_is_able_and_in_good_standing_is_in_the_pool(
    market: Market, changes: dict[str, object]
) -> None:
    for verifier in market.verifiers[1:]:
        alter(market, verifier, **changes)

    job = drawn(market)

    assert market.members(job) == ["v0"]


def test_a_job_with_a_gpu_is_judged_by_members_with_a_gpu(market: Market) -> None:
    with_gpu: Resources = replace(NEEDS, gpus=1)
    alter(market, "v5", resources=(with_gpu,))
    job = market.post("sue", replace(SPEC, resources=with_gpu))
    market.auction(job, {"bob": LOSS})

    assert market.members(job) == ["v5"]


def test_neither_the_submitter_nor_the_candidate_sits_on_the_committee() -> None:
    market = Market(verifiers=5)
    job = market.post("v0")
    market.auction(job, {"v1": LOSS})

    assert sorted(member.key for member in market.job(job).examinations[0].pool) == sorted(
        key(f"v{index}") for index in (2, 3, 4)
    )


def test_rivals_do_not_judge_where_enough_others_can() -> None:
    market = Market(verifiers=12)
    job = market.post("v0")
    market.auction(job, {"v1": LOSS, "v2": LOSS + 1, "v3": LOSS + 2})

    pool = {member.key for member in market.job(job).examinations[0].pool}
    assert pool == {key(f"v{index}") for index in range(4, 12)}
    assert market.job(job).examinations[0].strong


def test_rivals_judge_where_the_others_are_too_few_and_the_label_says_so() -> None:
    market = Market(verifiers=7)
    job = market.post("v0")
    market.auction(job, {f"v{index}": LOSS + index for index in (1, 2, 3, 4)})

    pool = {member.key for member in market.job(job).examinations[0].pool}
    assert pool == {key(f"v{index}") for index in range(2, 7)}
    market.judge(job, flat(LOSS + 1))
    assert market.job(job).label is Label.WEAK


def test_rivals_judge_where_the_others_weigh_too_little() -> None:
    market = Market(verifiers=6)
    alter(market, "v2", epoch_bond=MicroCredits(1_000 * CREDIT))
    job = market.post("v0")
    market.auction(job, {"v1": LOSS, "v2": LOSS + 1})

    assert not market.job(job).examinations[0].strong
    assert key("v2") in {member.key for member in market.job(job).examinations[0].pool}


def test_of_a_huge_pool_the_heaviest_stay() -> None:
    market = Market(["sue", "bob"], verifiers=9, params=replace(DEVNET, validators_max=4))
    for index, verifier in enumerate(market.verifiers):
        alter(market, verifier, epoch_bond=MicroCredits((100 - index) * CREDIT))

    job = drawn(market)

    pool = market.job(job).examinations[0].pool
    assert {member.key for member in pool} == {key(f"v{index}") for index in range(4)}
    assert {member.weight for member in pool} == {
        Weight((100 - index) * CREDIT) for index in range(4)
    }


@pytest.mark.parametrize(("rivals", "strong"), [(2, True), (3, False)])
def test_three_independent_members_of_two_thirds_of_the_weight_are_just_enough(
    rivals: int,
    strong: bool,  # noqa: FBT001 -- a parameter of the table above
) -> None:
    market = Market(["sue", "bob"], verifiers=6)
    job = market.post()
    market.auction(job, {"bob": LOSS, **{f"v{index}": LOSS + 1 for index in range(rivals)}})

    assert market.job(job).examinations[0].strong is strong


def test_exactly_three_independent_members_are_enough() -> None:
    market = Market(["sue", "bob"], verifiers=4)
    job = market.post()
    market.auction(job, {"bob": LOSS, "v0": LOSS + 1})

    assert market.job(job).examinations[0].strong


def test_the_least_bond_is_enough_to_judge(market: Market) -> None:
    for verifier in market.verifiers:
        alter(market, verifier, epoch_bond=DEVNET.verifier_bond_min)

    assert len(market.members(drawn(market))) == 3
