"""A job whose image is in a registry only: trained and judged by nodes that pull it from there, or from those that did."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from lc_node.api.calls import GetImages, PullImage, PushImage, RemoveImage, Submit
from lc_node.api.client import ApiError, Client
from lc_node.api.schema import Phase
from lc_node.api.schema_jobs import JobRequest, JobStory
from lc_node.runtime.devnet import Devnet, Role, log_of, prepare
from lc_node.worker.policy import Reason
from tests.adapters.registries import needs_registry, running
from tests.e2e.graphs import (
    EVALUATORS,
    SUBMITTER,
    TRAINER,
    patient_client,
    short_folder,
    wait_for_job,
    wait_until_over,
)
from tests.e2e.light_job import light_request, send_light_image

pytestmark = [pytest.mark.slow, needs_registry]

NO_REGISTRY: Final = "evaluator-3"
"""Its owner lists none: it takes what others have pulled."""

DECLINES: Final = Role(name="declines", trains=True)
"""Its owner lists none either, so it does not train."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A graph, a registry, and what became of the job."""

    net: Devnet
    registry: Path
    story: JobStory
    declined: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("registry")
    with running(folder) as host, short_folder() as homes:
        net = Devnet(prepare(homes, (SUBMITTER, TRAINER, *EVALUATORS, DECLINES)))
        for place in net.places:
            listed = "" if place.role.name in {NO_REGISTRY, DECLINES.name} else f'"http://{host}"'
            with place.home.config_path.open("a") as config:
                config.write(f"[images]\nregistries = [{listed}]\n")
        try:
            net.start_all()
            net.wait_ready()
            yield _played(net, folder, host)
        finally:
            net.stop()
            for place in net.places:
                print(f"--- {place.role.name}\n{log_of(place).read_text()[-3000:]}")  # noqa: T201


def _played(net: Devnet, registry: Path, host: str) -> Scene:
    with patient_client(net, "submitter") as client:
        request = _pushed(client, f"{host}/jobs/line:1")
        job = client.call(Submit(request=request)).job
        wait_for_job(client, job, lambda story: story.summary.bids > 0, 120)
        with patient_client(net, DECLINES.name) as other:
            seen = wait_for_job(other, job, lambda story: bool(story.summary.local), 60)
            declined = seen.summary.local
        return Scene(net, registry, wait_until_over(client, job), declined)


def _pushed(client: Client, reference: str) -> JobRequest:
    """Put the light job's image into a registry, and return a job that names it there alone."""
    request = send_light_image(client, light_request())
    client.call(PushImage(image=request.image.manifest, reference=reference))
    image = replace(request.image, references=(reference,), on_graph=False)
    return replace(request, image=image)


def test_a_job_of_a_registry_is_trained_judged_and_paid(scene: Scene) -> None:
    story = scene.story
    trainer = scene.net.place("trainer").identity.address

    assert story.summary.phase is Phase.SETTLED, story.reason_text
    assert story.summary.winner == trainer
    assert [verdict.confirms for verdict in story.verdicts if verdict.revealed] == [True] * 3


def test_each_node_pulled_it_once_from_the_registry(scene: Scene) -> None:
    log = (scene.registry / "log").read_text()
    manifest = f"GET /v2/jobs/line/manifests/sha256:{scene.story.request.image.manifest}"

    # The trainer and the two evaluators that may, and nobody else.
    assert log.count(f'"{manifest} HTTP') == 3


def test_who_lists_no_registry_declines_to_train_and_says_why(scene: Scene) -> None:
    assert scene.declined == Reason.REGISTRY


def test_who_lists_no_registry_judged_it_with_what_others_had_pulled(scene: Scene) -> None:
    judge = scene.net.place(NO_REGISTRY).identity.address

    assert [v.confirms for v in scene.story.verdicts if v.verifier == judge] == [True]


def test_an_owner_pulls_what_is_kept_until_it_is_removed(scene: Scene) -> None:
    reference = scene.story.request.image.references[0]
    with patient_client(scene.net, DECLINES.name) as client:
        pulled = client.call(PullImage(reference=reference))
        assert pulled.names == (reference,)
        assert pulled.image == scene.story.request.image.manifest
        assert client.call(GetImages()) == (pulled,)

        removed = client.call(RemoveImage(image=pulled.image))
        assert removed.freed_bytes > pulled.total_bytes
        assert client.call(GetImages()) == ()


def test_a_registrys_fault_reaches_the_owner_by_name(scene: Scene) -> None:
    host = scene.story.request.image.references[0].partition("/")[0]
    with patient_client(scene.net, "submitter") as client:
        with pytest.raises(ApiError, match="no such image") as raised:
            client.call(PullImage(reference=f"{host}/jobs/other:1"))
        assert raised.value.code == "ImageUnknown"
