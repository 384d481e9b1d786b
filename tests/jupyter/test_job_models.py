"""The models of a job as a table: who made which, what was announced and found, what the winner's file holds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from lc_jupyter.jobs import Job
from lc_jupyter.runner.formats import save_model
from lc_node.api.client import Client
from lc_node.api.schema import Address, Digest, ModelFormat, NanoLoss, Phase
from lc_node.api.schema_jobs import VerdictView
from tests.api.sample_service import JOB
from tests.jupyter.desk import WINNER, Desk, bid_of, story_of

OTHER = Address("lc1other")


def verdict(candidate: Address, mean: int) -> VerdictView:
    return VerdictView(
        verifier=Address("lc1verifier"),
        candidate=candidate,
        committed=True,
        revealed=True,
        confirms=True,
        mean=NanoLoss(mean),
    )


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    with Client(desk.home) as connected:
        yield connected


@pytest.fixture
def job(client: Client, desk: Desk, tmp_path: Path) -> Job:
    refuted = replace(
        bid_of(OTHER, 100_000_000, void="not confirmed"), model=Digest("b" * 64), model_bytes=2048
    )
    unopened = replace(bid_of("lc1third", 900_000_000, rank=3), opened=False)
    story = story_of(Phase.SETTLED, winner=WINNER, bids=[bid_of(WINNER, 0), refuted, unopened])
    verdicts = [
        verdict(WINNER, 510_000_000),
        verdict(WINNER, 490_000_000),
        verdict(OTHER, 700_000_000),
    ]
    desk.tell(replace(story, verdicts=tuple(verdicts)))
    save_model({"weights": np.zeros((3, 2))}, tmp_path / "winner", "npz")
    desk.desk.serve_model(tmp_path / "winner", ModelFormat.NPZ)
    winner, *others = desk.desk.stories[JOB].bids
    bids = (replace(winner, rank=2), *others)
    desk.tell(replace(desk.desk.stories[JOB], bids=bids))
    return Job(client, JOB)


def test_models_are_listed_with_what_was_announced_and_found(job: Job) -> None:
    models = job.models

    assert [(one.bidder, one.loss, one.found, one.is_winner) for one in models] == [
        (OTHER, 100_000_000, 700_000_000, False),
        (WINNER, 500_000_000, 490_000_000, True),
    ]
    assert models.unopened == 1
    assert models.winner is models[1]


def test_the_table_shows_the_winners_file_which_was_not_loaded(job: Job) -> None:
    shown = repr(job.models)

    assert "0.490000 (2 ×)" in shown
    assert "not confirmed" in shown
    assert "The winner's file, not loaded: 1 array." in shown
    assert "weights  float64  3 × 2" in shown
    assert "Of 1 more bids nobody has seen the model." in shown


def test_a_notebook_gets_the_same_as_html(job: Job) -> None:
    html = job.models._repr_html_()

    assert '<td class="good">winner</td>' in html
    assert "<td>3 × 2</td>" in html


def test_a_file_whose_digest_differs_is_not_looked_into(job: Job, desk: Desk) -> None:
    with desk.desk.model_path.open("ab") as file:
        file.write(b"more")
    models = job.models

    assert models.contents is None
    assert "is not the model that won: its digest differs" in repr(models)


def test_while_bidding_goes_on_there_is_no_model(client: Client, desk: Desk) -> None:
    desk.tell(story_of())
    models = Job(client, JOB).models

    assert (len(models), models.winner) == (0, None)
    assert "bids are opened when bidding is over" in repr(models)
