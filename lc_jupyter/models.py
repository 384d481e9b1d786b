"""A winner's model in the kernel: its digest checked, loaded by a format that cannot run code."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from lc_jupyter.errors import UserError
from lc_jupyter.runner import formats
from lc_node.api.schema import ModelFormat
from lc_node.api.schema_jobs import FetchedModel
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root

_THREADS: Final = min(4, os.cpu_count() or 1)


def validate_digest(fetched: FetchedModel) -> None:
    """Check that a fetched file is the model that the chain settled on.

    Raises:
        UserError: it has another digest.
    """
    path = Path(fetched.path)
    if _root_of(path).hex() != fetched.root:
        message = f"{path} is not the model that won: its digest differs. Delete the file and pull again."
        raise UserError(message)


def _root_of(path: Path) -> bytes:
    """Return the root over a file's chunks, read and hashed on several processors, a chunk in memory for each."""
    with path.open("rb") as file, ThreadPoolExecutor(_THREADS) as threads:
        offsets = range(0, os.fstat(file.fileno()).st_size, CHUNK_BYTES)
        read = partial(os.pread, file.fileno(), CHUNK_BYTES)
        return chunk_root(list(threads.map(lambda offset: chunk_digest(read(offset)), offsets)))


def load_model(
    fetched: FetchedModel, load: Callable[..., object] | None, *, trust: bool
) -> object:
    """Load a verified model.

    ``load`` is the one that the job's cell defined in this notebook, if it did: the owner's own code.

    Raises:
        UserError: loading would run a stranger's code, or the file is not of its format.
    """
    if fetched.model_format is ModelFormat.PICKLE and not trust:
        message = (
            "This model is a pickle: loading it runs whatever its author put into it. "
            "Add --trust if you know who trained it, or save it to a file with --to PATH."
        )
        raise UserError(message)
    try:
        return formats.load_model(
            Path(fetched.path), fetched.model_format.value, load=load, trust=trust
        )
    except (formats.WrongFormat, formats.UnsafeModel) as error:
        raise UserError(str(error)) from error
    except Exception as error:
        # Each library refuses a broken file in its own way, and so may the owner's load.
        what = "the job's load" if load is not None else fetched.model_format.value
        message = (
            f"The winner's file cannot be read as {what} ({type(error).__name__}: {error}); "
            "%lc_pull --to PATH saves it as it is."
        )
        raise UserError(message) from error
