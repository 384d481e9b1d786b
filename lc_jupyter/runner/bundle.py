"""A model and the parameters it was made with, in one file: an uncompressed zip with fixed dates."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

MODEL: Final = "model"
PARAMS: Final = "params.json"
PARAMS_BYTES_MAX: Final = 1024 * 1024


class BadBundle(Exception):
    """A file is no bundle of a model and its parameters."""


def pack(model: Path, params: Mapping[str, Any], into: Path) -> None:
    """Write a bundle; the same model and parameters give the same bytes."""
    with ZipFile(into, "w", ZIP_STORED) as bundle:
        with (
            model.open("rb") as source,
            bundle.open(ZipInfo(MODEL), "w", force_zip64=True) as target,
        ):
            shutil.copyfileobj(source, target)
        bundle.writestr(ZipInfo(PARAMS), json.dumps(dict(params), sort_keys=True))


def unpack(path: Path, into: Path) -> tuple[Path, dict[str, Any]]:
    """Write the model of a bundle into a folder and return its path and the parameters.

    Raises:
        BadBundle: not exactly the two members, compressed, or with parameters beyond reason.
    """
    with ZipFile(path) as bundle:
        members = {member.filename: member for member in bundle.infolist()}
        if sorted(members) != [MODEL, PARAMS] or len(bundle.infolist()) != len(members):
            raise BadBundle(f"the file is no bundle of {MODEL} and {PARAMS}")
        if any(member.compress_type != ZIP_STORED for member in members.values()):
            raise BadBundle("a bundle is not compressed")
        if members[PARAMS].file_size > PARAMS_BYTES_MAX:
            raise BadBundle(f"{PARAMS} is larger than {PARAMS_BYTES_MAX} bytes")
        model = into / MODEL
        with bundle.open(MODEL) as source, model.open("wb") as target:
            shutil.copyfileobj(source, target)
        params = json.loads(bundle.read(PARAMS))
    if not isinstance(params, dict):
        raise BadBundle(f"{PARAMS} is no object")
    return model, params
