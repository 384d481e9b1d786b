"""A node started from a notebook, as a real process, and stopped again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_jupyter import starting
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell


@pytest.fixture
def home(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a home that there is not yet, which the notebook means."""
    place = short / "own"
    monkeypatch.setenv("LC_NODE", str(place))
    yield place
    if (place / "notebook-node.json").exists():
        starting.stop(place)


@pytest.mark.slow
def test_a_node_is_started_refused_a_second_time_and_stopped_even_when_it_hangs(
    notebook: Shell, home: Path
) -> None:
    started = notebook.run("%lc_start")
    again = notebook.run("%lc_start")
    status = notebook.run("%lc_status")
    process = starting._kept(home)
    assert process is not None, started.out + started.err
    os.kill(process.process, signal.SIGSTOP)
    stopped = notebook.run("%lc_stop")
    gone = notebook.run("%lc_status")

    assert f"A node runs as process {process.process}, with home {home}." in started.out
    assert f"%lc_stop stops it. Its log: {home}/node.log" in started.out
    assert "private graph" in started.out
    assert again.is_one_line
    assert f"A node runs already with home {home}; %lc_status shows it" in again.err
    assert "1,000 + 100 bonded" in status.out
    assert f"Stopped process {process.process}; %lc_start --home {home} starts it" in stopped.out
    assert not starting._began(process.process)
    assert gone.is_one_line
    assert "(in a notebook: %lc_start)" in gone.err


@pytest.mark.slow
def test_a_node_that_cannot_start_says_why_and_names_its_log(notebook: Shell, home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("[work]\nlabour = true\n")
    ran = notebook.run("%lc_start")

    assert ran.is_one_line
    assert f"The node could not start: {home}/config.toml: " in ran.err
    assert "labour" in ran.err
    assert f"Its log: {home}/node.log" in ran.err


def test_where_only_the_notebooks_side_is_installed_the_extra_is_named(
    notebook: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "_NODE_MODULES", ("click", "no_such_module"))
    ran = notebook.run("%lc_start")

    assert ran.is_one_line
    assert "(no_such_module missing): pip install 'learningchain[node]'" in ran.err
    assert not home.exists()


def test_two_ways_onto_a_graph_are_refused(notebook: Shell, home: Path) -> None:
    ran = notebook.run("%lc_start --devnet --graph ours")

    assert ran.is_one_line
    assert "--devnet and --graph are different ways onto a graph: choose one." in ran.err
    assert not home.exists()


def test_without_a_node_there_is_none_to_stop(notebook: Shell, home: Path) -> None:
    ran = notebook.run("%lc_stop")

    assert ran.is_one_line
    assert f"No node was started from a notebook with home {home}." in ran.err


def test_a_node_that_others_started_is_left_to_them(notebook: Shell, desk: Desk) -> None:
    ran = notebook.run("%lc_stop")

    assert ran.is_one_line
    assert f"The node with home {desk.home} was not started by %lc_start" in ran.err
    assert notebook.run("%lc_status").ok
