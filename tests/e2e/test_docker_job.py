"""A job on a graph of which some nodes run it on a container engine and others in bubblewrap: they agree."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lc_node.api.calls import GetStatus
from lc_node.api.schema import Phase
from lc_node.api.schema_jobs import JobStory
from lc_node.runtime.devnet import Devnet, log_of, prepare
from tests.adapters.jobs import docker_host
from tests.e2e.graphs import (
    EVALUATORS,
    SUBMITTER,
    TRAINER,
    patient_client,
    short_folder,
    wait_until_over,
)
from tests.e2e.light_job import light_request, post_light_job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not docker_host(), reason="no engine; scripts/ensure-docker starts one"),
]

ON_DOCKER = ("trainer", "evaluator-1")
JUDGES = ("evaluator-1", "evaluator-2", "evaluator-3")


@dataclass(frozen=True, slots=True)
class Scene:
    """A graph, and what became of the job."""

    net: Devnet
    story: JobStory
    engines: dict[str, str]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with short_folder() as homes:
        net = Devnet(prepare(homes, (SUBMITTER, TRAINER, *EVALUATORS)))
        for name in ON_DOCKER:
            with net.place(name).home.config_path.open("a") as config:
                config.write(f'[sandbox]\nengine = "docker"\nhost = "{docker_host()}"\n')
        try:
            net.start_all()
            net.wait_ready()
            yield _played(net)
        finally:
            net.stop()
            for place in net.places:
                print(f"--- {place.role.name}\n{log_of(place).read_text()[-3000:]}")  # noqa: T201


def _played(net: Devnet) -> Scene:
    engines = {}
    for place in net.places:
        with patient_client(net, place.role.name) as client:
            engines[place.role.name] = client.call(GetStatus()).sandbox.engine
    with patient_client(net, "submitter") as client:
        job = post_light_job(client, light_request())
        return Scene(net, wait_until_over(client, job), engines)


def test_each_node_runs_jobs_where_its_owner_says(scene: Scene) -> None:
    on_docker = {name for name, engine in scene.engines.items() if engine == "docker"}

    assert on_docker == set(ON_DOCKER)


def test_what_was_trained_on_docker_is_judged_alike_on_docker_and_in_bubblewrap(
    scene: Scene,
) -> None:
    story = scene.story

    assert story.summary.phase is Phase.SETTLED, story.reason_text
    judges = {v.verifier: v.confirms for v in story.verdicts if v.revealed}
    assert set(judges.values()) == {True}
    assert {scene.net.place(name).identity.address for name in JUDGES} <= judges.keys()
    assert story.summary.winner == scene.net.place("trainer").identity.address
