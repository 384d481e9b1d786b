"""What a model's file says of itself is read without loading it, and a file that lies is refused."""

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import cloudpickle
import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from lc_jupyter.inspection.contents import ROWS_MAX, Unreadable
from lc_jupyter.inspection.pickles import WARNING
from lc_jupyter.inspection.reading import read_contents
from lc_jupyter.runner.bundle import pack
from lc_jupyter.runner.formats import save_model
from tests.jupyter.model_files import ONNX, SAFETENSORS

UNKNOWN = "(a name that only loading would tell)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model"


def test_a_safetensors_file_tells_its_tensors_and_what_was_written_beside_them(path: Path) -> None:
    path.write_bytes(SAFETENSORS)
    contents = read_contents(path, "safetensors")

    assert contents.what == "2 tensors, 8 numbers together."
    assert contents.rows == (("b", "F64", "2"), ("w", "F32", "3 × 2"))
    assert contents.params == (("epoch", "3"),)


def test_an_npz_tells_its_arrays(path: Path) -> None:
    arrays = {
        "w": np.zeros((3, 2)),
        "names": np.array(["a", "bc"]),
        "n": np.array(5, dtype=np.uint8),
    }
    save_model(arrays, path, "npz")

    assert set(read_contents(path, "npz").rows) == {
        ("w", "float64", "3 × 2"),
        ("names", "text", "2"),
        ("n", "uint8", "one number"),
    }


def test_an_array_is_not_unpacked_for_its_header(path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
        )
        archive.writestr("w.npy", header.getvalue() + bytes(1 << 22))

    assert read_contents(path, "npz").rows == (("w", "float64", "1099511627776"),)


def test_an_onnx_graph_tells_what_it_takes_and_gives(path: Path) -> None:
    path.write_bytes(ONNX)
    contents = read_contents(path, "onnx")

    assert contents.what == "A graph of 2 nodes with 1 tensor of weights."
    assert contents.rows == (
        ("input", "x", "float32", "batch × 3"),
        ("output", "label", "int64", "batch × 1"),
        ("output", "y", "float32", "batch × 2"),
    )


def test_an_estimator_tells_its_types(path: Path) -> None:
    save_model(LogisticRegression(), path, "skops")
    contents = read_contents(path, "skops")

    assert contents.what.startswith("sklearn.linear_model._logistic.LogisticRegression, made of")
    assert (
        "sklearn.linear_model._logistic.LogisticRegression",
        "skops trusts it",
    ) in contents.rows
    assert contents.warning == ""


Homemade = type("Homemade", (BaseEstimator,), {"__module__": __name__})


def test_a_type_that_nobody_reviewed_is_named(path: Path) -> None:
    skops.io.dump(Homemade(), path)
    contents = read_contents(path, "skops")

    assert (f"{__name__}.Homemade", "nobody reviewed it") in contents.rows
    assert "Homemade: it is not loaded." in contents.warning


class Harmful:
    """Leaves a file where it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.trace)!r}, 'w').close()",)


def test_a_pickle_is_read_and_does_nothing(path: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path.write_bytes(cloudpickle.dumps({"model": Harmful(trace), "of": LogisticRegression()}))
    contents = read_contents(path, "pickle")

    assert not trace.exists()
    assert ("builtins.exec",) in contents.rows
    assert ("sklearn.linear_model._logistic.LogisticRegression",) in contents.rows
    assert contents.warning == WARNING


@pytest.mark.parametrize(
    ("instructions", "name"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93.", "os.system"),
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x9400h\x00h\x01\x93.", "os.system"),
        (
            b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x01a0\x93.",
            "(a name that only loading would tell)",
        ),
        (b"\x80\x04\x8c\x02os\x8c\x06system2\x93.", UNKNOWN),
        (b"\x82\x07.", "copyreg extension 7"),
    ],
    ids=["global", "instance", "stack", "memo", "popped", "doubled", "extension"],
)
def test_a_global_is_told_however_it_is_written_or_said_to_be_hidden(
    path: Path, instructions: bytes, name: str
) -> None:
    path.write_bytes(instructions)

    assert read_contents(path, "pickle").rows == ((name,),)


def test_bytes_of_json_tell_their_names(path: Path) -> None:
    path.write_bytes(json.dumps({"slope": 3, "base": [1]}).encode())

    assert read_contents(path, "raw").rows == (("slope", "int"), ("base", "list"))


def test_other_bytes_tell_their_number(path: Path) -> None:
    path.write_bytes(b"\x00model")

    assert read_contents(path, "raw").what == "6 bytes, which only the job's own load understands."


def test_what_a_trial_was_given_is_told_with_its_model(path: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").write_bytes(SAFETENSORS)
    pack(tmp_path / "inner", {"width": 32}, path)
    contents = read_contents(path, "safetensors")

    assert contents.params == (("width", "32"), ("epoch", "3"))
    assert len(contents.rows) == 2


def test_of_very_many_names_some_are_kept(path: Path) -> None:
    tensors = {f"t{n}": {"dtype": "F32", "shape": [1]} for n in range(ROWS_MAX + 5)}
    header = json.dumps(tensors).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    contents = read_contents(path, "safetensors")

    assert (len(contents.rows), contents.left_out) == (ROWS_MAX, 5)


def test_a_name_is_one_printable_line(path: Path) -> None:
    header = json.dumps({"a\n\x1b[31m" + "b" * 500: {"dtype": "F32", "shape": []}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    [(name, _, _)] = read_contents(path, "safetensors").rows

    assert name.isprintable()
    assert len(name) == 120


def _tensors(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


def _zipped(name: str, data: bytes) -> bytes:
    into = io.BytesIO()
    with ZipFile(into, "w") as archive:
        archive.writestr(name, data)
    return into.getvalue()


def _objects() -> bytes:
    into = io.BytesIO()
    np.savez(into, w=np.array([object()]))
    return into.getvalue()


@pytest.mark.parametrize(
    ("model_format", "make"),
    [
        ("safetensors", lambda: b"\x00"),
        ("safetensors", lambda: _tensors(b"{}", 1 << 60)),
        ("safetensors", lambda: _tensors(b"[" * 100_000)),
        ("safetensors", lambda: _tensors(b"[]")),
        ("safetensors", lambda: _tensors(b'{"w": {"shape": [-1]}}')),
        ("safetensors", lambda: _tensors(b'{"w": 1}')),
        ("npz", lambda: b"no zip"),
        ("npz", lambda: _zipped("w.npy", b"no array")),
        ("npz", lambda: _zipped("w.npy", b"\x93NUMPY\x01\x00\xff\xff")),
        ("npz", lambda: _zipped("w.npy", b"\x93NUMPY\x01\x00\x10\x27" + b"-" * 10_000)),
        ("npz", _objects),
        ("onnx", lambda: b""),
        ("onnx", lambda: ONNX[:40]),
        ("onnx", lambda: b"\x0b"),
        ("onnx", lambda: b"\xff" * 12),
        ("skops", lambda: b"no zip"),
        ("skops", lambda: _zipped("other", b"")),
        ("skops", lambda: _zipped("schema.json", b"[]")),
        ("skops", lambda: _zipped("schema.json", b"{}")),
        ("pickle", lambda: b"\x80\x05broken"),
        ("pickle", lambda: b"\x8e" + b"\xff" * 7 + b"\x7f"),
    ],
)
def test_a_file_that_is_not_of_its_format_is_refused(
    path: Path, model_format: str, make: Callable[[], bytes]
) -> None:
    path.write_bytes(make())

    with pytest.raises(Unreadable):
        read_contents(path, model_format)
