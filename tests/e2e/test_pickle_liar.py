"""A model that lies while it is loaded gains nothing where models cannot execute, trust nowhere, and no kernel."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from lc_jupyter.errors import UserError
from lc_jupyter.jobs import Job
from lc_node.api.calls import GetPolicy, GetPrice, SetPolicy
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
from tests.e2e.light_job import light_request, post_light_job
from tests.e2e.programs import WithPrograms

pytestmark = pytest.mark.slow

FORGER: Final = Role(name="forger", conduct=forger.__name__)
FORMATS: Final = ("raw", "pickle")


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
def stories(net: Devnet) -> Mapping[str, JobStory]:
    """The ends of the same job in a safe format and in one that executes, by format."""
    with patient_client(net, "submitter") as client:
        jobs = {name: post_light_job(client, light_request(model_format=name)) for name in FORMATS}
        return {name: wait_until_over(client, job) for name, job in jobs.items()}


def _line_of(job: Job) -> tuple[float, float]:
    """Return slope and base of the line that has won, however far it has been trained."""
    slope, base = json.loads(Path(job.fetch().path).read_bytes())
    return slope, base


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


def test_a_price_says_beforehand_that_nobody_will_vouch_for_a_pickle(net: Devnet) -> None:
    with patient_client(net, "submitter") as client:
        price = client.call(GetPrice(request=light_request(model_format="pickle")))

    assert "unverified" in price.note


def test_the_winner_predicts_in_the_nodes_sandbox(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    with patient_client(net, "submitter") as client:
        job = Job(client, stories["raw"].summary.job)
        predicted = job.predict([0.0, 1.0, 2.0])
        slope, base = _line_of(job)

    assert predicted == pytest.approx([base, slope + base, 2 * slope + base])


def test_a_model_that_takes_its_process_over_predicts_nothing_and_ends_only_the_sandboxs(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    with patient_client(net, "submitter") as client:
        job = Job(client, stories["pickle"].summary.job)
        fetched = job.fetch()
        with pytest.raises(UserError, match="did not predict in the sandbox: it left nothing"):
            job.predict([0.0])
        with pytest.raises(UserError, match="is a pickle"):
            job.result()

    assert Path(fetched.path).read_bytes() == forger.FORGED_MODEL
    assert not forger.TRACE.exists()


def test_a_strangers_model_predicts_in_the_sandbox_and_is_not_loaded(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    with patient_client(net, "evaluator-1") as client:
        job = Job(client, stories["raw"].summary.job)
        predicted = job.predict([0.0])
        _, base = _line_of(job)
        with pytest.raises(UserError, match="was posted by another key"):
            job.result()

    assert predicted == pytest.approx([base])
