"""Where mistakes are made: a real graph of two nodes, with jobs in every state that a mistake needs."""

import io
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from lc_node.api.calls import Cancel, GetJobs, GetPolicy, GetWallet, SetPolicy, Submit
from lc_node.api.client import Client
from lc_node.api.endpoint import TOKEN_FILE
from lc_node.api.schema import JobId
from lc_node.api.schema_jobs import JobRequest
from lc_node.cli import main
from lc_node.runtime.devnet import Devnet, Role
from tests.e2e.graphs import living, patient_client, unhurried, wait_until_over
from tests.e2e.light_job import light_request, send_image

OWNER: Final = Role(name="owner", balance=100, bonded=100, votes=True)
OTHER: Final = Role(name="other", balance=50, bonded=20, trains=True)
LONG_SECONDS: Final = 3000
CELL: Final = """
import threading

def train(trial):
    trial.report(0.5, b"model")
    while not trial.should_stop:
        threading.Event().wait(1)

def evaluate(model):
    return 0.5
"""
_MODE_OPEN: Final = 0o644
_SETTING: Final = "[work]\nbounty_minimum = 5\n"


class Stage:
    """The graph, and what this run has in place of a table's holes."""

    def __init__(self, devnet: Devnet, owner: Client, values: dict[str, str]) -> None:
        self.values = values
        self.home = devnet.place(OWNER.name).home.path
        self.genesis = devnet.place(OWNER.name).home.genesis_path
        self._owner = owner

    def possessions(self) -> tuple[int, int, int]:
        """Return what a mistake must leave as it was: credits, escrow, jobs."""
        wallet = self._owner.call(GetWallet())
        return wallet.balance, wallet.escrowed, len(self._owner.call(GetJobs(mine=True)))

    @contextmanager
    def given(self, situation: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Bring about the situation of a mistake, in a folder that the notebook lies in."""
        patch.setenv("LC_NODE", str(self.home))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        (folder / "genesis.bin").write_bytes(self.genesis.read_bytes())
        (folder / "notes.txt").write_text("no checkpoint", encoding="utf-8")
        token = self._owner.endpoint.folder / TOKEN_FILE
        match situation:
            case "no node":
                patch.setenv("LC_NODE", str(folder / "nowhere"))
            case "LC_NODE at a file":
                patch.setenv("LC_NODE", str(folder / "notes.txt"))
            case "a token that others can read":
                token.chmod(_MODE_OPEN)
            case "a misspelt setting":
                (folder / "new").mkdir(mode=0o700)
                (folder / "new" / "config.toml").write_text(_SETTING, encoding="utf-8")
            case _:
                assert situation == "a node", f"no such situation: {situation}"
        yield
        token.chmod(0o600)

    def command(self, line: str, folder: Path) -> str:
        """Run a command line and return its message, from the word Error on."""
        words = line.split()[1:]
        said = _run_apart(words, folder) if "run" in words else _run_here(words)
        return said[said.find("Error: ") :].strip()


@contextmanager
def standing() -> Iterator[Stage]:
    """Start the graph, and bring its jobs into their states."""
    with (
        living((OWNER, OTHER)) as devnet,
        patient_client(devnet, OWNER.name) as owner,
        patient_client(devnet, OTHER.name) as other,
    ):
        place = devnet.place(OWNER.name)
        values = _jobs(owner, other) | {
            "home": str(place.home.path),
            "graph": str(place.home.path.parent),
            "key": place.identity.transport_key,
            "port": str(place.port),
            "free": str(_free_port()),
        }
        yield Stage(devnet, owner, values)


def _jobs(owner: Client, other: Client) -> dict[str, str]:
    """Return the beginnings of ids of jobs by their states; nobody works on them any more."""
    brief = unhurried(30, most=120)
    wish = light_request(model_format="pickle", bounty=2, expiry_seconds=brief)
    pickle = send_image(owner, wish, CELL)
    pickled = owner.call(Submit(request=pickle)).job
    assert wait_until_over(owner, pickled).summary.winner is not None
    other.call(SetPolicy(policy=replace(other.call(GetPolicy()), work=False)))
    raw = send_image(owner, light_request(bounty=2, expiry_seconds=LONG_SECONDS), CELL)
    foreign = other.call(Submit(request=send_image(other, raw, CELL))).job
    shared, cancelled = _two_alike(owner, raw)
    opened = owner.call(Submit(request=raw)).job
    ids = {"pickled": pickled, "foreign": foreign, "cancelled": cancelled, "open": opened}
    return {"shared": shared, **{name: job[:12] for name, job in ids.items()}}


def _two_alike(owner: Client, request: JobRequest) -> tuple[str, JobId]:
    """Post and take back jobs until two ids begin with the same digit: after seventeen at most."""
    while True:
        job = owner.call(Submit(request=request)).job
        owner.call(Cancel(job=job))
        if len(owner.call(GetJobs(prefix=job[:1]))) > 1:
            return job[0], job


def _run_here(words: Sequence[str]) -> str:
    """Run a command in this process, and return what it wrote to stderr."""
    with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()):
        main.run(words)
    return said.getvalue()


def _run_apart(words: Sequence[str], folder: Path) -> str:
    """Run a command that may become a node, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "lc_node", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
