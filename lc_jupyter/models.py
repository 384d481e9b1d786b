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
from lc_node.api.schema_jobs import FetchedModel, JobStory
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root

_THREADS: Final = min(4, os.cpu_count() or 1)


def validate_fetched(fetched: FetchedModel, story: JobStory) -> None:
    """Check that a file is the very model that the winner opened, before anything else reads it.

    Bid and opening carry the winner's signature, which the own node has verified before it took the blocks
    that they are in; the opening names bidder, digest and size. The digest is computed here anew.

    Raises:
        UserError: the file is another, or cannot be read.
    """
    bid = next((bid for bid in story.bids if bid.bidder == story.summary.winner), None)
    opened = None if bid is None else (bid.bidder, bid.model, bid.model_bytes)
    if opened != (fetched.bidder, fetched.root, fetched.size):
        message = (
            "The node's file is not of the bid that won: pull again; if this stays so, "
            "`lc-node audit` replays the node's chain."
        )
        raise UserError(message)
    validate_digest(fetched)


def validate_digest(fetched: FetchedModel) -> None:
    """Check that a fetched file has the digest that the chain settled on.

    Raises:
        UserError: it has another digest, or cannot be read.
    """
    path = Path(fetched.path)
    try:
        root = _root_of(path).hex()
    except OSError as error:
        message = (
            f"{path} cannot be read here ({error.strerror}): run the notebook as the user of the node, "
            "or `lc-node job pull` there."
        )
        raise UserError(message) from error
    if root != fetched.root:
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
    if not fetched.posted_by_me:
        message = (
            "This job was posted by another key than your node's, so its model is loaded only in the sandbox: "
            "%lc_predict runs it there. %lc_pull --to PATH saves the file."
        )
        raise UserError(message)
    if fetched.model_format is ModelFormat.PICKLE and not trust:
        message = (
            "This model is a pickle: loading it runs whatever its author put into it. "
            "%lc_predict runs it in the sandbox instead. Add --trust if you know who trained it, or save it to a "
            "file with --to PATH."
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
