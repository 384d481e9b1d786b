"""Reads what a model's file says of itself, by its format; the bytes are a stranger's."""

import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from lc_jupyter.inspection.contents import Contents, Unreadable, clean, count
from lc_jupyter.inspection.onnx_graphs import read_onnx
from lc_jupyter.inspection.pickles import read_pickle
from lc_jupyter.inspection.skops_files import read_skops
from lc_jupyter.inspection.tensors import read_npz, read_safetensors
from lc_jupyter.runner.bundle import MODEL, PARAMS, PARAMS_BYTES_MAX

JSON_BYTES_MAX: Final = 1024 * 1024
_KEYS_MAX: Final = 1_000


def read_contents(path: Path, model_format: str) -> Contents:
    """Return what a model's file holds, without loading it.

    Raises:
        Unreadable: it is not of its format.
        OSError: it cannot be read.
    """
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on what a stranger wrote, which nobody here can mend
        size = os.fstat(file.fileno()).st_size
        if not _is_bundle(file):
            return _READERS[model_format](file, size)
        with ZipFile(file) as bundle:
            params = _params(bundle)
            with bundle.open(MODEL) as model:
                contents = _READERS[model_format](model, bundle.getinfo(MODEL).file_size)
    return replace(contents, params=(*params, *contents.params))


def _is_bundle(file: IO[bytes]) -> bool:
    """Tell whether the runner wrote the trial's parameters beside the model."""
    try:
        with ZipFile(file) as archive:
            members = archive.infolist()
            return sorted(one.filename for one in members) == [MODEL, PARAMS] and all(
                one.compress_type == ZIP_STORED for one in members
            )
    except (BadZipFile, NotImplementedError, OSError, ValueError):
        return False
    finally:
        file.seek(0)


def _params(bundle: ZipFile) -> tuple[tuple[str, str], ...]:
    try:
        with bundle.open(PARAMS) as file:
            params = json.loads(file.read(PARAMS_BYTES_MAX))
    except (BadZipFile, OSError, ValueError, RecursionError) as error:
        raise Unreadable("bundle of a model and its parameters", clean(error)) from error
    if not isinstance(params, dict):
        raise Unreadable("bundle of a model and its parameters", f"{PARAMS} is no object")
    return tuple((clean(name), clean(value)) for name, value in list(params.items())[:_KEYS_MAX])


def _read_raw(file: IO[bytes], size: int) -> Contents:
    """Return how large it is, and of JSON what it is made of: only the job's own ``load`` knows more."""
    document = _json(file.read(JSON_BYTES_MAX)) if size <= JSON_BYTES_MAX else None
    if isinstance(document, dict):
        rows = [(clean(key), type(value).__name__) for key, value in document.items()][:_KEYS_MAX]
        what = f"JSON: {count(len(document), 'name')}."
        left_out = len(document) - len(rows)
        return Contents(what=what, columns=("name", "type"), rows=tuple(rows), left_out=left_out)
    if isinstance(document, list):
        return Contents(what=f"JSON: a list of {len(document):,}.")
    return Contents(what=f"{count(size, 'byte')}, which only the job's own load understands.")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data.lstrip()[:1] in {b"{", b"["} else None
    except (ValueError, RecursionError):
        return None


_READERS: Final[Mapping[str, Callable[[IO[bytes], int], Contents]]] = {
    "skops": read_skops,
    "npz": read_npz,
    "safetensors": read_safetensors,
    "onnx": read_onnx,
    "raw": _read_raw,
    "pickle": read_pickle,
}
