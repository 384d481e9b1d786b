"""Two programs with scikit-learn that know nothing of us are trained by several nodes, judged, and paid for."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from examples.stdout.build import build
from lc_node.api.calls import GetAccount, GetPolicy, SetPolicy
from lc_node.api.schema import Address, JobId
from lc_node.api.schema_jobs import JobStory
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root
from lc_node.runtime.devnet import Devnet, Role
from tests.e2e.graphs import (
    EVALUATORS,
    LIAR,
    SUBMITTER,
    living,
    patient_client,
    unhurried,
    wait_until_over,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("devnet")]

TRAINERS: Final = tuple(
    Role(name=f"trainer-{number}", bonded=20, trains=True) for number in (1, 2)
)
POSTING_SECONDS_MAX: Final = 400
OVER_SECONDS_MAX: Final = 600
USUAL: Final = (
    *("--contract", "stdout/1", "--memory", "1G", "--disk", "64M", "--model-bytes", "16M"),
    *("--cpus", "0.5", "--trial-time", "5m", "--bounty", "20"),
)
POSTED: Final[Mapping[str, tuple[str, ...]]] = {
    "svc": ("--format", "pickle", "--check-time", "3m"),
    "knn": ("--format", "raw", "--negate", "--no-check", "--evaluate-time", "1m"),
}
"""What each program is posted with; both jobs run at the same time."""


@pytest.fixture(scope="module")
def net() -> Iterator[Devnet]:
    """A graph with two trainers, three evaluators and a liar; who trains takes two jobs at once."""
    trainers = (*TRAINERS, LIAR)
    with living((SUBMITTER, *trainers, *EVALUATORS)) as devnet:
        for role in trainers:
            with patient_client(devnet, role.name) as client:
                policy = client.call(GetPolicy())
                client.call(SetPolicy(policy=replace(policy, jobs_at_once=len(POSTED))))
        yield devnet


@pytest.fixture(scope="module")
def stories(net: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, JobStory]:
    """How the jobs of the two programs have ended, by program."""
    folder = tmp_path_factory.mktemp("images")
    archives = {name: folder / f"{name}.tar" for name in POSTED}
    for name, archive in archives.items():
        build(f"{name}.py", archive)
    jobs = {name: post(net, name, archive) for name, archive in archives.items()}
    with patient_client(net, "submitter") as client:
        return {name: wait_until_over(client, job, OVER_SECONDS_MAX) for name, job in jobs.items()}


def lc_node(net: Devnet, role: str, *words: str) -> str:
    """Run a command as the owner of a node would, and return what it prints."""
    home = net.place(role).home.path
    done = subprocess.run(
        [sys.executable, "-m", "lc_node", "--home", str(home), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=POSTING_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stderr)  # noqa: T201 (pytest shows it if a test fails)
    return done.stdout


def post(net: Devnet, name: str, archive: Path) -> JobId:
    expires = f"{unhurried(60, most=300)}s"
    words = ("--image", str(archive), "--name", name, "--expires", expires, *USUAL, *POSTED[name])
    posted: Any = json.loads(lc_node(net, "submitter", "job", "post", "--json", *words))
    return JobId(posted["job"])


def address(net: Devnet, role: str) -> Address:
    return Address(net.place(role).identity.address)


@pytest.mark.parametrize("name", POSTED)
def test_an_honest_trainer_wins_with_a_model_that_the_committee_confirmed(
    stories: Mapping[str, JobStory], net: Devnet, name: str
) -> None:
    story = stories[name]
    honest = {address(net, role.name) for role in TRAINERS}
    found = [one for one in story.verdicts if one.candidate == story.summary.winner]

    assert story.summary.winner in honest
    assert len(found) == len(EVALUATORS)
    assert all(one.confirms for one in found)


@pytest.mark.parametrize("name", POSTED)
def test_several_nodes_have_bid(stories: Mapping[str, JobStory], net: Devnet, name: str) -> None:
    bidders = {bid.bidder for bid in stories[name].bids}

    assert bidders >= {address(net, role.name) for role in TRAINERS}


def test_who_announced_a_better_loss_than_its_model_has_is_refuted(
    stories: Mapping[str, JobStory], net: Devnet
) -> None:
    liar = address(net, "liar")
    lies = [bid for story in stories.values() for bid in story.bids if bid.bidder == liar]

    # Banned at the end of one job, it may lose its bid in the other before that was judged.
    assert "refuted" in {bid.void_code for bid in lies}


@pytest.mark.usefixtures("stories")
def test_the_liar_is_banned_and_nobody_else(net: Devnet) -> None:
    roles = (SUBMITTER, *TRAINERS, *EVALUATORS, LIAR)
    with patient_client(net, "submitter") as client:
        accounts = [client.call(GetAccount(address=address(net, role.name))) for role in roles]

    assert [one.address for one in accounts if one.is_banned] == [address(net, "liar")]


@pytest.mark.parametrize("name", POSTED)
def test_nobody_vouches_for_a_loss_whatever_the_format(
    stories: Mapping[str, JobStory], name: str
) -> None:
    assert stories[name].summary.label == "unverified"


def test_a_score_is_announced_as_its_negative(stories: Mapping[str, JobStory]) -> None:
    summary = stories["knn"].summary
    bid = next(bid for bid in stories["knn"].bids if bid.bidder == summary.winner)

    assert -1_000_000_000 <= bid.loss < -900_000_000


def test_errors_are_announced_as_they_are(stories: Mapping[str, JobStory]) -> None:
    summary = stories["svc"].summary
    bid = next(bid for bid in stories["svc"].bids if bid.bidder == summary.winner)

    assert 0 <= bid.loss < 500_000_000


@pytest.mark.parametrize("name", POSTED)
@pytest.mark.parametrize("role", ["submitter", "evaluator-1"])
def test_everybody_pulls_the_bytes_that_won(
    stories: Mapping[str, JobStory], net: Devnet, tmp_path: Path, role: str, name: str
) -> None:
    story = stories[name]
    bid = next(bid for bid in story.bids if bid.bidder == story.summary.winner)

    lc_node(net, role, "job", "pull", story.summary.job, "--to", str(tmp_path / "model"))

    data = (tmp_path / "model").read_bytes()
    chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
    assert chunk_root([chunk_digest(chunk) for chunk in chunks]).hex() == bid.model
