"""Blobs that the owner's programs put into the node, and read out of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lc_node.api import calls, schema
from lc_node.api.errors import Refused, UnknownThing
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.stores import BlobCorrupt, BlobStore, Naming, PartialBlob

UPLOADS_AT_ONCE_MAX: Final = 8
"""How many blobs may be on their way in; the one that began first is closed for another."""


@dataclass(slots=True)
class _Upload:
    """A blob on its way in; its chunks are written one after the other."""

    partial: PartialBlob
    size: ByteCount
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class BlobDoor:
    """The blob calls of ``api.service.Service``, over a blob store; files are touched in threads."""

    def __init__(self, blobs: BlobStore) -> None:
        """Serve out of ``blobs``."""
        self._blobs = blobs
        self._uploads: dict[Digest, _Upload] = {}

    async def missing_blobs(self, call: calls.MissingBlobs) -> tuple[schema.Digest, ...]:
        """Return which blobs are lacking, in the order asked."""
        return tuple(name for name in call.digests if self._blobs.path_of(_digest(name)) is None)

    async def begin_blob(self, call: calls.BeginBlob) -> schema.BlobOffset:
        """Start or resume a blob; one that is here already is complete at once."""
        digest = _digest(call.digest)
        if self._blobs.path_of(digest) is not None:
            return schema.BlobOffset(offset=call.size, is_complete=True)
        if digest not in self._uploads:
            await self._make_place()
            partial = await asyncio.to_thread(
                self._blobs.partial, digest, ByteCount(call.size), Naming(call.naming.value)
            )
            self._uploads[digest] = _Upload(partial, ByteCount(call.size))
        offset = self._uploads[digest].partial.offset
        return schema.BlobOffset(offset=offset, is_complete=False)

    async def put_chunk(self, call: calls.PutChunk) -> schema.BlobOffset:
        """Append to a blob, if the chunk begins where the blob ends."""
        async with self._writing(call.digest) as upload:
            if call.offset != upload.partial.offset:
                message = f"The blob goes on at byte {upload.partial.offset}, not {call.offset}."
                raise Refused("WrongOffset", message)
            await asyncio.to_thread(upload.partial.write, call.data)
            return schema.BlobOffset(offset=upload.partial.offset, is_complete=False)

    async def end_blob(self, call: calls.EndBlob) -> schema.BlobOffset:
        """Verify and publish a blob."""
        async with self._writing(call.digest) as upload:
            try:
                await asyncio.to_thread(upload.partial.finish)
            finally:
                self._uploads.pop(_digest(call.digest), None)
                upload.partial.close()
            return schema.BlobOffset(offset=upload.size, is_complete=True)

    async def read_blob(self, call: calls.ReadBlob) -> bytes:
        """Return a piece of a blob; shorter than asked for at the end."""
        path = self._blobs.path_of(_digest(call.digest))
        if path is None:
            message = f"The node does not hold blob {call.digest}; fetch the job's model first."
            raise UnknownThing("UnknownBlob", message)
        return await asyncio.to_thread(_read, path, call.offset, call.length)

    def close(self) -> None:
        """Stop all uploads; what came stays for a later resume."""
        for upload in self._uploads.values():
            upload.partial.close()
        self._uploads.clear()

    async def _make_place(self) -> None:
        while len(self._uploads) >= UPLOADS_AT_ONCE_MAX:
            oldest = next(iter(self._uploads))
            upload = self._uploads.pop(oldest)
            async with upload.busy:
                upload.partial.close()

    @asynccontextmanager
    async def _writing(self, name: schema.Digest) -> AsyncIterator[_Upload]:
        digest = _digest(name)
        upload = self._uploads.get(digest)
        if upload is None:
            raise UnknownThing("UnknownUpload", f"Blob {name} was not begun; begin it first.")
        async with upload.busy:
            if self._uploads.get(digest) is not upload:
                raise UnknownThing("UnknownUpload", f"Blob {name} was closed; begin it again.")
            try:
                yield upload
            except BlobCorrupt:
                self._uploads.pop(digest, None)  # its bytes are deleted: begin again
                raise


def _digest(name: schema.Digest) -> Digest:
    return Digest(bytes.fromhex(name))


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)
