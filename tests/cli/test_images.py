"""Images on the command line: into a node, out of it, and what is said of them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from lc_node.adapters.oci_archive_writer import write_archive
from lc_node.api.schema_jobs import CheckProblem
from lc_node.chain.types import Digest
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from tests.adapters.registries import needs_registry, running
from tests.adapters.sketches import Sketch, sketch, write_layout
from tests.adapters.skopeo import inspect, needs_skopeo
from tests.api.background import Background
from tests.chain.market import SPEC, Market

Capture: TypeAlias = pytest.CaptureFixture[str]
IMAGE = sketch(b"one", b"two")
HEX = IMAGE.digest.hex()


@pytest.fixture
def node(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Background]:
    started = Background(short)
    monkeypatch.setenv("LC_NODE", str(started.home))
    yield started
    started.stop()


def layout(folder: Path, *images: Sketch) -> str:
    return str(write_layout(folder / f"layout-{len(list(folder.iterdir()))}", *images))


def listed(capsys: Capture) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(["image", "list", "--json"]) == Exit.OK
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_node_without_images_says_how_to_bring_one(node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    assert run(["image", "list"]) == Exit.OK
    assert "`lc-node image load FILE`" in capsys.readouterr().out


def test_a_loaded_image_is_listed_by_its_name(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    assert node.home.exists()
    assert run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"]) == Exit.OK
    assert IMAGE.name in capsys.readouterr().out
    (found,) = listed(capsys)

    assert (found["image"], found["names"], found["layers"]) == (HEX, ["mine"], 2)
    assert found["total_bytes"] == sum(map(len, IMAGE.blobs.values()))
    assert found["missing_bytes"] == 0


def test_an_archives_own_name_is_told_and_not_taken(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    assert node.home.exists()
    run(["image", "load", layout(tmp_path, IMAGE)])

    assert "calls it image-0; --name gives it" in capsys.readouterr().err
    assert listed(capsys)[0]["names"] == []


def test_of_a_file_with_several_images_one_must_be_named(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    assert node.home.exists()
    path = layout(tmp_path, IMAGE, sketch(b"other"))

    assert run(["image", "load", path]) == Exit.REFUSED
    assert "2 images; say which with --which; there is image-0, image-1" in capsys.readouterr().err
    assert run(["image", "load", path, "--which", "image-1"]) == Exit.OK
    assert sketch(b"other").name in capsys.readouterr().out


def test_a_file_with_other_bytes_than_its_names_say_is_refused(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    assert node.home.exists()
    path = Path(layout(tmp_path, IMAGE))
    blob = path / "blobs/sha256" / next(iter(IMAGE.blobs)).removeprefix("sha256:")
    blob.write_bytes(b"x" * blob.stat().st_size)

    assert run(["image", "load", str(path)]) == Exit.REFUSED
    assert "fetch it from another source" in capsys.readouterr().err
    assert listed(capsys) == []


@needs_skopeo
@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_a_saved_image_is_read_by_others(
    transport: str, node: Background, tmp_path: Path, capsys: Capture
) -> None:
    assert node.home.exists()
    name = "docker.io/library/mine:1"
    run(["image", "load", layout(tmp_path, IMAGE), "--name", name])
    assert run(["image", "save", name, str(tmp_path / "out.tar")]) == Exit.OK
    found = inspect(f"{transport}:{tmp_path / 'out.tar'}")

    assert len(found["Layers"]) == 2
    assert run(["image", "load", str(tmp_path / "out.tar")]) == Exit.OK
    assert IMAGE.name in capsys.readouterr().out


def test_saving_overwrites_nothing(node: Background, tmp_path: Path, capsys: Capture) -> None:
    assert node.home.exists()
    run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"])
    (tmp_path / "out.tar").write_text("precious")

    assert run(["image", "save", "mine", str(tmp_path / "out.tar")]) == Exit.REFUSED
    assert "name a new file" in capsys.readouterr().err
    assert (tmp_path / "out.tar").read_text() == "precious"


def test_a_removed_image_frees_what_no_other_needs(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    other = sketch(b"one", b"three")
    for name, image in (("mine", IMAGE), ("other", other)):
        run(["image", "load", layout(tmp_path, image), "--name", name])
    before = node.service._image_blobs.used
    assert run(["image", "remove", HEX[:12]]) == Exit.OK
    own = [blob for name, blob in IMAGE.blobs.items() if name not in other.blobs]

    assert before - node.service._image_blobs.used == sum(map(len, [*own, IMAGE.manifest]))
    (left,) = listed(capsys)
    assert (left["names"], left["missing_bytes"]) == (["other"], 0)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("mime", "did you mean mine?"),
        ("0" * 64, "`lc-node image list`"),
        ("nothing-like-it", "`lc-node image list`"),
    ],
)
def test_an_image_that_is_not_there_is_named(
    written: str, why: str, node: Background, tmp_path: Path, capsys: Capture
) -> None:
    assert node.home.exists()
    run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"])

    assert run(["image", "remove", written]) == Exit.REFUSED
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("given", ["archive", "layout", "name", "digest"])
def test_a_job_is_posted_with_an_image_from_anywhere(
    given: str, node: Background, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "archive.tar"
    with path.open("wb") as target:
        write_archive(IMAGE.manifest, lambda blob: io.BytesIO(IMAGE.blobs[blob]), target, name="")
    if given in {"name", "digest"}:
        run(["image", "load", str(path), "--name", "mine"])
    image = {"archive": str(path), "name": "mine", "digest": IMAGE.name}
    options = "--bounty 5 --expires 10m --format npz --memory 1G --cpus 0.5 --no-check"
    words = ["--image", image.get(given) or layout(tmp_path, IMAGE), *options.split()]

    assert run(["job", "post", *words]) == Exit.OK
    assert "Posted as job aaaaaaaa at height 7" in capsys.readouterr().out
    (request,) = node.service.requests
    assert request.image.manifest == HEX
    assert request.image.total_bytes == sum(map(len, IMAGE.blobs.values()))
    assert request.resources.millicpus == 500
    assert request.resources.memory_bytes == 1 << 30


@pytest.mark.parametrize(
    ("options", "contract"),
    [
        ("", "lc/1"),
        ("--contract stdout/1", "stdout/1"),
        ("--contract stdout/1 --negate", "stdout/1:negate"),
    ],
)
def test_a_job_says_under_which_contract_its_image_runs(
    options: str, contract: str, node: Background, tmp_path: Path
) -> None:
    words = ["--image", layout(tmp_path, IMAGE), "--bounty", "5", "--expires", "10m", "--no-check"]

    assert run(["job", "post", *words, *options.split()]) == Exit.OK
    (request,) = node.service.requests
    assert request.contract == contract


@pytest.mark.usefixtures("node")
def test_there_is_nothing_to_negate_under_lc_1(tmp_path: Path, capsys: Capture) -> None:
    words = ["--image", layout(tmp_path, IMAGE), "--bounty", "5", "--expires", "10m", "--no-check"]

    assert run(["job", "post", *words, "--negate"]) == Exit.USAGE
    assert "--contract stdout/1" in capsys.readouterr().err


def test_a_job_whose_check_fails_is_not_posted(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    node.loop.call_soon_threadsafe(node.service.release.set)
    report = replace(node.service.report, problem=CheckProblem.CRASHED, text="Training failed.")
    node.service.report = report
    words = ["--image", layout(tmp_path, IMAGE), "--bounty", "5", "--expires", "10m"]

    assert run(["job", "post", *words]) == Exit.REFUSED
    assert "Training failed." in capsys.readouterr().err
    assert node.service.requests == []


def test_the_image_of_a_job_that_runs_is_listed_and_not_removed(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"])
    market = Market(("sue",))
    reference = replace(SPEC.image, manifest=Digest(IMAGE.digest))
    job = market.post("sue", replace(SPEC, image=reference))
    node.service.live_jobs = [market.job(job)]

    assert run(["image", "remove", "mine"]) == Exit.REFUSED
    assert f"Job {job.hex()[:8]} runs this image" in capsys.readouterr().err
    assert listed(capsys)[0]["jobs"] == [job.hex()]


@needs_registry
@needs_skopeo
def test_an_image_goes_to_a_registry_and_comes_from_one(
    node: Background, tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path / "registry") as host:
        reference = f"{host}/here/mine:1"
        run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"])
        assert run(["image", "push", "mine", reference]) == Exit.OK
        assert inspect(f"docker://{reference}", "--tls-verify=false")["Digest"] == IMAGE.name
        assert run(["image", "remove", "mine"]) == Exit.OK
        assert node.service._image_blobs.used == 0

        assert run(["image", "pull", reference]) == Exit.OK
        assert f"kept as {reference}" in capsys.readouterr().out
        (found,) = listed(capsys)
        assert (found["names"], found["missing_bytes"]) == ([reference], 0)


@needs_registry
@pytest.mark.parametrize("kept", [True, False])
def test_a_job_names_the_registry_that_its_image_was_pulled_from(
    node: Background,
    tmp_path: Path,
    kept: bool,  # noqa: FBT001
) -> None:
    with running(tmp_path / "registry") as host:
        reference = f"{host}/here/mine:1"
        run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"])
        run(["image", "push", "mine", reference])
        run(["image", "remove", "mine"])
        if kept:
            run(["image", "pull", reference])
        options = "--bounty 5 --expires 10m --no-check --not-on-graph"

        assert run(["job", "post", "--image", reference, *options.split()]) == Exit.OK
    (request,) = node.service.requests
    assert request.image.references == (reference,)
    assert not request.image.on_graph
    assert request.image.manifest == HEX


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--image", "mine", "--not-on-graph"], Exit.USAGE, "needs a registry: add --from"),
        (["--image", "mine", "--from", "Not a reference"], Exit.USAGE, "names no image in a"),
        (["--image", "mine", *["--from", "a/b"] * 5], Exit.USAGE, "4 times at most"),
        (["--image", "nothing"], Exit.REFUSED, "No image 'nothing' in this node"),
        (["--image", "sha256:" + "0" * 64], Exit.REFUSED, "in this node"),
        (["--image", "https://Nothing/x y"], Exit.USAGE, "names no image in a registry"),
        (["--image", "127.0.0.1:1/nothing"], Exit.REFUSED, "127.0.0.1:1: it cannot be reached"),
    ],
)
def test_an_image_that_cannot_be_had_posts_no_job(
    words: list[str], code: Exit, why: str, node: Background, tmp_path: Path, capsys: Capture
) -> None:
    run(["image", "load", layout(tmp_path, IMAGE), "--name", "mine"])

    assert run(["job", "post", *words, "--bounty", "5", "--expires", "10m"]) == code
    assert why in " ".join(capsys.readouterr().err.split())
    assert node.service.requests == []


@pytest.mark.parametrize(
    "command",
    [
        ("image", "inspect", "/nowhere/image.tar"),
        ("contract", "check", "train.tar"),
    ],
)
def test_a_file_that_is_not_there_is_named_whether_or_not_a_node_runs(
    command: tuple[str, ...], capsys: Capture
) -> None:
    assert run(command) == Exit.USAGE
    assert "There is no file" in capsys.readouterr().err
