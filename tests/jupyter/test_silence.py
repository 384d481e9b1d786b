"""A notebook never freezes because its node is slow or dead: each magic ends, with a message that says why."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_jupyter.settings import LearningChain
from tests.jupyter.shells import Shell
from tests.jupyter.stoppable import StoppableNode

pytestmark = pytest.mark.slow

CELL = "%%lc_submit --bounty 5 --expires 10m\nran = True"
MAGICS = (
    "%lc_status",
    "%lc_wallet",
    "%lc_peers",
    "%lc_policy",
    "%lc_jobs",
    "%lc_job aaaa",
    "%lc_wait aaaa",
    "%lc_watch aaaa",
    "%lc_models bbbb",
    "%lc_pull bbbb model",
    "%lc_predict bbbb [1]",
    "%lc_top_up aaaa 1",
    "%lc_extend aaaa 1m",
    "%lc_cancel aaaa",
    "%lc_start",
    CELL,
)


@pytest.fixture(scope="module")
def node() -> Iterator[StoppableNode]:
    with tempfile.TemporaryDirectory(prefix="lct") as folder:
        started = StoppableNode(Path(folder))
        yield started
        started.kill()


@pytest.fixture
def impatient(
    notebook: Shell, node: StoppableNode, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """Return a notebook that has spoken with a node, and soon takes its silence for what it is."""
    monkeypatch.setenv("LC_NODE", str(node.home))
    monkeypatch.setattr(LearningChain.silence_seconds, "min", 0)
    assert notebook.run("%lc_status").ok
    node.stop()
    notebook.run("%config LearningChain.silence_seconds = 0.3")
    yield notebook
    node.go_on()


def test_every_magic_that_asks_is_tried_here(notebook: Shell) -> None:
    ours = {
        name
        for names in notebook.ipython.magics_manager.magics.values()
        for name in names
        if name.startswith("lc_")
    }

    assert ours - {line.split()[0].strip("%") for line in MAGICS} == {"lc_connect", "lc_stop"}


@pytest.mark.parametrize("line", MAGICS)
def test_a_node_that_was_stopped_ends_a_magic_with_one_line(
    line: str, impatient: Shell, node: StoppableNode
) -> None:
    ran = impatient.run(line)

    assert ran.is_one_line
    assert f"(process {node.number}) has been silent for 0.3 s" in ran.err
    assert f"kill -CONT {node.number}" in ran.err


def test_a_node_that_goes_on_is_spoken_with_again(
    notebook: Shell, node: StoppableNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_NODE", str(node.home))
    notebook.run("%config LearningChain.silence_seconds = 2")
    before = notebook.run("%lc_status")
    node.stop()
    silent = notebook.run("%lc_status")
    node.go_on()
    again = notebook.run("%lc_status")

    assert silent.is_one_line
    assert before.ok
    assert again.ok


def test_python_says_it_without_a_traceback(impatient: Shell) -> None:
    ran = impatient.run("import lc_jupyter\nlc_jupyter.connect().status()")

    assert "NodeSilent: The node of" in ran.out
    assert "Traceback" not in ran.out


def test_a_node_that_was_killed_ends_each_magic_with_one_line_and_how_to_start_one(
    notebook: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="lct") as folder:
        node = StoppableNode(Path(folder))
        monkeypatch.setenv("LC_NODE", str(node.home))
        monkeypatch.setattr(LearningChain.silence_seconds, "min", 0)
        notebook.run("%config LearningChain.silence_seconds = 2")
        assert notebook.run("%lc_status").ok
        node.kill()
        ended = [notebook.run(line) for line in MAGICS if line != "%lc_start"]

    assert all(ran.is_one_line for ran in ended)
    assert all("Start one with `lc-node run` (in a notebook: %lc_start)" in r.err for r in ended)
    assert "has gone" in ended[0].err
    assert all("does not run" in ran.err for ran in ended[1:])
