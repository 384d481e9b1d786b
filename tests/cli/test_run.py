"""``lc-node run`` as a process: it stops when it is told to, and says what keeps it from starting."""

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from lc_node.chain.params import MAINNET
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.runtime.devnet import Role, prepare
from lc_node.runtime.home import Home

PATIENCE_SECONDS: Final = 60


@pytest.fixture
def home() -> Iterator[Home]:
    """A home under a short path: sockets are found below it."""
    folder = Path(tempfile.mkdtemp(prefix="lcr"))
    (place,) = prepare(folder, [Role(name="one", bonded=100, votes=True)])
    yield place.home
    shutil.rmtree(folder)


@contextmanager
def started(home: Home) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        (sys.executable, "-m", "lc_node", "--home", str(home.path), "run"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    assert line in iter(lambda: process.stdout.readline().strip(), "")  # type: ignore[union-attr]  # a pipe


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_node_stops_cleanly_when_told_to(home: Home, number: int) -> None:
    with started(home) as process:
        wait_for_line(process, "ready")

        process.send_signal(number)

        assert process.wait(PATIENCE_SECONDS) == 0
    assert not (home.path / "endpoint.json").exists()


def test_a_node_that_is_told_to_stop_while_it_starts_stops_cleanly(home: Home) -> None:
    home.links_path.unlink()  # growing the chain anew takes a second
    with started(home) as process:
        wait_for_file(home.votes_path.with_suffix(".lock"))

        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0
    assert not (home.path / "endpoint.json").exists()


def test_a_second_node_of_a_home_is_refused_with_the_others_process(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with started(home) as process:
        wait_for_line(process, "ready")

        assert run(["run", "--home", str(home.path)]) == Exit.REFUSED

        said = capsys.readouterr().err
        assert f"process {process.pid} already runs" in said.lower()


def test_a_home_without_a_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "--home", str(tmp_path / "empty")]) == Exit.REFUSED
    assert "lc-node init" in capsys.readouterr().err


def test_a_home_without_a_genesis_is_refused(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.genesis_path.unlink()

    assert run(["run", "--home", str(home.path)]) == Exit.REFUSED
    assert "lc-node genesis" in capsys.readouterr().err


def test_a_damaged_genesis_is_refused(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.genesis_path.write_bytes(b"\xc1")

    assert run(["run", "--home", str(home.path)]) == Exit.REFUSED
    assert "genesis" in capsys.readouterr().err


def test_a_liar_is_refused_on_a_network_that_is_meant_to_last(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    lasting = replace(home.genesis(), params=MAINNET)
    home.genesis_path.unlink()
    home.use_genesis(lasting)

    assert run(["run", "--home", str(home.path), "--conduct", "liar"]) == Exit.REFUSED
    assert "devnet" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_one_line_with_the_remedy(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens on port 1."""
    home.config_path.write_text("[network]\nport = 0\nmulticast = false\n")
    code = run(["--home", str(home.path), "run", "--executor", "dask://127.0.0.1:1"])

    said = capsys.readouterr().err
    assert code == Exit.REFUSED
    assert said.startswith("Error: No Dask scheduler answers at tcp://127.0.0.1:1")
    assert said.count("\n") == 1


def test_what_is_no_executor_is_wrong_usage(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--home", str(home.path), "run", "--executor", "spark://host:1"]) == Exit.USAGE

    assert "an executor is local, or dask://HOST:PORT" in capsys.readouterr().err


def test_founding_alone_and_with_others_at_once_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"

    assert run(["run", "--home", str(home), "--alone", "--graph", "ours"]) == Exit.USAGE
    assert "leave --graph and --join out" in capsys.readouterr().err
    assert not home.exists()
