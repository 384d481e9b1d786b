"""Putting a blob into the own node, piece by piece, resumed where an earlier attempt ended."""

from collections.abc import Callable
from typing import BinaryIO

from lc_node.api.calls import BeginBlob, EndBlob, PutChunk
from lc_node.api.client import Client
from lc_node.api.schema import CHUNK_BYTES_MAX, Digest, Naming


def put_blob(
    client: Client,
    source: BinaryIO,
    *,
    digest: Digest,
    size: int,
    naming: Naming = Naming.SHA256,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Send ``source``, which can seek, unless the node has it; ``on_progress`` hears bytes held there.

    Raises:
        Refused: no room (``StorageFull``, ``BlobQuotaExceeded``), other bytes than named
            (``BlobCorrupt``), or sent by another client at the moment (``BlobBusy``).
    """
    held = client.call(BeginBlob(digest=digest, size=size, naming=naming))
    source.seek(held.offset)
    while not held.is_complete and held.offset < size:
        data = source.read(CHUNK_BYTES_MAX)
        if not data:
            break  # shorter than named: the node will say so
        held = client.call(PutChunk(digest=digest, offset=held.offset, data=data))
        if on_progress is not None:
            on_progress(held.offset)
    if not held.is_complete:
        client.call(EndBlob(digest=digest))
