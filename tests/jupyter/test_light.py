"""A notebook without a node: what it proves, what needs a node, and what its words are."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_jupyter.units import show_credits
from lc_node.api.light_places import Server
from lc_node.chain.addresses import encode_address
from lc_node.chain.codec import encode
from lc_node.chain.genesis import Genesis
from lc_node.chain.types import Digest, JobId, Millis, MillisSpan
from lc_node.consensus.light import job_key
from tests.api.light_server import Lie, serving, truth
from tests.api.test_light import settled, showing
from tests.api.test_light_beginning import boots
from tests.chain.actors import BERT
from tests.chain.epoch_chain import FOUR, SHORT, four_members
from tests.consensus.proven_chain import ProvenChain
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell

HOUR_MS = 3_600_000
BERTS = encode_address(BERT.public_key)


def chain_of_now(*, unbonding_ms: int = HOUR_MS, ago_ms: int = 10_000) -> ProvenChain:
    """Return a chain that began a while ago, in its second epoch."""
    params = replace(SHORT, unbonding_ms=MillisSpan(unbonding_ms))
    began = Millis(time.time_ns() // 1_000_000 - ago_ms)
    document: Genesis = replace(four_members(params=params), time=began)
    return ProvenChain(document).finish(*FOUR).step()


class Serving:
    """A node of another machine, in a thread of its own."""

    def __init__(self, folder: Path, chain: ProvenChain, lie: Lie = truth) -> None:
        self._start = (folder, chain, lie)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)

    server: Server

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with serving(*self._start) as self.server:
            self._ready.set()
            await self._over.wait()

    @property
    def place(self) -> str:
        """What its owner tells others."""
        return self.server.name.replace("//", f"//{self.server.transport_key.hex()}@")

    @property
    def line(self) -> str:
        """A join line that names it."""
        return boots(self.server, document=self._start[1].document)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home under which proofs are kept; no node runs there."""
    monkeypatch.delenv("LC_NODE", raising=False)
    monkeypatch.setenv("LC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def chain() -> ProvenChain:
    return chain_of_now()


@pytest.fixture
def elsewhere(tmp_path: Path, chain: ProvenChain) -> Iterator[Serving]:
    """Return a node that serves a living chain."""
    made = Serving(tmp_path, chain)
    yield made
    made.stop()


@pytest.fixture
def light(notebook: Shell, home: Path, chain: ProvenChain, elsewhere: Serving) -> Shell:
    """Return a notebook that is connected without a node."""
    path = home.parent / "graph.bin"
    path.write_bytes(encode(chain.document))
    ran = notebook.run(f"%lc_connect {elsewhere.place} --light --genesis {path}")
    assert ran.ok, ran.err
    return notebook


def test_connecting_shows_the_newest_block_and_what_its_proof_rests_on(
    light: Shell, chain: ProvenChain
) -> None:
    told = light.run("%lc_status").out

    assert "proved without a node" in told
    assert f"height {chain.height}" in told
    assert "over two thirds of 4 validators of epoch 1" in told
    assert "beware" not in told


def test_a_balance_is_shown_with_its_proof(light: Shell, chain: ProvenChain) -> None:
    told = light.run(f"%lc_wallet {BERTS}").out

    assert show_credits(chain.chain.account(BERT).balance) in told
    assert f"height {chain.height}" in told


def test_a_join_line_is_enough(notebook: Shell, home: Path, elsewhere: Serving) -> None:
    assert not home.exists()
    ran = notebook.run(f"%lc_connect {elsewhere.line} --light")

    assert "proved without a node" in ran.out


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("%lc_wallet", "Name the account"),
        ("%lc_wallet lc1nobody", "not an address"),
        ("%lc_job", "by its whole id"),
        ("%lc_job abcd", "all of its 64 digits"),
        (f"%lc_job {'ab' * 32}", "holds no job abab"),
        ("%lc_jobs", "This needs a node"),
        ("%lc_peers", "This needs a node"),
        ("%lc_cancel abcd", "This needs a node"),
        ("%lc_connect --light", "Name a node"),
        ("%lc_connect tcp://localhost:4040 --light", "the key is missing"),
        ("%lc_connect nobody:1 --light", "Write tcp://KEY@HOST:PORT"),
        (f"%lc_connect tcp://{'0' * 64}@localhost:1", "--light"),
        ("%lc_connect --genesis nowhere --light tcp://x", "does not name a node"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(light: Shell, cell: str, why: str) -> None:
    ran = light.run(cell)

    assert ran.is_one_line, ran.out
    assert why in ran.err


def test_a_job_and_its_result_are_shown(
    notebook: Shell, home: Path, tmp_path: Path, chain: ProvenChain
) -> None:
    market, job = settled()
    entry = job_key(JobId(Digest(bytes.fromhex(job))))
    made = Serving(tmp_path, chain, showing(chain, market.state, entry))
    try:
        notebook.run(f"%lc_connect {made.line} --light")
        told = notebook.run(f"%lc_job {job}").out
    finally:
        made.stop()

    assert home.exists()
    assert "settled" in told
    assert "winner" in told


def test_an_old_beginning_is_trusted_only_if_that_is_said(
    notebook: Shell, home: Path, tmp_path: Path
) -> None:
    made = Serving(tmp_path, chain_of_now(unbonding_ms=1_000, ago_ms=HOUR_MS))
    try:
        line = f"%lc_connect {made.line} --light"
        refused, ran = notebook.run(line), notebook.run(f"{line} --trust-old")
    finally:
        made.stop()

    assert home.exists()
    assert "(--trust-old)" in refused.err
    assert "beware" in ran.out
    assert "no newer block was shown" in ran.out


def test_proofs_need_nothing_that_only_a_node_installs() -> None:
    program = (
        "import sys, lc_jupyter.magics, lc_jupyter.light\n"
        "print({'click', 'optuna', 'rich'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert ran.stdout.split() == [b"set()"]


def test_a_notebook_goes_back_to_its_node(light: Shell, desk: Desk) -> None:
    ran = light.run(f"%lc_connect {desk.home}")

    assert "height     7 (following)" in ran.out
    assert light.run("%lc_jobs").ok


def test_an_attempt_that_fails_leaves_the_connection(light: Shell, desk: Desk) -> None:
    light.run(f"%lc_connect {desk.home}")
    light.run("%lc_connect nobody:1 --light")

    assert light.run("%lc_jobs").ok


def test_somebodys_account_is_asked_of_the_own_node(notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()
    assert "account" in notebook.run(f"%lc_wallet {BERTS}").out
