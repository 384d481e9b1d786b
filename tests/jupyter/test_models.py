"""The winner's model in the kernel: its digest checked, loaded by a format that cannot run code."""

from os import SEEK_END
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from msgspec.structs import replace

from lc_jupyter.errors import UserError
from lc_jupyter.models import load_checked, validate_digest
from lc_jupyter.runner.formats import save_model
from lc_node.adapters.blob_files import file_digest
from lc_node.api.schema import Digest, ModelFormat, Phase
from lc_node.api.schema_jobs import FetchedModel
from lc_node.oci.chunks import CHUNK_BYTES
from lc_node.ports.stores import Naming
from tests.jupyter.desk import WINNER, Desk, story_of
from tests.jupyter.shells import Shell


@pytest.fixture
def settled(desk: Desk) -> Desk:
    desk.tell(story_of(Phase.SETTLED, winner=WINNER))
    return desk


@pytest.fixture
def npz(settled: Desk, tmp_path: Path) -> Desk:
    path = tmp_path / "winner"
    save_model({"line": np.array([3.0, -1.0])}, path, "npz")
    settled.desk.serve_model(path, ModelFormat.NPZ)
    return settled


@pytest.fixture
def pickled(settled: Desk, tmp_path: Path) -> Desk:
    path = tmp_path / "winner"
    path.write_bytes(cloudpickle.dumps({"answer": 42}))
    settled.desk.serve_model(path, ModelFormat.PICKLE)
    return settled


@pytest.fixture
def raw(settled: Desk, tmp_path: Path) -> Desk:
    path = tmp_path / "winner"
    path.write_bytes(b"[1, 2]")
    settled.desk.serve_model(path, ModelFormat.RAW)
    return settled


def test_a_model_is_pulled_into_a_variable(notebook: Shell, npz: Desk) -> None:
    assert npz.home.exists()
    ran = notebook.run("%lc_pull aaaa model")

    assert "model is the model that won job aaaaaaaaaaaa: a dict." in ran.out
    assert "digest was checked, then it was loaded as npz, which runs no code" in ran.out
    assert notebook.run("assert model['line'].tolist() == [3, -1]").ok


def test_a_model_can_be_saved_instead(notebook: Shell, npz: Desk, tmp_path: Path) -> None:
    ran = notebook.run("%lc_pull aaaa --to model.npz")

    assert "(npz) to model.npz." in ran.out
    assert (tmp_path / "model.npz").read_bytes() == npz.desk.model_path.read_bytes()


def test_a_model_that_cannot_be_saved_there_is_one_line(notebook: Shell, npz: Desk) -> None:
    assert npz.home.exists()
    ran = notebook.run("%lc_pull aaaa --to /proc/model.npz")

    assert ran.is_one_line
    assert "--to /proc/model.npz cannot be written: No such file or directory" in ran.err


def test_a_file_with_another_digest_is_refused(notebook: Shell, npz: Desk) -> None:
    with npz.desk.model_path.open("ab") as file:
        file.write(b"more")
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "is not the model that won: its digest differs" in ran.err
    assert "model" not in notebook.names


def test_a_file_that_the_winner_did_not_open_is_refused(notebook: Shell, npz: Desk) -> None:
    npz.desk.model_root = Digest("0" * 64)
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "is not of the bid that won" in ran.err


def test_a_file_that_cannot_be_read_here_is_one_line(notebook: Shell, npz: Desk) -> None:
    npz.desk.model_path.unlink()
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "cannot be read here (No such file or directory)" in ran.err


def test_a_model_that_nobody_has_any_more_is_one_line(notebook: Shell, npz: Desk) -> None:
    npz.desk.unavailable = "blob ff cannot be fetched: nobody has it"
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert (
        "cannot be had now (blob ff cannot be fetched: nobody has it). The winner lc1winner"
        in ran.err
    )


def test_a_model_of_a_strangers_job_is_not_loaded_even_with_trust(
    notebook: Shell, pickled: Desk
) -> None:
    pickled.desk.posted_by_me = False
    ran = notebook.run("%lc_pull aaaa model --trust")

    assert ran.is_one_line
    assert "was posted by another key" in ran.err
    assert "model" not in notebook.names


def test_a_file_of_a_strangers_job_can_be_saved(notebook: Shell, pickled: Desk) -> None:
    pickled.desk.posted_by_me = False

    assert notebook.run("%lc_pull aaaa --to model.pkl").ok


def test_a_refund_has_no_model_and_says_what_to_do(notebook: Shell, desk: Desk) -> None:
    desk.tell(replace(story_of(Phase.REFUNDED), reason_text="nobody bid"))
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "no model to pull, it was refunded: nobody bid. Post it again, with a longer" in ran.err


def test_raw_bytes_with_another_digest_are_refused(
    notebook: Shell, settled: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "winner"
    path.write_bytes(bytes(2 * CHUNK_BYTES))
    settled.desk.serve_model(path, ModelFormat.RAW)
    with path.open("r+b") as file:
        file.seek(-1, SEEK_END)
        file.write(b"x")
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "is not the model that won: its digest differs" in ran.err
    assert "model" not in notebook.names


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 17 * CHUNK_BYTES + 5], ids=str
)
def test_a_model_of_any_length_is_checked_and_loaded(tmp_path: Path, size: int) -> None:
    path = tmp_path / "winner"
    path.write_bytes((bytes(range(256)) * (size // 256 + 1))[:size])
    fetched = _raw(path)
    validate_digest(fetched)

    assert load_checked(fetched, None, trust=False) == path.read_bytes()


@pytest.mark.parametrize("at", [0, CHUNK_BYTES, 17 * CHUNK_BYTES + 4])
def test_one_wrong_byte_anywhere_is_found(tmp_path: Path, at: int) -> None:
    path = tmp_path / "winner"
    path.write_bytes(bytes(17 * CHUNK_BYTES + 5))
    fetched = _raw(path)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"x")

    with pytest.raises(UserError, match="digest differs"):
        validate_digest(fetched)


def test_a_file_of_another_format_is_refused(notebook: Shell, npz: Desk, tmp_path: Path) -> None:
    path = tmp_path / "winner"
    path.write_bytes(b"no archive at all")
    npz.desk.serve_model(path, ModelFormat.NPZ)
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "cannot be read as npz" in ran.err


def test_a_pickle_is_not_loaded_without_trust(notebook: Shell, pickled: Desk) -> None:
    assert pickled.home.exists()
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "Add --trust if you know who trained it" in ran.err


def test_a_pickle_is_loaded_with_trust(notebook: Shell, pickled: Desk) -> None:
    assert pickled.home.exists()
    assert "as a pickle, which runs" in notebook.run("%lc_pull aaaa model --trust").out
    assert notebook.names["model"] == {"answer": 42}


def test_a_broken_pickle_is_one_line(notebook: Shell, settled: Desk, tmp_path: Path) -> None:
    path = tmp_path / "winner"
    path.write_bytes(b"\x80\x05broken")
    settled.desk.serve_model(path, ModelFormat.PICKLE)
    ran = notebook.run("%lc_pull aaaa model --trust")

    assert ran.is_one_line
    assert "cannot be read as pickle" in ran.err


@pytest.mark.usefixtures("raw")
def test_a_model_of_the_jobs_own_format_is_loaded_by_its_own_load(notebook: Shell) -> None:
    notebook.run(
        "%%lc_submit --bounty 5 --expires 10m\n"
        "import json, pathlib\n"
        "def train(trial): return [0]\n"
        "def evaluate(model): return 0.0\n"
        "def save(model, path): pathlib.Path(path).write_text(json.dumps(model))\n"
        "def load(path): return json.loads(pathlib.Path(path).read_text())\n"
    )

    assert "then your cell's own load read it" in notebook.run("%lc_pull model").out
    assert notebook.names["model"] == [1, 2]


@pytest.mark.usefixtures("raw")
def test_of_bytes_whose_load_another_kernel_had_it_is_said_how_to_give_it(notebook: Shell) -> None:
    assert "job.result(load=load)" in notebook.run("%lc_pull aaaa model").out
    assert notebook.names["model"] == b"[1, 2]"


def test_in_another_kernel_the_jobs_own_load_is_given_in_python(
    notebook: Shell, settled: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "winner"
    path.write_bytes(b"[1, 2]")
    settled.desk.serve_model(path, ModelFormat.RAW)
    notebook.run("import json, lc_jupyter, pathlib\nlc = lc_jupyter.connect()")
    notebook.run("def load(path):\n    return json.loads(pathlib.Path(path).read_text())")
    notebook.run("model = lc.job('aaaa').result(load=load)")
    notebook.run("lc.close()")

    assert notebook.names["model"] == [1, 2]


def _raw(path: Path) -> FetchedModel:
    """Return what a node says of a raw model that lies here."""
    return FetchedModel(
        path=str(path),
        root=Digest(file_digest(path, Naming.CHUNKS).hex()),
        size=path.stat().st_size,
        model_format=ModelFormat.RAW,
        bidder=WINNER,
        label="",
        posted_by_me=True,
    )
