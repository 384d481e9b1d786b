"""What cannot work is refused at once, by name and with the remedy, and nothing is posted or lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from msgspec.structs import replace

from lc_node.api.calls import Cancel, GetJob, GetJobs, GetPolicy, GetWallet, SetPolicy, Submit
from lc_node.api.client import ApiError, Client, Refused
from lc_node.api.schema import JobId
from lc_node.api.schema_jobs import JobRequest, JobStory
from lc_node.chain.params import CREDIT
from lc_node.runtime.devnet import Devnet, Role
from tests.e2e import careless
from tests.e2e.graphs import living, patient_client, wait_for
from tests.e2e.light_job import light_request, post_light_job
from tests.e2e.programs import WithPrograms

pytestmark = pytest.mark.slow

ROLES: Final = (
    Role(name="submitter", balance=50, bonded=100, votes=True),
    Role(name="trainer", bonded=20, trains=True),
    Role(name="careless", balance=50, conduct=careless.__name__),
)
ATTEMPTS: Final = {
    "poor": (
        light_request(bounty=1000),
        "the balance is lower than bounty and fee; lower the bounty or earn",
    ),
    "unpaid": (light_request(bounty=0), "bounty of 0 credits is too small: offer 1"),
    "soon": (light_request(expiry_seconds=5), r"1[4-6] s too near: choose a later one"),
    "past": (light_request(expiry_seconds=-60), "expiry_seconds"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A job that nobody took, and that was taken back."""

    story: JobStory
    words: str
    """What the trainer's table of jobs said of it."""


@pytest.fixture(scope="module")
def net() -> Iterator[Devnet]:
    """A submitter who alone votes, a trainer, and one who posts what he should not."""
    with living(ROLES, WithPrograms) as devnet:
        yield devnet


@pytest.fixture
def submitter(net: Devnet) -> Iterator[Client]:
    with patient_client(net, "submitter") as client:
        yield client


@pytest.fixture(scope="module")
def declined(net: Devnet) -> Declined:
    """Post a job whose image is larger than the trainer wants, and cancel it."""
    with patient_client(net, "submitter") as client, patient_client(net, "trainer") as trainer:
        usual = trainer.call(GetPolicy())
        trainer.call(SetPolicy(policy=replace(usual, image_bytes_max=1_000_000)))
        job = post_light_job(client, light_request(expiry_seconds=600))
        words = _first_words(trainer, job)
        client.call(Cancel(job=job))
        trainer.call(SetPolicy(policy=usual))
        return Declined(story=client.call(GetJob(job=job)), words=words)


@pytest.fixture
def too_large(declined: Declined) -> JobRequest:
    """A job whose image has more bytes than it says."""
    request = declined.story.request
    return replace(request, image=replace(request.image, total_bytes=1_000_000))


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_terms_that_cannot_hold_are_refused_with_the_remedy(
    attempt: str, submitter: Client
) -> None:
    request, message = ATTEMPTS[attempt]

    with pytest.raises(ApiError, match=message):
        post_light_job(submitter, request)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_refused_job_costs_nothing_and_is_not_posted(attempt: str, submitter: Client) -> None:
    request, _ = ATTEMPTS[attempt]
    before = _possessions(submitter)

    _refused(submitter, request)

    assert _possessions(submitter) == before


def test_an_image_over_the_policys_limit_is_declined_for_that_reason(declined: Declined) -> None:
    assert declined.words == "its image is larger than image_bytes_max"


def test_a_job_that_is_taken_back_costs_nothing(declined: Declined, submitter: Client) -> None:
    assert declined.story.reason_code == "cancelled"
    assert submitter.call(GetWallet()).balance == 50 * CREDIT


def test_the_own_node_refuses_an_image_of_more_bytes_than_declared(
    too_large: JobRequest, submitter: Client
) -> None:
    with pytest.raises(Refused, match="1000000 were declared") as refusal:
        submitter.call(Submit(request=too_large))

    assert refusal.value.code == "ImageRefused"


def test_other_nodes_refuse_an_image_of_more_bytes_than_declared(
    too_large: JobRequest, net: Devnet
) -> None:
    with patient_client(net, "careless") as client, patient_client(net, "trainer") as trainer:
        job = client.call(Submit(request=too_large)).job

        assert "1000000 were declared" in _first_words(trainer, job)


def _first_words(client: Client, job: JobId) -> str:
    """Return why a node does not take a job, as soon as it says so."""
    found = wait_for(
        client,
        lambda: [one.local for one in client.call(GetJobs(prefix=job))],
        lambda words: any(word.startswith(("its image", "image refused")) for word in words),
        60,
    )
    return found[0]


def _refused(client: Client, request: JobRequest) -> None:
    with pytest.raises(ApiError):
        post_light_job(client, request)


def _possessions(client: Client) -> tuple[int, int, int]:
    """Return what a refusal must leave as it was."""
    wallet = client.call(GetWallet())
    return wallet.balance, wallet.escrowed, len(client.call(GetJobs(mine=True)))
