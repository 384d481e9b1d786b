"""What is set once for all commands: which source counts, and what is said of a value that cannot be meant."""

from pathlib import Path

import pytest

from lc_jupyter.settings import TERMS
from lc_jupyter.terms import DEFAULTS
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell

SUBMIT = """%%lc_submit --format raw --no-check {options}
def train(trial):
    return b"model"

def evaluate(model):
    return [0.5] * 16
"""


@pytest.mark.parametrize(
    ("environment", "configured", "options", "seconds"),
    [
        ("", "", "", 600),
        ("2m", "", "", 120),
        ("2m", "3m", "", 180),
        ("2m", "3m", "--trial-time 4m", 240),
    ],
)
def test_an_option_counts_before_configuration_and_that_before_the_environment(  # noqa: PLR0913  # a source each
    *,
    environment: str,
    configured: str,
    options: str,
    seconds: int,
    notebook: Shell,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_TRIAL_TIME", environment)
    notebook.run(f"%config LearningChain.trial_time = {configured!r}")
    ran = notebook.run(SUBMIT.format(options=f"--bounty 5 --expires 10m {options}"))

    assert ran.ok, ran.err
    assert [request.trial_seconds for request in desk.desk.posted] == [seconds]


def test_bounty_and_expiry_may_be_set_once_for_all(notebook: Shell, desk: Desk) -> None:
    notebook.run("%config LearningChain.bounty = '7'\n%config LearningChain.expires = '1m'")
    notebook.run(SUBMIT.format(options=""))
    [posted] = desk.desk.posted

    assert (posted.bounty, posted.expiry_seconds) == (7_000_000, 60)


def test_gpus_are_asked_for(notebook: Shell, desk: Desk) -> None:
    notebook.run(SUBMIT.format(options="--bounty 5 --expires 10m --gpus 2"))

    assert [request.resources.gpus for request in desk.desk.posted] == [2]


def test_a_variable_that_cannot_be_meant_is_named(
    notebook: Shell, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_MEMORY", "much")
    ran = notebook.run(SUBMIT.format(options="--bounty 5 --expires 10m"))

    assert ran.is_one_line
    assert "LC_MEMORY=much is no size in K, M, G or T; write for example LC_MEMORY=2G" in ran.err
    assert desk.desk.posted == []


def test_a_setting_that_cannot_be_meant_is_named_and_changes_nothing(
    notebook: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.run("%config LearningChain.memory = '4G'")
    notebook.run("%config LearningChain.memory = 'much'")  # IPython logs what was refused
    shown = notebook.run("%config LearningChain").out

    assert "c.LearningChain.memory = much is no size in K, M, G or T" in caplog.text
    assert "Current: '4G'" in shown


def test_a_configuration_that_cannot_be_meant_is_told_when_the_extension_is_loaded(
    notebook: Shell,
) -> None:
    notebook.ipython.config.LearningChain.cpus = "none"
    ran = notebook.run("%reload_ext lc_jupyter")
    del notebook.ipython.config["LearningChain"]
    notebook.run("%load_ext lc_jupyter")

    assert ran.is_one_line
    assert "c.LearningChain.cpus = none is no number of CPUs" in ran.out


def test_the_node_that_is_configured_counts_before_the_environment_and_at_once(
    notebook: Shell, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LC_NODE", str(tmp_path / "nowhere"))
    notebook.run(f"%config LearningChain.node = {str(desk.home)!r}")
    there = notebook.run("%lc_status")
    notebook.run(f"%config LearningChain.node = {str(tmp_path / 'elsewhere')!r}")
    elsewhere = notebook.run("%lc_status")

    assert there.ok
    assert f"No node runs with home {tmp_path}/elsewhere" in elsewhere.err


def test_python_is_connected_by_the_same_settings(notebook: Shell, desk: Desk) -> None:
    notebook.run(f"%config LearningChain.node = {str(desk.home)!r}")
    ran = notebook.run(
        "import lc_jupyter\nlc = lc_jupyter.connect()\nprint(lc.status().height)\nlc.close()"
    )

    assert ran.out == "7\n"


def test_without_a_node_python_says_so_without_a_traceback(
    notebook: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LC_NODE", str(tmp_path))
    ran = notebook.run("import lc_jupyter\nlc_jupyter.connect()")

    assert "NodeUnreachable: No node runs with home" in ran.out
    assert "Traceback" not in ran.out


@pytest.mark.parametrize("name", TERMS)
def test_the_page_of_settings_names_each_with_its_sources_and_what_is_built_in(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "NOTEBOOK.md").read_text(encoding="utf-8")
    option = f"--{name.replace('_', '-')}"
    [row] = [line for line in page.splitlines() if f"| `{name}` | `LC_{name.upper()}` |" in line]

    assert f"| `{option}` | {DEFAULTS.get(name, '')}" in row
