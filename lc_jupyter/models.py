"""A winner's model in the kernel: its digest checked, loaded by a format that cannot run code."""

import os
from collections.abc import Callable, Iterator
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
_SPAN_CHUNKS: Final = 16
"""So many chunks are read and hashed one after the other, in one buffer."""


def validate_opened(fetched: FetchedModel, story: JobStory) -> None:
    """Check that a file is said to be the very model that the winner opened, before anything reads it.

    Bid and opening carry the winner's signature, which the own node has verified before it took the blocks
    that they are in; the opening names bidder, digest and size. Whether the
    file has that digest is for ``validate_digest`` or ``load_checked`` to say.

    Raises:
        UserError: the file is another.
    """
    bid = next((bid for bid in story.bids if bid.bidder == story.summary.winner), None)
    opened = None if bid is None else (bid.bidder, bid.model, bid.model_bytes)
    if opened != (fetched.bidder, fetched.root, fetched.size):
        message = (
            "The node's file is not of the bid that won: pull again; if this stays so, "
            "`lc-node audit` replays the node's chain."
        )
        raise UserError(message)


def validate_digest(fetched: FetchedModel) -> None:
    """Check that a fetched file has the digest that the chain settled on.

    Raises:
        UserError: it has another digest, or cannot be read.
    """
    try:
        with Path(fetched.path).open("rb") as file, ThreadPoolExecutor(_THREADS) as threads:
            chunks = range(-(-os.fstat(file.fileno()).st_size // CHUNK_BYTES))
            spans = [chunks[at : at + _SPAN_CHUNKS] for at in chunks[::_SPAN_CHUNKS]]
            found = threads.map(partial(_digests_in, file.fileno()), spans)
            digests = [digest for span in found for digest in span]
    except OSError as error:
        raise _unreadable(fetched, error) from error
    _validate_root(fetched, digests)


def load_checked(
    fetched: FetchedModel, load: Callable[..., object] | None, *, trust: bool
) -> object:
    """Check a fetched model and load it; a raw one is read once, and what is returned is what was checked.

    Raises:
        UserError: as of ``validate_digest`` and ``load_model``.
    """
    if load is None and fetched.model_format is ModelFormat.RAW:
        model = load_model(fetched, None, trust=trust)
        assert isinstance(model, bytes), "raw is bytes as they are: reading them runs nothing"
        with ThreadPoolExecutor(_THREADS) as threads:
            _validate_root(fetched, list(threads.map(chunk_digest, _chunks_of(model))))
        return model
    validate_digest(fetched)
    return load_model(fetched, load, trust=trust)


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
    except (FileNotFoundError, PermissionError) as error:
        if load is not None:
            raise _unloadable("the job's load", error) from error
        raise _unreadable(fetched, error) from error
    except Exception as error:
        # Each library refuses a broken file in its own way, and so may the owner's load.
        what = "the job's load" if load is not None else fetched.model_format.value
        raise _unloadable(what, error) from error


def describe_loading(model_format: ModelFormat, *, own_load: bool | None) -> str:
    """Return how a model came into the kernel, and what was run for it; ``own_load`` None: the job's cell is not known."""
    if own_load:
        return "Its digest was checked, then your cell's own load read it."
    if model_format is ModelFormat.PICKLE:
        return "Its digest was checked, then it was loaded as a pickle, which runs what its author put into it."
    how = f"Its digest was checked, then it was loaded as {model_format.value}, which runs no code of its author."
    if own_load is None and model_format is ModelFormat.RAW:
        how += " If the job's cell has a load of its own: job.result(load=load) in Python."
    return how


def _unloadable(what: str, error: Exception) -> UserError:
    message = (
        f"The winner's file cannot be read as {what} ({type(error).__name__}: {error}); "
        "%lc_pull --to PATH saves it as it is."
    )
    return UserError(message)


def _unreadable(fetched: FetchedModel, error: OSError) -> UserError:
    message = (
        f"{fetched.path} cannot be read here ({error.strerror}): run the notebook as the user of the node, "
        "or `lc-node job pull` there."
    )
    return UserError(message)


def _digests_in(descriptor: int, chunks: range) -> list[bytes]:
    """Return the digests of an open file's chunks; read, for a mapped file that shrinks would end the kernel."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    lengths = (os.preadv(descriptor, [buffer], chunk * CHUNK_BYTES) for chunk in chunks)
    return [chunk_digest(buffer[:length]) for length in lengths]


def _chunks_of(model: bytes) -> Iterator[memoryview]:
    view = memoryview(model)
    return (view[at : at + CHUNK_BYTES] for at in range(0, len(view), CHUNK_BYTES))


def _validate_root(fetched: FetchedModel, chunk_digests: list[bytes]) -> None:
    if chunk_root(chunk_digests).hex() != fetched.root:
        message = (
            f"{fetched.path} is not the model that won: its digest differs. "
            "Delete the file and pull again."
        )
        raise UserError(message)
