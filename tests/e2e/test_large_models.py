"""A model much larger than what a node keeps in memory goes through a whole job: it moves as files and pieces."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lc_jupyter.models import validate_digest
from lc_node.api.calls import FetchModel, Submit
from lc_node.api.schema_jobs import FetchedModel, JobStory
from lc_node.runtime.devnet import Devnet
from tests.e2e.graphs import (
    EVALUATORS,
    SUBMITTER,
    TRAINER,
    living,
    patient_client,
    wait_until_over,
)
from tests.e2e.large_job import MEBIBYTE, large_cell, large_request
from tests.e2e.light_job import send_image

IN_FLIGHT_BYTES = 96 * MEBIBYTE
"""What a node may need at most for pieces on their way: below any of these models."""
ROLES = (SUBMITTER, TRAINER, *EVALUATORS)


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job that is over, and what it took."""

    story: JobStory
    fetched: FetchedModel
    growth: Mapping[str, int]
    """By how many bytes each node's memory grew at its peak."""


def run_large_job(devnet: Devnet, mebibytes: int) -> Done:
    """Post a job, wait for its end, and pull its model."""
    with patient_client(devnet, "submitter") as client:
        request = send_image(client, large_request(mebibytes), large_cell(mebibytes))
        before = {role.name: _peak(devnet.process(role.name)) for role in ROLES}
        job = client.call(Submit(request=request)).job
        story = wait_until_over(client, job, seconds=600)
        fetched = client.call(FetchModel(job=job))
        validate_digest(fetched)
    after = {role.name: _peak(devnet.process(role.name)) for role in ROLES}
    growth = {name: after[name] - before[name] for name in after}
    return Done(story=story, fetched=fetched, growth=growth)


def _peak(process: int) -> int:
    """Return the largest amount of memory that a process ever had: proc_pid_status(5)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(process)


@contextmanager
def _done(mebibytes: int) -> Iterator[Done]:
    with living(ROLES) as devnet:
        start = time.monotonic()
        done = run_large_job(devnet, mebibytes)
        grown = {name: f"{grown / MEBIBYTE:.0f} MiB" for name, grown in done.growth.items()}
        print(f"{mebibytes} MiB in {time.monotonic() - start:.0f} s; memory grew by {grown}")  # noqa: T201 (soak shows it)
        yield done


@pytest.fixture(scope="module")
def done() -> Iterator[Done]:
    """A job with a model of 128 MiB."""
    with _done(128) as done:
        yield done


@pytest.mark.slow
def test_a_model_of_128_mib_wins_and_is_confirmed_by_a_committee(done: Done) -> None:
    summary = done.story.summary

    assert (summary.label, done.fetched.size) == ("strong", 128 * MEBIBYTE), done.story


@pytest.mark.slow
def test_no_node_holds_a_large_model_in_memory(done: Done) -> None:
    assert max(done.growth.values()) < IN_FLIGHT_BYTES, done.growth


@pytest.mark.soak
def test_a_model_of_512_mib_goes_through_a_whole_job() -> None:
    with _done(512) as done:
        assert done.story.summary.label == "strong", done.story
        assert done.fetched.size == 512 * MEBIBYTE
        assert max(done.growth.values()) < IN_FLIGHT_BYTES, done.growth
