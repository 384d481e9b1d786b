"""From a notebook, a program is posted as it lies here, and an image that the node has already."""

from pathlib import Path

import pytest

import lc_jupyter
from lc_node.api import calls
from lc_node.api.schema import Digest
from lc_node.api.schema_images import ImageView
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Ran, Shell

PROGRAM = "import json, pathlib\nprint(json.loads(pathlib.Path('data.json').read_text()))\n"
START = "import lc_jupyter\nlc = lc_jupyter.connect()\n"


def post_program(notebook: Shell, folder: Path, options: str = "") -> Ran:
    """Post a program with a file of data."""
    (folder / "fit.py").write_text(PROGRAM)
    (folder / "data.json").write_text("0.5")
    call = f"job = lc.submit_program('fit.py', ['data.json'], bounty=5, expires='10m'{options})"
    return notebook.run(f"{START}{call}\nlc.close()")


def post_image(notebook: Shell, image: str, options: str = "") -> Ran:
    """Post an image by its name or digest."""
    call = f"job = lc.submit_image({image!r}, bounty=5, expires='10m'{options})"
    return notebook.run(f"{START}{call}\nlc.close()")


@pytest.mark.parametrize(
    ("options", "contract"), [("", "stdout/1"), (", negate=True", "stdout/1:negate")]
)
def test_a_program_is_posted_under_the_contract_of_those_that_know_nothing_of_us(
    options: str, contract: str, notebook: Shell, desk: Desk, tmp_path: Path
) -> None:
    ran = post_program(notebook, tmp_path, options)

    assert ran.ok, ran.err
    [posted] = desk.desk.posted
    assert (posted.contract, posted.model_format) == (contract, "raw")
    assert str(notebook.names["job"]) == "<Job aaaaaaaaaaaa>"


def test_a_programs_image_is_in_the_node_before_it_is_posted(
    notebook: Shell, desk: Desk, tmp_path: Path
) -> None:
    post_program(notebook, tmp_path)
    [posted] = desk.desk.posted

    with lc_jupyter.connect()._client as client:
        assert client.call(calls.MissingBlobs(digests=(posted.image.manifest,))) == ()


def test_what_leaves_the_machine_with_a_program_is_shown(
    notebook: Shell, desk: Desk, tmp_path: Path
) -> None:
    assert desk.home.exists()

    size = len(PROGRAM)
    shown = f"lc/work/fit.py ({size} B), lc/work/data.json (3 B)"

    assert shown in post_program(notebook, tmp_path).out


def test_what_the_node_says_of_the_price_is_shown_before_a_program_is_posted(
    notebook: Shell, desk: Desk, tmp_path: Path
) -> None:
    desk.desk.note = "the label will be 'unverified'"

    assert "the label will be 'unverified'" in post_program(notebook, tmp_path).out


@pytest.mark.parametrize("image", ["mine", "abcdef", "sha256:abcdef0123"])
def test_an_image_of_the_node_is_posted_by_name_or_digest(
    image: str, notebook: Shell, desk: Desk
) -> None:
    desk.desk.images_now = (VIEW,)

    ran = post_image(notebook, image, ", contract='stdout/1', model_format='npz'")

    assert ran.ok, ran.err
    [posted] = desk.desk.posted
    assert (posted.image.manifest, posted.image.total_bytes) == (VIEW.image, 7)
    assert (posted.contract, posted.model_format) == ("stdout/1", "npz")


@pytest.mark.parametrize(
    ("options", "posted"), [("", [("stdout/1:negate", 7)]), ("--dry-run", [])]
)
def test_a_line_posts_an_image_as_python_does_or_only_tries_it(
    options: str, posted: list[tuple[str, int]], notebook: Shell, desk: Desk
) -> None:
    desk.desk.images_now = (VIEW,)

    ran = notebook.run(
        "%lc_submit --image mine --contract stdout/1 --negate --bounty 5 --expires 10m " + options
    )

    assert ran.ok, ran.err
    found = [(request.contract, request.image.total_bytes) for request in desk.desk.posted]
    assert found == posted
    assert ("Dry run: nothing was posted." in ran.out) == (not posted)


@pytest.mark.parametrize(
    ("image", "options", "why"),
    [
        ("other", "", "No image 'other' in your node; it has mine."),
        ("abcdef", ", contract='stdout/2'", "did you mean stdout/1?"),
        ("mine", ", negate=True", "negate goes with contract stdout/1"),
    ],
)
def test_a_slip_is_told_and_nothing_posted(
    image: str, options: str, why: str, notebook: Shell, desk: Desk
) -> None:
    desk.desk.images_now = (VIEW,)

    ran = post_image(notebook, image, options)

    assert not ran.ok
    assert why in ran.out + ran.err
    assert desk.desk.posted == []


def test_of_several_images_one_must_be_named(notebook: Shell, desk: Desk) -> None:
    other = ImageView(image=Digest(VIEW.image[:-1] + "0"), names=("other",))
    desk.desk.images_now = (VIEW, other)

    ran = post_image(notebook, "abcdef")

    assert "write more digits" in ran.out + ran.err


def test_a_missing_file_is_named(notebook: Shell, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "data.json").unlink(missing_ok=True)
    ran = notebook.run(f"{START}lc.submit_program('none.py', bounty=5, expires='10m')")

    assert "none.py" in ran.out + ran.err
    assert desk.desk.posted == []


VIEW = ImageView(image=Digest("abcdef0123" + "1" * 54), names=("mine",), total_bytes=7)
