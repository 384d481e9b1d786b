"""What keeps a node from starting is said at once, with the remedy, and scripts can tell it apart."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from lc_node.runtime.devnet import Role, prepare
from tests.e2e.graphs import short_folder

pytestmark = pytest.mark.slow

NODE: Final = (sys.executable, "-m", "lc_node")
NO_USER_NAMESPACES: Final = (
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"',
    "sh",
)
"""What sandboxes are made of is forbidden to everything below, as on a locked-down machine."""

SECONDS_MAX: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and how long that took."""

    code: int
    said: str
    processor_seconds: float
    seconds: float


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of a node that would train, and could start."""
    with short_folder() as folder:
        (place,) = prepare(folder, [Role(name="one", bonded=100, votes=True, trains=True)])
        yield place.home.path


@pytest.mark.parametrize("command", ["run", "demo"])
def test_without_a_sandbox_the_remedy_is_named_at_once(command: str, home: Path) -> None:
    ended = _run((*NO_USER_NAMESPACES, *NODE, command), {"LC_HOME": str(home)})

    assert (ended.code, "max_user_namespaces" in ended.said) == (3, True), ended
    # A machine that does much else may take longer; what the program itself does may not.
    assert min(ended.seconds, ended.processor_seconds) < SECONDS_MAX, ended


def test_without_a_sandbox_a_node_that_does_not_work_starts(home: Path) -> None:
    words = (*NO_USER_NAMESPACES, *NODE, "run", "--no-work", "--until-eof")
    with subprocess.Popen(
        words,
        env={**os.environ, "LC_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        is_ready = b"ready\n" in iter(process.stdout.readline, b"")
        process.stdin.close()

        assert (is_ready, process.wait()) == (True, 0)


def test_a_socket_path_that_is_too_long_is_refused_with_the_remedy(home: Path) -> None:
    deep = home / ("long" * 25)
    deep.mkdir(mode=0o700)

    ended = _run((*NODE, "run"), {"LC_HOME": str(home), "XDG_RUNTIME_DIR": str(deep)})

    assert ended.code == 1, ended
    assert "set XDG_RUNTIME_DIR to a shorter folder" in ended.said


@pytest.mark.parametrize(
    "words",
    [("status",), ("jobs",), ("wallet",), ("job", "show", "ab")],
    ids="-".join,
)
def test_where_no_node_runs_the_command_that_starts_one_is_named(
    words: Sequence[str], home: Path
) -> None:
    ended = _run((*NODE, *words), {"LC_HOME": str(home)})

    assert (ended.code, "`lc-node run`" in ended.said) == (4, True), ended


def _run(words: Sequence[str], variables: Mapping[str, str]) -> Ended:
    kept = {name: value for name, value in os.environ.items() if name != "LC_NODE"}
    before, begun = _processor_seconds(), time.monotonic()
    done = subprocess.run(
        words,
        env={**kept, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(
        code=done.returncode,
        said=done.stdout,
        processor_seconds=_processor_seconds() - before,
        seconds=time.monotonic() - begun,
    )


def _processor_seconds() -> float:
    """Return what the children that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
