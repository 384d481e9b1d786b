"""Model files: written in the sandbox by the job, read in the sandbox by verifiers and at home by the poster."""

import inspect
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar
from zipfile import ZipFile, is_zipfile

import cloudpickle

from lc_jupyter.runner.bundle import pack, unpack
from lc_jupyter.runner.skops_types import allowed_types

UNTRUSTED_SHOWN_MAX: Final = 5
UNFOLDED_RATIO_MAX: Final = 20
"""Beyond 64 MiB, a model that is a zip may unfold to so many times its size: honest ones hardly shrink."""
UNFOLDED_FREE_BYTES: Final = 64 * 1024**2

Action = TypeVar("Action")


class WrongFormat(Exception):
    """A model cannot be written, or a file cannot be read, in the job's model format."""


class UnsafeModel(Exception):
    """Loading this file could run code of whoever made it."""


def can_execute(model_format: str) -> bool:
    """Return whether loading a hostile file of this format may run code."""
    return model_format == "pickle"


def detect_format(model: object) -> str:
    """Return the format that fits a model; ``pickle`` where no safe one does."""
    if isinstance(model, bytes | bytearray):
        return "raw"
    if isinstance(model, dict):
        numpy_arrays = all(type(value).__module__ == "numpy" for value in model.values())
        return "npz" if model and numpy_arrays else "pickle"
    lineage = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(model).__mro__}
    if ("torch", "Module") in lineage:
        return "safetensors"
    if ("onnx", "ModelProto") in lineage:
        return "onnx"
    is_sklearn = type(model).__module__.partition(".")[0] == "sklearn"
    return "skops" if is_sklearn and ("sklearn", "BaseEstimator") in lineage else "pickle"


def guess_format(modules: Collection[str], *, own_files: bool) -> str:
    """Return the format that a cell's models will most likely need, before there is a model.

    ``modules`` are the top-level modules that its functions use, ``own_files`` whether it has its own
    ``save`` and ``load``: then the bytes are theirs alone.
    """
    if own_files and "torch" not in modules:
        return "raw"
    for module, model_format in (("torch", "safetensors"), ("onnx", "onnx"), ("sklearn", "skops")):
        if module in modules:
            return model_format
    return "npz" if "numpy" in modules else "pickle"


def save_model(
    model: Any,
    path: Path,
    model_format: str,
    *,
    save: Callable[[Any, str], None] | None = None,
    load: Callable[..., Any] | None = None,
    params: Mapping[str, Any] | None = None,
) -> None:
    """Write a model, by the cell's own ``save`` if there is one.

    If its ``load`` takes params, they are written beside the model, in one uncompressed zip.

    Raises:
        WrongFormat: the model does not fit the format.
    """
    write = save or _named(_WRITERS, model_format)
    if load is None or not takes_params(load):
        write(model, str(path))
        return
    part = path.with_name(path.name + ".part")
    write(model, str(part))
    pack(part, dict(params or {}), path)
    part.unlink()


def load_model(
    path: Path,
    model_format: str,
    *,
    load: Callable[..., Any] | None = None,
    trust: bool = False,
) -> Any:
    """Read a model, by the cell's own ``load`` if there is one.

    Raises:
        UnsafeModel: the format, or something in the file, could run code, and ``trust`` is not given.
        WrongFormat: the file is not of this format.
    """
    if can_execute(model_format) and not trust:
        raise UnsafeModel(
            f"a {model_format} file can run code of whoever made it: load it with trust only if you"
            " trust the node that trained it"
        )
    if load is None:
        return _named(_READERS, model_format)(str(path))
    if not takes_params(load):
        return load(str(path))
    with TemporaryDirectory() as folder:
        model, params = unpack(path, Path(folder))
        return load(str(model), params)


def takes_params(load: Callable[..., Any]) -> bool:
    """Return whether a cell's ``load`` wants what its trial was given, besides the path."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(load).parameters.values()
    return len([one for one in parameters if one.kind in kinds]) > 1


def _named(table: Mapping[str, Action], model_format: str) -> Action:
    if model_format not in table:
        raise WrongFormat(f"no format {model_format!r}; there are {', '.join(FORMATS)}")
    return table[model_format]


def _write_skops(model: Any, path: str) -> None:
    import_module("skops.io").dump(model, path)
    _check_skops(path)


def _read_skops(path: str) -> Any:
    return import_module("skops.io").load(path, trusted=_check_skops(path))


def _check_skops(path: str) -> list[str]:
    """Return the types of a file that our own list vouches for, if there are no others."""
    _check_unfolded(path)
    found = import_module("skops.io").get_untrusted_types(file=path)
    version = import_module("sklearn").__version__
    unknown = sorted(set(found) - allowed_types(version))
    if unknown:
        shown = ", ".join(unknown[:UNTRUSTED_SHOWN_MAX])
        raise UnsafeModel(
            f"the model holds {shown}, which nobody has reviewed for scikit-learn {version}:"
            " give the cell its own save(model, path) and load(path)"
        )
    return list(found)


def _check_unfolded(path: str) -> None:
    """Refuse a zip that would take much more memory than its file: the file is a stranger's.

    What a member says of its size bounds what is read of it.
    """
    if not is_zipfile(path):
        return
    with ZipFile(path) as archive:
        unfolded = sum(member.file_size for member in archive.infolist())
    if unfolded > UNFOLDED_FREE_BYTES + UNFOLDED_RATIO_MAX * Path(path).stat().st_size:
        raise WrongFormat(f"the file would unfold into {unfolded:,} bytes")


def _write_npz(model: Any, path: str) -> None:
    numpy = import_module("numpy")
    if not isinstance(model, dict) or not model or not all(isinstance(key, str) for key in model):
        raise WrongFormat(
            f"npz holds a dict of named arrays, not {_kind(model)}: return a dict such as "
            "{'weights': array}, or pass --format raw with your own save and load"
        )
    arrays = {name: numpy.asarray(value) for name, value in model.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise WrongFormat(f"npz: {name!r} holds Python objects, not numbers")
    with Path(path).open("wb") as file:
        numpy.savez(file, **arrays)


def _read_npz(path: str) -> dict[str, Any]:
    numpy = import_module("numpy")
    _check_unfolded(path)
    # Opened here: numpy leaves a file open that is no whole zip.
    with Path(path).open("rb") as file:
        found = numpy.load(file, allow_pickle=False)
        if not isinstance(found, numpy.lib.npyio.NpzFile):
            raise WrongFormat("the file is one array, not an npz")
        with found:
            return {name: found[name] for name in found.files}


def _write_safetensors(model: Any, path: str) -> None:
    state = model.state_dict() if hasattr(model, "state_dict") else model
    if not isinstance(state, dict) or not state:
        raise WrongFormat(f"safetensors holds a dict of tensors, not {_kind(model)}")
    if all(type(value).__module__ == "numpy" for value in state.values()):
        import_module("safetensors.numpy").save_file(state, path)
        return
    tensors = {name: value.contiguous() for name, value in state.items()}
    import_module("safetensors.torch").save_file(tensors, path)


def _read_safetensors(path: str) -> Any:
    return import_module("safetensors.numpy").load_file(path)


def _write_onnx(model: Any, path: str) -> None:
    import_module("onnx").save_model(model, path)


def _read_onnx(path: str) -> Any:
    return import_module("onnx").load_model(path, load_external_data=False)


def _write_raw(model: Any, path: str) -> None:
    if not isinstance(model, bytes | bytearray):
        raise WrongFormat(
            f"raw holds bytes, not {_kind(model)}: give the cell its own save(model, path)"
        )
    Path(path).write_bytes(model)


def _read_raw(path: str) -> bytes:
    return Path(path).read_bytes()


def _write_pickle(model: Any, path: str) -> None:
    try:
        data = cloudpickle.dumps(model)
    except Exception as error:
        # Any reduction may fail in its own way.
        raise WrongFormat(
            f"{_kind(model)} cannot be saved as a pickle ({error}): return it without open files, locks"
            " and generators, or give the cell its own save(model, path) and load(path)"
        ) from error
    Path(path).write_bytes(data)


def _read_pickle(path: str) -> Any:
    with Path(path).open("rb") as file:
        return cloudpickle.load(file)


def _kind(model: object) -> str:
    return f"a {type(model).__name__}"


_WRITERS: Final[Mapping[str, Callable[[Any, str], None]]] = {
    "skops": _write_skops,
    "npz": _write_npz,
    "safetensors": _write_safetensors,
    "onnx": _write_onnx,
    "raw": _write_raw,
    "pickle": _write_pickle,
}
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "skops": _read_skops,
    "npz": _read_npz,
    "safetensors": _read_safetensors,
    "onnx": _read_onnx,
    "raw": _read_raw,
    "pickle": _read_pickle,
}
FORMATS: Final = tuple(_READERS)
"""The names of the formats, as a job's spec says them."""
