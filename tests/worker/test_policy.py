"""An owner's terms, and the name of the one that a job does not meet."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from lc_node.chain.contracts import Contract
from lc_node.chain.job import Job, Phase
from lc_node.chain.transactions import ModelFormat, Resources
from lc_node.chain.types import ByteCount, MicroCredits, MillisSpan, PublicKey, Seconds
from lc_node.worker.hours import Hours, Minute
from lc_node.worker.policy import (
    Circumstances,
    JobPolicy,
    Reason,
    reason_to_decline,
    reason_to_pause,
)
from tests.worker.samples import ME, NOW, OPEN, RIVAL, SPEC, SUBMITTER, a_job

POLICY = JobPolicy(
    bounty_min=MicroCredits(5),
    time_left_min=MillisSpan(1_000),
    trial_seconds_max=Seconds(60),
    image_bytes_max=ByteCount(1_000),
    jobs_at_once_max=1,
    offer=Resources(
        millicpus=1_000, memory_bytes=ByteCount(1_300), disk_bytes=ByteCount(100), gpus=0
    ),
)


def change_policy(**terms: object) -> Callable[[], JobPolicy]:
    return lambda: replace(POLICY, **terms)  # type: ignore[arg-type]


def offer(**terms: object) -> Resources:
    return msgspec.structs.replace(POLICY.offer, **terms)


def test_a_job_that_meets_every_term_is_taken() -> None:
    assert reason_to_decline(POLICY, OPEN, me=ME, now=NOW, running=()) is None


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (change_policy(bounty_min=11), Reason.BOUNTY),
        (change_policy(time_left_min=1_000_001), Reason.TIME_LEFT),
        (change_policy(trial_seconds_max=59), Reason.TRIAL_SECONDS),
        (change_policy(image_bytes_max=999), Reason.IMAGE_BYTES),
        (change_policy(formats=frozenset({ModelFormat.NPZ})), Reason.FORMAT),
        (change_policy(deny=frozenset({SUBMITTER})), Reason.DENIED),
        (change_policy(allow=frozenset({RIVAL})), Reason.NOT_ALLOWED),
        (change_policy(jobs_at_once_max=0), Reason.BUSY),
        (change_policy(offer=offer(millicpus=999)), Reason.CPUS),
        (change_policy(offer=offer(memory_bytes=1_299)), Reason.MEMORY),
        (change_policy(offer=offer(disk_bytes=99)), Reason.DISK),
    ],
)
def test_a_term_that_is_not_met_is_named(policy: Callable[[], JobPolicy], reason: Reason) -> None:
    assert reason_to_decline(policy(), OPEN, me=ME, now=NOW, running=()) is reason


def test_an_image_in_registries_that_the_owner_does_not_list_is_named() -> None:
    reason = reason_to_decline(POLICY, OPEN, me=ME, now=NOW, running=(), in_reach=False)

    assert reason is Reason.REGISTRY


def test_a_job_is_taken_beside_another_while_both_fit() -> None:
    roomy = replace(
        POLICY,
        jobs_at_once_max=2,
        offer=offer(millicpus=2_000, memory_bytes=2_600, disk_bytes=200),
    )

    assert reason_to_decline(roomy, OPEN, me=ME, now=NOW, running=(SPEC,)) is None


@pytest.mark.parametrize(
    "short", [{"millicpus": 1_999}, {"memory_bytes": 2_599}, {"disk_bytes": 199}]
)
def test_a_job_that_does_not_fit_beside_another_waits(short: dict[str, int]) -> None:
    wide = {"millicpus": 2_000, "memory_bytes": 2_600, "disk_bytes": 200} | short
    policy = replace(POLICY, jobs_at_once_max=2, offer=offer(**wide))

    assert reason_to_decline(policy, OPEN, me=ME, now=NOW, running=(SPEC,)) is Reason.FULL


@pytest.mark.parametrize(
    ("most", "reason"),
    [
        ({}, None),
        ({"gpus": 0}, Reason.NO_GPUS),
        ({"millicpus": 999}, Reason.TOO_LARGE),
        ({"memory_bytes": 1_299}, Reason.TOO_LARGE),
    ],
)
def test_a_job_that_is_offered_room_but_fits_nowhere_is_declined(
    most: dict[str, int], reason: Reason | None
) -> None:
    resources = msgspec.structs.replace(SPEC.resources, gpus=1)
    job = msgspec.structs.replace(OPEN, spec=msgspec.structs.replace(SPEC, resources=resources))
    policy = replace(POLICY, offer=offer(gpus=1))
    place = offer(**({"gpus": 1} | most))

    assert reason_to_decline(policy, job, me=ME, now=NOW, running=(), most=place) is reason


@pytest.mark.parametrize("contract", list(Contract))
def test_a_job_is_taken_under_each_contract(contract: Contract) -> None:
    spec = msgspec.structs.replace(SPEC, contract=contract.value)
    job = msgspec.structs.replace(OPEN, spec=spec)

    assert reason_to_decline(POLICY, job, me=ME, now=NOW, running=()) is None


@pytest.mark.parametrize(
    ("job", "me", "reason"),
    [
        (OPEN, SUBMITTER, Reason.OWN_JOB),
        (a_job(Phase.REVEAL), ME, Reason.NOT_OPEN),
        (
            msgspec.structs.replace(OPEN, spec=msgspec.structs.replace(SPEC, contract="lc/2")),
            ME,
            Reason.CONTRACT,
        ),
        (
            msgspec.structs.replace(
                OPEN,
                spec=msgspec.structs.replace(
                    SPEC, resources=msgspec.structs.replace(SPEC.resources, gpus=1)
                ),
            ),
            ME,
            Reason.GPUS,
        ),
    ],
)
def test_a_job_that_cannot_be_taken_says_why(job: Job, me: PublicKey, reason: Reason) -> None:
    assert reason_to_decline(POLICY, job, me=me, now=NOW, running=()) is reason


NIGHT = Hours(begin=Minute(22 * 60), end=Minute(7 * 60))
LUNCH = Hours(begin=Minute(12 * 60), end=Minute(13 * 60))


def machine(**now: object) -> Circumstances:
    calm = Circumstances(minute=Minute(12 * 60), on_battery=False, others_percent=0)
    return replace(calm, **now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "now", "reason"),
    [
        (change_policy(), machine(on_battery=True, others_percent=100), None),
        (change_policy(hours=(NIGHT,)), machine(), Reason.HOURS),
        (change_policy(hours=(NIGHT, LUNCH)), machine(), None),
        (change_policy(pauses_on_battery=True), machine(), None),
        (change_policy(pauses_on_battery=True), machine(on_battery=True), Reason.BATTERY),
        (change_policy(others_percent_max=30), machine(others_percent=30), None),
        (change_policy(others_percent_max=30), machine(others_percent=31), Reason.LOAD),
        (change_policy(), machine(has_place=False), Reason.PLACE),
    ],
)
def test_work_pauses_while_the_owner_wants_the_machine_alone(
    policy: Callable[[], JobPolicy], now: Circumstances, reason: Reason | None
) -> None:
    assert reason_to_pause(policy(), now) is reason
