"""The file that a download makes: threads work on it, and it is never closed while one does."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.chunks import CHUNK_BYTES
from lc_node.ports.stores import BlobBusy, BlobStore, PartialBlob
from lc_node.runtime.blob_news import Wanted
from lc_node.wire.messages import Chunk

Made = TypeVar("Made")

_BUSY_SECONDS: Final = 0.25


def begun(work: Callable[[], Made]) -> "asyncio.Future[Made]":
    """Begin some work in a thread."""
    return asyncio.get_running_loop().run_in_executor(None, work)


async def over(work: "asyncio.Future[Made]") -> None:
    """Return when work is over, whether it went well or not; cancelled meanwhile, be so only then."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    work.exception()  # so that asyncio does not complain if nobody asks for it
    if cancelled is not None:
        raise cancelled


async def done(work: Callable[[], Made]) -> Made:
    """Return what work in a thread has made; cancelled meanwhile, be so only when it is over."""
    working = begun(work)
    await over(working)
    return working.result()


async def opened(store: BlobStore, wanted: Wanted, size: ByteCount) -> PartialBlob:
    """Open the file; cancelled meanwhile, close it once it is open.

    Who takes a download over waits for that: what is here already is read first, which takes its time.
    """
    while True:
        opening = begun(lambda: store.partial(wanted.digest, size, wanted.naming))
        try:
            return await asyncio.shield(opening)
        except BlobBusy:
            await asyncio.sleep(_BUSY_SECONDS)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise


def append(partial: PartialBlob, chunks: Sequence[Chunk], digests: Sequence[Digest]) -> None:
    """Write chunks that follow each other; of the first, what is not here from earlier."""
    for chunk, digest in zip(chunks, digests, strict=True):
        known = max(0, partial.offset - chunk.index * CHUNK_BYTES)
        if known:
            partial.write(memoryview(chunk.data)[known:])
        else:
            partial.write(chunk.data, digest=digest)


def _close(opening: "asyncio.Future[PartialBlob]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
