"""Pulls images from registries and pushes them there, by the OCI distribution API 1.1.

Nothing enters the store but under its own digest, and no more is read than a manifest declares.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar

from yarl import URL

from lc_node.adapters.registry_credentials import read_credentials
from lc_node.adapters.registry_hosts import Hosts
from lc_node.adapters.registry_session import (
    BUFFER_BYTES,
    RegistrySession,
    Visit,
    read_at_most,
    visiting,
)
from lc_node.chain.types import Digest
from lc_node.oci.manifest import (
    MANIFEST_BYTES_MAX,
    MANIFEST_TYPE,
    MalformedImage,
    blob_name,
    decode_index,
    decode_manifest,
)
from lc_node.oci.platforms import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    architecture_of,
    choose_manifest,
    is_index,
)
from lc_node.oci.references import Reference
from lc_node.ports.images import BlobReference
from lc_node.ports.registry import (
    ImageUnknown,
    Progress,
    RegistryBusy,
    RegistryMistaken,
    RegistryUnreachable,
)
from lc_node.ports.stores import BlobCorrupt, BlobStore, Naming, PartialBlob

ATTEMPTS: Final = 5
"""How often something is tried that may go better later, since the last byte that came."""

SPEED_MIN: Final = 16 * 1024
"""Bytes a second, on the average, below which a blob is given up."""

BLOB_SECONDS_MIN: Final = 300.0
_PAUSE_MAX: Final = 16.0
_NESTED_MAX: Final = 3  # indexes within indexes
_ACCEPT: Final = ", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES))
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryClient:
    """Implements ``ports.registry.Registry``."""

    hosts: Hosts
    machine: str
    """What the kernel calls this architecture."""
    credentials: Path | None = None
    """A file as ``docker login`` writes it."""
    pause_seconds: float = 0.5
    """Before the second attempt; twice as long before each further one."""
    tokens: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)

    def allows(self, host: str) -> bool:
        """Tell whether images that others name may be fetched from a registry."""
        return host in self.hosts.listed

    async def resolve(self, reference: Reference, *, anonymous: bool) -> bytes:
        """Return the manifest of the image that a reference means on this machine.

        Raises:
            RegistryError: one subclass a cause.
            MalformedImage: what is there is no image, or none for this machine.
        """
        async with self._visiting(reference, "pull", anonymous=anonymous) as session:
            wanted = reference.digest or reference.tag
            for _ in range(_NESTED_MAX):
                data = await self._patiently(partial(_manifest, session, reference.name, wanted))
                if not is_index(data):
                    return data
                wanted = choose_manifest(decode_index(data), architecture_of(self.machine)).digest
        raise MalformedImage("index", f"indexes within indexes, {_NESTED_MAX} deep")

    async def fetch(
        self,
        reference: Reference,
        blob: BlobReference,
        store: BlobStore,
        *,
        anonymous: bool,
        progress: Progress,
    ) -> Path:
        """Bring a blob of an image into a store, resumed where an earlier attempt ended.

        Raises:
            RegistryError: one subclass a cause.
            BlobBusy: it is on its way in already.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        url_path = f"{reference.name}/blobs/sha256:{blob.digest.hex()}"
        async with self._visiting(reference, "pull", anonymous=anonymous) as session:
            download = _Download(session, session.base / url_path, blob, progress)
            try:
                async with asyncio.timeout(BLOB_SECONDS_MIN + blob.size / SPEED_MIN):
                    return await self._download(download, store)
            except TimeoutError:
                raise RegistryUnreachable(
                    reference.host, f"it sends less than {SPEED_MIN} bytes a second"
                ) from None

    async def push(
        self, reference: Reference, manifest: bytes, path_of: Callable[[Digest], Path]
    ) -> None:
        """Bring an image, whose blobs are in files, to a registry; what is there already is not sent.

        Raises:
            RegistryError: one subclass a cause.
        """
        document = decode_manifest(manifest)
        names = dict.fromkeys((document.config.digest, *(each.digest for each in document.layers)))
        media_type = document.media_type or MANIFEST_TYPE
        async with self._visiting(reference, "pull,push", anonymous=False) as session:
            for name in names:
                path = path_of(Digest(bytes.fromhex(name.removeprefix("sha256:"))))
                await self._patiently(partial(_push_blob, session, reference.name, name, path))
            wanted = reference.tag or blob_name(manifest)
            await self._patiently(
                lambda: _push_manifest(session, reference.name, wanted, media_type, manifest)
            )

    @asynccontextmanager
    async def _visiting(
        self, reference: Reference, actions: str, *, anonymous: bool
    ) -> AsyncIterator[RegistrySession]:
        host = reference.host
        credentials = (
            None
            if anonymous
            else await asyncio.to_thread(read_credentials, self.credentials, host)
        )
        scope = f"repository:{reference.name}:{actions}"
        visit = Visit(
            hosts=self.hosts, host=host, scope=scope, credentials=credentials, tokens=self.tokens
        )
        async with visiting(visit) as session:
            yield session

    async def _download(self, download: "_Download", store: BlobStore) -> Path:
        blob = download.blob
        taken = await asyncio.to_thread(store.partial, blob.digest, blob.size, Naming.SHA256)
        is_resumed = taken.offset > 0
        try:
            while taken.offset < blob.size:
                await self._patiently(partial(download.go_on, taken), lambda: taken.offset)
            return await asyncio.to_thread(taken.finish)
        except BlobCorrupt:
            if not is_resumed:
                raise RegistryMistaken(
                    download.host, f"it serves other bytes as sha256:{blob.digest.hex()}"
                ) from None
            # What an earlier attempt left may be to blame: once more, afresh.
            return await self._download(download, store)
        finally:
            taken.close()

    async def _patiently(
        self, attempt: Callable[[], Awaitable[T]], progress: Callable[[], int] = lambda: 0
    ) -> T:
        """Try something again that may go better later, longer and longer after; whoever gets on is not given up."""
        failures, before = 0, progress()
        while True:
            try:
                return await attempt()
            except (RegistryBusy, RegistryUnreachable) as error:
                failures = 1 if progress() > before else failures + 1
                before = progress()
                if failures >= ATTEMPTS:
                    raise
                after = error.after_seconds if isinstance(error, RegistryBusy) else 0
            pause = min(_PAUSE_MAX, self.pause_seconds * 2 ** (failures - 1))
            await asyncio.sleep(max(after, pause * random.uniform(0.5, 1)))  # noqa: S311  # not to come back all at once


@dataclass(frozen=True, slots=True)
class _Download:
    """One blob on its way in."""

    session: RegistrySession
    url: URL
    blob: BlobReference
    progress: Progress

    @property
    def host(self) -> str:
        """From where."""
        return self.session.host

    async def go_on(self, taken: PartialBlob) -> None:
        """Fetch what is missing of the blob, for as long as the registry sends (RFC 9110 section 14.2).

        Raises:
            RegistryUnreachable: it broke off; what came is kept.
            RegistryMistaken: it serves something else.
        """
        offset = taken.offset
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self.session.request("GET", self.url, headers=headers) as response:
            begins_at = 0
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                begins_at = offset
                if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                    raise RegistryMistaken(self.host, "it sends another part than was asked for")
            length = response.content_length
            if length is not None and length != self.blob.size - begins_at:
                raise RegistryMistaken(self.host, self._other_size(begins_at + length))
            # A server without ranges begins anew: what is here already is passed over.
            skip = offset - begins_at
            async for piece in response.content.iter_chunked(BUFFER_BYTES):
                fresh, skip = piece[skip:], max(0, skip - len(piece))
                if taken.offset + len(fresh) > self.blob.size:
                    raise RegistryMistaken(self.host, self._other_size(self.blob.size + 1))
                if fresh:
                    await asyncio.to_thread(taken.write, fresh)
                    self.progress(taken.offset, self.blob.size)
        if taken.offset < self.blob.size:
            raise RegistryUnreachable(self.host, "it broke off")

    def _other_size(self, size: int) -> str:
        return f"sha256:{self.blob.digest.hex()} has {size} bytes there, or more; its manifest says {self.blob.size}"


async def _manifest(session: RegistrySession, name: str, wanted: str) -> bytes:
    """Return a manifest or an index by tag or digest, checked if by digest."""
    url = session.base / f"{name}/manifests/{wanted}"
    async with session.request("GET", url, headers={"Accept": _ACCEPT}) as response:
        data = await read_at_most(response, MANIFEST_BYTES_MAX, session.host)
    if wanted.startswith("sha256:") and blob_name(data) != wanted:
        raise RegistryMistaken(session.host, f"it serves another manifest as {wanted}")
    return data


async def _push_blob(session: RegistrySession, name: str, digest: str, path: Path) -> None:
    with contextlib.suppress(ImageUnknown):
        async with session.request("HEAD", session.base / f"{name}/blobs/{digest}"):
            return
    async with session.request("POST", session.base / f"{name}/blobs/uploads/") as response:
        upload = str(session.location(response))
    target = URL(f"{upload}{'&' if '?' in upload else '?'}digest={digest}", encoded=True)
    headers = {"Content-Type": "application/octet-stream"}
    size = (await asyncio.to_thread(path.stat)).st_size
    headers["Content-Length"] = str(size)
    async with session.request("PUT", target, headers=headers, body=lambda: _pieces(path)):
        return


async def _push_manifest(
    session: RegistrySession, name: str, wanted: str, media_type: str, manifest: bytes
) -> None:
    url = session.base / f"{name}/manifests/{wanted}"
    async with session.request(
        "PUT", url, headers={"Content-Type": media_type}, body=lambda: manifest
    ):
        return


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    """Read a file in threads."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, BUFFER_BYTES):
            yield piece
