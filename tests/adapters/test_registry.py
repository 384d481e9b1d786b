"""Images come from real registries and go there, over good lines and bad ones, with passwords and with tokens."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.registry import RegistryClient
from lc_node.adapters.registry_hosts import Hosts
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import blob_name, decode_manifest
from lc_node.oci.references import Reference, parse_reference
from lc_node.ports.images import BlobReference
from lc_node.ports.registry import (
    ImageUnknown,
    RegistryDenied,
    RegistryUnreachable,
)
from tests.adapters.registries import (
    PASSWORD,
    BadLine,
    Doorman,
    login,
    needs_registry,
    passwords,
    running,
    serving,
)
from tests.adapters.sketches import Sketch, index_of, sketch, write_layout
from tests.adapters.skopeo import copy, inspect, needs_skopeo

pytestmark = [needs_registry, needs_skopeo]
IMAGE = sketch(b"one", b"two" * 1000, b"three")
LARGE = os.urandom(3 * 1024 * 1024)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@dataclass
class Puller:
    """A client with a store of its own."""

    folder: Path
    credentials: Path | None = None
    listed: tuple[str, ...] = ()
    told: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = DirectoryBlobStore(self.folder / "blobs", bytes_max=ByteCount(10**8))
        self.client = RegistryClient(
            hosts=Hosts.of(self.listed),
            machine="x86_64",
            credentials=self.credentials,
            pause_seconds=0.001,
        )

    async def pull(self, reference: str, *, anonymous: bool = False) -> bytes:
        """Bring a whole image here; return its manifest."""
        named = parse_reference(reference)
        manifest = await self.client.resolve(named, anonymous=anonymous)
        document = decode_manifest(manifest)
        for layer in document.layers:
            await self.fetch(named, layer.digest, layer.size, anonymous=anonymous)
        config = document.config
        await self.fetch(named, config.digest, config.size, anonymous=anonymous)
        self.store.put_bytes(manifest)
        return manifest

    async def fetch(
        self, named: Reference, name: str, size: int, *, anonymous: bool = False
    ) -> Path:
        digest = Digest(bytes.fromhex(name.removeprefix("sha256:")))
        blob = BlobReference(digest=digest, size=ByteCount(size))
        return await self.client.fetch(
            named,
            blob,
            self.store,
            anonymous=anonymous,
            progress=lambda here, _all: self.told.append(here),
        )

    def has(self, image: Sketch) -> bool:
        return all(
            (path := self.store.path_of(Digest(bytes.fromhex(name.removeprefix("sha256:")))))
            and path.read_bytes() == data
            for name, data in image.blobs.items()
        )

    async def push(self, image: Sketch, reference: str) -> None:
        for data in image.blobs.values():
            self.store.put_bytes(data)
        await self.client.push(parse_reference(reference), image.manifest, self.path_of)

    def path_of(self, digest: Digest) -> Path:
        path = self.store.path_of(digest)
        assert path is not None
        return path


def upload(folder: Path, image: Sketch, reference: str, *options: str) -> None:
    """Bring an image to a registry by skopeo."""
    layout = write_layout(folder / "layout", image)
    copy(f"oci:{layout}:image-0", f"docker://{reference}", "--dest-tls-verify=false", *options)


@pytest.mark.parametrize("form", ["oci", "v2s2"])
async def test_what_skopeo_pushes_we_pull(registry: str, tmp_path: Path, form: str) -> None:
    reference = f"{registry}/pulled/{form}:1"
    upload(tmp_path, IMAGE, reference, "--format", form)
    puller = Puller(tmp_path)

    manifest = await puller.pull(reference)

    seen = inspect(f"docker://{reference}", "--tls-verify=false")
    assert blob_name(manifest) == seen["Digest"]
    assert [layer.digest for layer in decode_manifest(manifest).layers] == seen["Layers"]
    assert puller.told


async def test_what_we_push_skopeo_reads_and_copies(registry: str, tmp_path: Path) -> None:
    reference = f"{registry}/pushed/here:1"
    await Puller(tmp_path).push(IMAGE, reference)

    seen = inspect(f"docker://{reference}", "--tls-verify=false")
    copy(f"docker://{reference}", f"dir:{tmp_path / 'copied'}", "--src-tls-verify=false")

    assert seen["Digest"] == IMAGE.name
    assert (tmp_path / "copied/manifest.json").read_bytes() == IMAGE.manifest
    for name, data in IMAGE.blobs.items():
        assert (tmp_path / "copied" / name.removeprefix("sha256:")).read_bytes() == data


async def test_what_we_push_twice_is_sent_once(registry: str, tmp_path: Path) -> None:
    puller = Puller(tmp_path)
    await puller.push(IMAGE, f"{registry}/twice:1")
    line = BadLine(registry, [])
    async with line.running() as host:
        await puller.push(IMAGE, f"{host}/twice:2")

    assert not [head for head in line.heads if head.startswith(b"POST")]


async def test_an_image_is_pulled_by_its_digest(registry: str, tmp_path: Path) -> None:
    await Puller(tmp_path / "a").push(IMAGE, f"{registry}/by-digest:1")
    puller = Puller(tmp_path / "b")

    assert await puller.pull(f"{registry}/by-digest@{IMAGE.name}") == IMAGE.manifest
    assert puller.has(IMAGE)


async def test_of_an_index_this_machines_image_is_pulled(registry: str, tmp_path: Path) -> None:
    other = sketch(b"other", architecture="arm64")
    index = index_of(arm64=other, amd64=IMAGE)
    layout = write_layout(tmp_path / "layout", other, IMAGE)
    (layout / "blobs/sha256" / hashlib.sha256(index).hexdigest()).write_bytes(index)
    (layout / "index.json").write_text(
        '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",'
        f'"digest":"{blob_name(index)}","size":{len(index)},'
        '"annotations":{"org.opencontainers.image.ref.name":"all"}}]}'
    )
    reference = f"{registry}/several:1"
    copy(f"oci:{layout}:all", f"docker://{reference}", "--dest-tls-verify=false", "--all")

    assert await Puller(tmp_path).pull(reference) == IMAGE.manifest
    assert await Puller(tmp_path).pull(f"{registry}/several@{blob_name(index)}") == IMAGE.manifest


async def test_a_download_that_breaks_off_goes_on_where_it_was(
    registry: str, tmp_path: Path
) -> None:
    image = sketch(LARGE, gzip=False)
    await Puller(tmp_path / "a").push(image, f"{registry}/large:1")
    size = len(image.layers[0])
    # Manifest, then the layer: cut after one MiB, and after one more.
    line = BadLine(registry, [1 << 20, 1 << 20])
    puller = Puller(tmp_path / "b")
    async with line.running() as host:
        named = parse_reference(f"{host}/large:1")
        await puller.fetch(named, next(iter(image.blobs)), size)

    assert puller.path_of(Digest(hashlib.sha256(image.layers[0]).digest())).stat().st_size == size
    assert len(line.carried) == 3
    # Headers and what was on its way when the line was cut come twice, no more.
    assert sum(line.carried) < size + 3 * (1 << 18)
    assert b"Range: bytes=" in line.heads[2]


async def test_a_later_attempt_goes_on_too(registry: str, tmp_path: Path) -> None:
    image = sketch(LARGE, gzip=False)
    await Puller(tmp_path / "a").push(image, f"{registry}/large:2")
    size = len(image.layers[0])
    line = BadLine(registry, [1 << 20, *[0] * 10])
    puller = Puller(tmp_path / "b")
    async with line.running() as host:
        named = parse_reference(f"{host}/large:2")
        with pytest.raises(RegistryUnreachable):
            await puller.fetch(named, next(iter(image.blobs)), size)
        line.cuts.clear()
        first = len(line.carried)
        await puller.fetch(named, next(iter(image.blobs)), size)

    assert sum(line.carried[first:]) < size - (1 << 19)


async def test_a_registry_that_knows_us_is_pulled_from_and_pushed_to(tmp_path: Path) -> None:
    with running(tmp_path / "registry", passwords(tmp_path)) as host:
        puller = Puller(tmp_path / "a", login(tmp_path / "config.json", host))
        await puller.push(IMAGE, f"{host}/mine:1")
        other = Puller(tmp_path / "b", login(tmp_path / "config.json", host))

        assert await other.pull(f"{host}/mine:1") == IMAGE.manifest
        assert other.has(IMAGE)


@pytest.mark.parametrize("as_whom", ["nobody", "anonymous", "another"])
async def test_a_registry_that_does_not_know_us_says_so(tmp_path: Path, as_whom: str) -> None:
    with running(tmp_path / "registry", passwords(tmp_path)) as host:
        password = "wrong" if as_whom == "another" else PASSWORD  # so it is
        file = login(tmp_path / "config.json", host, password=password)
        puller = Puller(tmp_path, None if as_whom == "nobody" else file)
        why = "refuses the credentials of ali" if as_whom == "another" else "docker login"

        with pytest.raises(RegistryDenied, match=why) as raised:
            await puller.pull(f"{host}/mine:1", anonymous=as_whom == "anonymous")
        assert password not in str(raised.value)


async def test_tokens_are_fetched_where_the_registry_says(tmp_path: Path) -> None:
    doorman = Doorman()
    async with serving(doorman.answer) as door:
        auth = doorman.settings(tmp_path, f"http://{door}/token")
        with running(tmp_path / "registry", auth) as host:
            listed = (f"http://{door}",)
            file = login(tmp_path / "config.json", host)
            await Puller(tmp_path / "a", file, listed).push(IMAGE, f"{host}/mine:1")
            puller = Puller(tmp_path / "b", file, listed)
            await puller.pull(f"{host}/mine:1", anonymous=True)

    assert puller.has(IMAGE)
    scopes = [scope for scope, _ in doorman.asked]
    assert set(scopes) == {"repository:mine:pull", "repository:mine:pull,push"}
    assert not [who for scope, who in doorman.asked if scope.endswith(":pull") and who]
    # One token serves a whole image.
    assert len(scopes) == 2


async def test_an_image_that_is_not_there_is_named(registry: str, tmp_path: Path) -> None:
    with pytest.raises(ImageUnknown, match="no such image"):
        await Puller(tmp_path).pull(f"{registry}/nothing:1")
