"""The owner's images, from registries: what is told while one comes, and what a break leaves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.oci_image import OciImageStore
from lc_node.adapters.registry import RegistryClient
from lc_node.adapters.registry_hosts import Hosts
from lc_node.api import calls, schema
from lc_node.api.errors import Refused, UnknownThing
from lc_node.chain.types import ByteCount
from lc_node.ports.registry import ImageUnknown
from lc_node.ports.stores import BlobQuotaExceeded
from lc_node.runtime.image_catalogue import ImageCatalogue
from lc_node.runtime.image_door import ImageDoor
from tests.adapters.registries import serving
from tests.adapters.sketches import sketch
from tests.peer_nodes import until

IMAGE = sketch(bytes(range(256)) * 4096, gzip=False)
LAYER = IMAGE.layers[0]
HALF = len(LAYER) // 2


class Slow:
    """A registry that sends half of a layer, and the rest when it is let."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        if name in {"1", IMAGE.name}:
            return web.Response(body=IMAGE.manifest)
        if name not in IMAGE.blobs:
            return web.Response(status=404)
        data = IMAGE.blobs[name]
        if data != LAYER:
            return web.Response(body=data)
        return web.Response(body=self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield LAYER[:HALF]
        await self.go_on.wait()
        yield LAYER[HALF:]


class Owner:
    """A door over stores of its own."""

    def __init__(self, folder: Path, bytes_max: int = 10**8) -> None:
        self.blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(bytes_max))
        self.catalogue = ImageCatalogue(folder / "names.json")
        self.door = ImageDoor(
            self.catalogue,
            images=OciImageStore(
                folder / "images", self.blobs, cache_bytes_max=ByteCount(bytes_max)
            ),
            blobs=self.blobs,
            live_jobs=lambda: (),
            registry=RegistryClient(hosts=Hosts.of(()), machine="x86_64", pause_seconds=0.001),
        )

    async def half_is_here(self) -> None:
        """Return when half of the layer has come."""
        await until(lambda: any(pull.here >= HALF for pull in self.door._pulls.values()))


async def test_while_an_image_comes_its_share_is_told(tmp_path: Path) -> None:
    slow, owner = Slow(), Owner(tmp_path)
    async with serving(slow.answer) as host, asyncio.TaskGroup() as group:
        call = calls.PullImage(reference=f"{host}/image:1")
        pull = group.create_task(owner.door.pull_image(call))
        await owner.half_is_here()
        (found,) = await owner.door.images()
        slow.go_on.set()
        done = await pull

    assert found.is_pulled_now
    assert found.names == (f"{host}/image:1",)
    assert found.missing_bytes >= len(LAYER) - HALF
    assert (done.is_pulled_now, done.missing_bytes, done.is_kept) == (False, 0, True)


async def test_a_pull_that_is_cut_off_is_no_image_and_goes_on_later(tmp_path: Path) -> None:
    slow, owner = Slow(), Owner(tmp_path)
    async with serving(slow.answer) as host:
        call = calls.PullImage(reference=f"{host}/image:1")
        async with asyncio.TaskGroup() as group:
            pull = group.create_task(owner.door.pull_image(call))
            await owner.half_is_here()
            pull.cancel()
        assert await owner.door.images() == ()
        assert not owner.catalogue.images
        slow.go_on.set()

        assert (await owner.door.pull_image(call)).missing_bytes == 0


async def test_an_image_that_does_not_fit_is_refused_and_leaves_no_name(tmp_path: Path) -> None:
    slow, owner = Slow(), Owner(tmp_path, bytes_max=HALF)
    slow.go_on.set()
    async with serving(slow.answer) as host:
        with pytest.raises(BlobQuotaExceeded):
            await owner.door.pull_image(calls.PullImage(reference=f"{host}/image:1"))

    assert not owner.catalogue.images
    assert not owner.blobs._pins


async def test_an_image_that_is_not_to_be_kept_may_go(tmp_path: Path) -> None:
    slow, owner = Slow(), Owner(tmp_path)
    slow.go_on.set()
    async with serving(slow.answer) as host:
        found = await owner.door.pull_image(
            calls.PullImage(reference=f"{host}/image:1", keep=False)
        )

    assert (found.missing_bytes, found.is_kept) == (0, False)
    assert not owner.blobs._pins


async def test_what_names_no_image_is_refused_by_name(tmp_path: Path) -> None:
    owner, nothing = Owner(tmp_path), schema.Digest("0" * 64)
    async with serving(Slow().answer) as host:
        with pytest.raises(Refused, match="did you mean"):
            await owner.door.pull_image(calls.PullImage(reference="https://GHCR.io/A"))
        with pytest.raises(ImageUnknown):
            await owner.door.pull_image(calls.PullImage(reference=f"{host}/image:2"))
        with pytest.raises(UnknownThing):
            await owner.door.push_image(calls.PushImage(image=nothing, reference=f"{host}/a"))
