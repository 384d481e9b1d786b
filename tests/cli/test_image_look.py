"""What is in an image, would a node take it, what does it do: told of files and of the node's own images."""

import json
from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from tests.adapters.archives import END, member
from tests.adapters.jobs import docker_host
from tests.api.background import Background
from tests.cli.shell_image import SPEAKS, shell_image

pytestmark = pytest.mark.usefixtures("probed_once")
Capture = pytest.CaptureFixture[str]


def test_layers_start_and_platform_are_shown(tmp_path: Path, capsys: Capture) -> None:
    assert run(["image", "inspect", str(shell_image(tmp_path))]) == Exit.OK

    said = capsys.readouterr().out
    assert "starts    /bin/sh /job" in said
    assert "platform  linux/amd64" in said
    assert "a shell" in said
    assert "COPY job" in said
    assert "Nothing in it looks like a key" in said


def test_packages_of_python_are_told_by_layer(tmp_path: Path, capsys: Capture) -> None:
    path = "opt/venv/lib/python3.11/site-packages/some_thing-1.5.dist-info/METADATA"
    image = shell_image(tmp_path, files={path: b"Name: some-thing\n"})

    run(["image", "inspect", "--json", str(image)])

    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["distributions"] for layer in layers] == [[], ["some_thing 1.5"]]


@pytest.mark.parametrize(
    ("path", "data", "what"),
    [
        ("app/settings.py", b"password = 'open sesame'\n", "a text is assigned to password"),
        ("app/job.pyc", b"\0\0/home/alicia/project/job.py\0", "names the home /home/alicia"),
        ("app/x", b"x" * 1_048_570 + b"/Users/alicia/x", "names the home /Users/alicia"),
    ],
)
def test_what_tells_of_people_is_named(
    path: str, data: bytes, what: str, tmp_path: Path, capsys: Capture
) -> None:
    run(["image", "inspect", str(shell_image(tmp_path, files={path: data}))])

    assert f"{path}: {what}" in capsys.readouterr().out


def test_a_key_in_the_environment_is_named_without_its_value(
    tmp_path: Path, capsys: Capture
) -> None:
    image = shell_image(tmp_path, variables=("API_KEY=abcd1234abcd",))

    run(["image", "inspect", "--json", str(image)])

    found = json.loads(capsys.readouterr().out)["findings"]
    assert found == [{"where": "variable API_KEY", "what": "its name"}]


def test_an_own_home_is_found_even_in_a_published_package(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "usr/lib/python3/dist-packages/x.py"
    monkeypatch.setenv("HOME", "/srv/people/alicia")
    image = shell_image(tmp_path, files={path: b"# /srv/people/alicia and /home/somebody/x"})

    run(["image", "inspect", "--json", str(image)])

    found = json.loads(capsys.readouterr().out)["findings"]
    assert found == [{"where": path, "what": "names the home /srv/people/alicia"}]


def test_an_image_that_speaks_the_contract_would_be_taken(tmp_path: Path, capsys: Capture) -> None:
    assert run(["image", "check", str(shell_image(tmp_path))]) == Exit.OK

    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["ok", "documents:"],
        ["ok", "unpacking:"],
        ["ok", "contract:"],
    ]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo not today >&2; exit 3", "it ended (exited, 3): not today"),
        ('echo \'{"lc":"begin"}\'', "a line breaks the contract"),
        ('echo \'{"lc":"losses","values":[1]}\'', "its first message is not `begin`"),
    ],
)
def test_an_image_that_does_not_is_refused_with_its_words(
    script: str, why: str, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["image", "check", str(shell_image(tmp_path, script))]) == Exit.REFUSED
    assert f"PROBLEM contract: {why}" in capsys.readouterr().out


def test_an_image_that_says_nothing_is_not_waited_for_for_ever(
    tmp_path: Path, capsys: Capture
) -> None:
    image = shell_image(tmp_path, "while true; do read -r x; done")

    assert run(["image", "check", "--seconds", "1s", str(image)]) == Exit.REFUSED
    assert "PROBLEM contract: it began no trial within 1 s" in capsys.readouterr().out


def test_an_image_for_another_machine_is_refused(tmp_path: Path, capsys: Capture) -> None:
    image = shell_image(tmp_path, architecture="s390x")

    assert run(["image", "check", str(image)]) == Exit.REFUSED
    assert "PROBLEM unpacking: it is for s390x" in capsys.readouterr().out


def test_a_blob_with_other_bytes_than_its_name_says_is_refused(
    tmp_path: Path, capsys: Capture
) -> None:
    image = shell_image(tmp_path)
    blob = max((image / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(bytes(blob.stat().st_size))

    assert run(["image", "inspect", str(image)]) == Exit.REFUSED
    assert "is not what names it" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["inspect", "check"])
def test_a_layer_that_leads_out_of_the_root_is_refused(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    image = shell_image(tmp_path, tail=member("../x", b"x") + END)

    assert run(["image", command, str(image)]) == Exit.REFUSED
    said = capsys.readouterr()
    assert "ayer 2 has a path that leads upwards" in said.out + said.err


def test_a_training_shows_both_sides_and_leaves_its_model(tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "model"

    assert run(["image", "run", str(shell_image(tmp_path)), "train", "--model", str(model)]) == 0

    said = capsys.readouterr().out
    assert '< {"lc":"report","trial":0,"step":0,"loss":0.5}' in said
    assert '> {"lc":"taken","trial":0}' in said
    assert "| as it should be" in said
    assert model.read_text() == "a model"


def test_an_evaluation_says_the_mean_loss(tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "model"
    model.write_text("a model\n")

    assert (
        run(["image", "run", str(shell_image(tmp_path)), "evaluate", "--model", str(model)]) == 0
    )
    assert "loss    0.5, the mean of 2" in capsys.readouterr().out


PLAIN = r"""
if [ "$VALIDATION" ]; then read -r model < /tmp/model; else echo trained > /tmp/model; fi
echo working; echo 0.25
"""


def test_an_image_that_knows_nothing_of_us_is_run_by_its_own_contract(
    tmp_path: Path, capsys: Capture
) -> None:
    image, model = str(shell_image(tmp_path, PLAIN)), tmp_path / "model"
    options = ["--contract", "stdout/1", "--model", str(model)]

    assert run(["image", "run", image, "train", *options]) == Exit.OK
    assert model.read_text() == "trained\n"
    assert run(["image", "run", image, "evaluate", *options]) == Exit.OK
    assert "loss    0.25, the mean of 1" in capsys.readouterr().out


def test_a_run_that_fails_says_how_and_its_exit_code_too(tmp_path: Path, capsys: Capture) -> None:
    image = shell_image(tmp_path, "echo oh no >&2; exit 7")

    assert run(["image", "run", str(image), "train"]) == Exit.REFUSED

    said = capsys.readouterr().out
    assert "| oh no" in said
    assert "crashed: exit code 7" in said


def test_an_evaluation_without_a_model_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    assert run(["image", "run", str(shell_image(tmp_path)), "evaluate"]) == Exit.USAGE
    assert "--model FILE" in capsys.readouterr().err


def test_an_image_of_the_node_is_looked_at_by_its_name(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    node = Background(short)
    monkeypatch.setenv("LC_NODE", str(node.home))
    try:
        run(["image", "load", str(shell_image(tmp_path, SPEAKS)), "--name", "mine"])
        assert run(["image", "check", "mine"]) == Exit.OK
    finally:
        node.stop()
    assert "ok      contract: it begins a trial" in capsys.readouterr().out


def home_with(folder: Path, *lines: str) -> str:
    """Return a home whose owner says something of the sandbox."""
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text("\n".join(("[sandbox]", *lines)), encoding="utf-8")
    return str(home)


@pytest.mark.skipif(not docker_host(), reason="no engine; scripts/ensure-docker starts one")
def test_an_image_is_run_in_the_sandbox_of_the_homes_settings(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BubblewrapSandbox, "__init__", None)  # whoever makes one fails
    home = home_with(tmp_path, 'engine = "docker"', f'host = "{docker_host()}"')
    words = [str(shell_image(tmp_path)), "train", "--model", str(tmp_path / "model")]

    assert run(["--home", home, "image", "run", *words]) == Exit.OK, capsys.readouterr().out
    assert (tmp_path / "model").read_text() == "a model"


@pytest.mark.parametrize("command", [("image", "run"), ("contract", "check")])
def test_without_the_sandbox_of_the_homes_settings_nothing_is_run_and_the_remedy_is_named(
    command: tuple[str, ...], tmp_path: Path, capsys: Capture
) -> None:
    home = home_with(tmp_path, 'engine = "docker"', f'host = "unix://{tmp_path}/none"')
    words = ["train"] if "run" in command else []

    assert run(["--home", home, *command, str(shell_image(tmp_path)), *words]) == Exit.NO_SANDBOX
    assert f"docker: no engine at unix://{tmp_path}/none" in capsys.readouterr().err


def test_a_check_names_the_sandbox_as_the_problem_after_what_is_fine(
    tmp_path: Path, capsys: Capture
) -> None:
    home = home_with(tmp_path, 'engine = "docker"', f'host = "unix://{tmp_path}/none"')

    assert run(["--home", home, "image", "check", str(shell_image(tmp_path))]) == Exit.REFUSED
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "documents:"],
        ["ok", "unpacking:"],
        ["PROBLEM", "sandbox:"],
    ]


def test_settings_that_cannot_be_used_are_named_before_an_image_is_looked_at(
    tmp_path: Path, capsys: Capture
) -> None:
    home = home_with(tmp_path, 'engine = "chroot"')

    assert run(["--home", home, "image", "check", str(shell_image(tmp_path))]) == Exit.REFUSED
    assert "config.toml" in capsys.readouterr().err
