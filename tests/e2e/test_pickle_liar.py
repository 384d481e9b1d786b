"""A model that lies while it is loaded gains nothing where models cannot execute, and trust nowhere."""

import io
from collections.abc import Iterator, Mapping
from typing import Final

import pytest
from msgspec.structs import replace

from lc_jupyter.display import Shown
from lc_jupyter.submit import submit
from lc_node.api.calls import GetPolicy, SetPolicy
from lc_node.api.schema import Digest, Naming
from lc_node.api.schema_jobs import BidView, JobStory
from lc_node.api.uploading import put_blob
from lc_node.runtime.devnet import Devnet, Role
from tests.e2e import forger
from tests.e2e.graphs import (
    EVALUATORS,
    SUBMITTER,
    TRAINER,
    living,
    patient_client,
    wait_until_over,
)
from tests.e2e.light_job import light_snapshot, light_terms
from tests.e2e.programs import WithPrograms

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("graph")]

FORGER: Final = Role(name="forger", conduct=forger.__name__)
FORMATS: Final = ("raw", "pickle")


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the submitter was told before the jobs were posted."""
    return []


@pytest.fixture(scope="module")
def net() -> Iterator[Devnet]:
    """A graph whose trainer takes two jobs at once, and whose forger has its model at hand."""
    with living((SUBMITTER, TRAINER, *EVALUATORS, FORGER), WithPrograms) as devnet:
        with patient_client(devnet, "trainer") as client:
            policy = replace(client.call(GetPolicy()), jobs_at_once=len(FORMATS))
            client.call(SetPolicy(policy=policy))
        with patient_client(devnet, "forger") as client:
            put_blob(
                client,
                io.BytesIO(forger.FORGED_MODEL),
                digest=Digest(forger.FORGED_ROOT.hex()),
                size=len(forger.FORGED_MODEL),
                naming=Naming.CHUNKS,
            )
        yield devnet


@pytest.fixture(scope="module")
def stories(net: Devnet, told: list[str]) -> Mapping[str, JobStory]:
    """The ends of the same job in a safe format and in one that executes, by format."""

    def say(shown: Shown) -> None:
        told.append(shown.text)

    with patient_client(net, "submitter") as client:
        posted = {
            name: submit(client, light_snapshot(name), light_terms(), say) for name in FORMATS
        }
        return {
            name: wait_until_over(client, one.submitted.job)
            for name, one in posted.items()
            if one is not None
        }


def _forged_bid(story: JobStory, net: Devnet) -> BidView:
    address = net.place("forger").identity.address
    return next(bid for bid in story.bids if bid.bidder == address)


def test_the_forged_model_is_void_where_models_cannot_execute(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    bid = _forged_bid(stories["raw"], net)

    assert (bid.rank, bid.standing, bid.void_code) == (1, "void", "crashed")


def test_the_honest_bid_wins_where_models_cannot_execute(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    summary = stories["raw"].summary

    assert (summary.winner, summary.label) == (net.place("trainer").identity.address, "strong")


def test_the_forged_model_deceives_every_verifier_where_models_execute(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    forged = net.place("forger").identity.address
    verdicts = [one for one in stories["pickle"].verdicts if one.candidate == forged]

    assert {one.mean for one in verdicts if one.revealed} == {0}


def test_nobody_vouches_for_a_loss_where_models_execute(stories: Mapping[str, JobStory]) -> None:
    assert stories["pickle"].summary.label == "unverified"


def test_the_submitter_of_a_pickle_job_is_told_before_it_is_posted(
    stories: Mapping[str, JobStory], told: list[str]
) -> None:
    assert stories
    warned = [index for index, text in enumerate(told) if "'unverified'" in text]
    posted = [index for index, text in enumerate(told) if "Posted as job" in text]

    assert warned
    assert warned[0] < posted[1]
