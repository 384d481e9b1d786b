"""``lc-node light`` proves facts by asking other people's nodes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.chain.addresses import encode_address
from lc_node.chain.types import Digest, JobId
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.consensus.light import job_key
from tests.api.test_light import settled, showing
from tests.chain.actors import BERT
from tests.jupyter.test_light import HOUR_MS, Serving, chain_of_now

Capture = pytest.CaptureFixture[str]
BERTS = encode_address(BERT.public_key)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[list[str]]:
    """Return the options that name a node of a living chain, and a home to keep proofs in."""
    made = Serving(tmp_path, chain_of_now())
    yield ["--node", made.line, "--home", str(tmp_path / "home")]
    made.stop()


def test_a_balance_is_told_with_its_proof(asked: list[str], capsys: Capture) -> None:
    assert run(["light", "balance", BERTS, *asked]) == Exit.OK

    told = capsys.readouterr().out
    assert "balance    1,000 credits" in told
    assert "height 4, epoch 1" in told
    assert "beware" not in told


@pytest.mark.parametrize("words", [["status"], ["balance", BERTS]])
def test_a_fact_is_told_in_json(words: list[str], asked: list[str], capsys: Capture) -> None:
    assert run(["light", *words, *asked, "--json"]) == Exit.OK

    assert json.loads(capsys.readouterr().out)["proof"]["freshness"] == "fresh"


def test_a_job_is_told_with_its_result(tmp_path: Path, capsys: Capture) -> None:
    market, job = settled()
    entry = job_key(JobId(Digest(bytes.fromhex(job))))
    chain = chain_of_now()
    made = Serving(tmp_path, chain, showing(chain, market.state, entry))
    words = ["light", "job", job, "--node", made.line, "--home", str(tmp_path / "home")]
    try:
        assert (run(words), run([*words, "--json"])) == (Exit.OK, Exit.OK)
    finally:
        made.stop()

    told, _, rest = capsys.readouterr().out.partition("\n{")
    assert "winner" in told
    assert json.loads("{" + rest)["result"]["loss"] == 500_000_000


def test_a_job_that_the_state_lacks_is_refused(asked: list[str], capsys: Capture) -> None:
    assert run(["light", "job", "ab" * 32, *asked]) == Exit.REFUSED

    assert "holds no job abab" in capsys.readouterr().err


def test_a_checkpoint_is_a_beginning_for_others(
    asked: list[str], tmp_path: Path, capsys: Capture
) -> None:
    given = tmp_path / "given"
    assert run(["light", "checkpoint", str(given), *asked]) == Exit.OK
    asked[-1] = str(tmp_path / "another home")

    assert run(["light", "status", *asked, "--checkpoint", str(given)]) == Exit.OK
    assert "Wrote" in capsys.readouterr().out


def test_what_is_trusted_although_it_is_old_is_marked(tmp_path: Path, capsys: Capture) -> None:
    made = Serving(tmp_path, chain_of_now(unbonding_ms=1_000, ago_ms=HOUR_MS))
    words = ["light", "status", "--node", made.line, "--home", str(tmp_path / "home")]
    try:
        assert (run(words), run([*words, "--trust-old"])) == (Exit.REFUSED, Exit.OK)
    finally:
        made.stop()

    assert "beware     begun with what is older than bonds last" in capsys.readouterr().out


def test_without_a_node_to_ask_the_usage_is_told(capsys: Capture) -> None:
    assert run(["light", "status"]) == Exit.USAGE

    assert "--node" in capsys.readouterr().err
