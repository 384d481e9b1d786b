"""A job's image comes from whoever has it: this disk, the graph, or a registry that the owner allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.registry import RegistryClient
from lc_node.adapters.registry_hosts import Hosts
from lc_node.chain.transactions import ImageReference
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.images import BlobReference, ImageRefused
from lc_node.runtime.blob_exchange import BlobUnavailable
from lc_node.runtime.image_fetcher import ImageFetcher, ImageUnavailable
from tests.adapters.registries import BadLine, needs_registry, running
from tests.adapters.sketches import Sketch, index_of, sketch, write_layout
from tests.adapters.skopeo import copy, needs_skopeo
from tests.fakes import Graph
from tests.runtime.bench import HandClock

pytestmark = [needs_registry, needs_skopeo]
IMAGE = sketch(b"one", b"two")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    with running(folder) as host:
        layout = write_layout(folder / "layout", IMAGE)
        copy(f"oci:{layout}:image-0", f"docker://{host}/line:1", "--dest-tls-verify=false")
        yield host


@dataclass
class Node:
    """One node's sources, over stores of its own."""

    folder: Path
    listed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.store = DirectoryBlobStore(self.folder / "blobs", bytes_max=ByteCount(10**7))
        self.graph = Graph(self.store, self.folder)
        client = RegistryClient(hosts=Hosts.of(self.listed), machine="x86_64", pause_seconds=0.001)
        self.clock = HandClock()
        self.sources = ImageFetcher(self.store, self.graph, client, self.clock, anonymous=True)
        self.told: list[tuple[int, int]] = []

    async def bring(self, image: ImageReference, sketched: Sketch = IMAGE) -> None:
        await self.sources.manifest(image)
        for name, data in sketched.blobs.items():
            digest = Digest(bytes.fromhex(name.removeprefix("sha256:")))
            path = await self.sources.fetch(
                image,
                BlobReference(digest=digest, size=ByteCount(len(data))),
                lambda here, whole: self.told.append((here, whole)),
            )
            assert path.read_bytes() == data


def named(
    *references: str, on_graph: bool = False, manifest: bytes = IMAGE.digest
) -> ImageReference:
    return ImageReference(
        manifest=Digest(manifest),
        total_bytes=ByteCount(10**6),
        references=references,
        on_graph=on_graph,
    )


async def test_what_is_in_a_registry_only_is_pulled_from_it(registry: str, tmp_path: Path) -> None:
    node = Node(tmp_path, (f"http://{registry}",))

    await node.bring(named(f"{registry}/line:1"))

    assert node.told
    assert node.graph.asked == []


async def test_a_tag_that_moved_changes_nothing(registry: str, tmp_path: Path) -> None:
    node = Node(tmp_path, (f"http://{registry}",))

    await node.bring(named(f"{registry}/line:gone"))


async def test_what_the_graph_has_too_is_asked_for_there_first(
    registry: str, tmp_path: Path
) -> None:
    node = Node(tmp_path, (f"http://{registry}",))
    node.graph.offer(IMAGE.manifest)

    await node.bring(named(f"{registry}/line:1", on_graph=True))

    # The manifest was there; what was not came from the registry.
    assert len(node.graph.asked) == 4


async def test_where_the_first_registry_fails_the_next_is_asked(
    registry: str, tmp_path: Path
) -> None:
    node = Node(tmp_path, (f"http://{registry}",))

    await node.bring(named(f"{registry}/nothing:1", f"{registry}/line:1"))


@pytest.mark.parametrize(
    ("references", "listed", "on_graph", "expected"),
    [
        (("ghcr.io/a:1",), ("ghcr.io",), False, True),
        (("quay.io/a:1", "ghcr.io/a:1"), ("ghcr.io",), False, True),
        (("ghcr.io/a:1",), (), False, False),
        (("10.0.0.1:80/a:1",), ("ghcr.io",), False, False),
        (("localhost/a:1",), ("ghcr.io",), False, False),
        (("../etc",), ("ghcr.io",), False, False),
        ((), (), True, True),
    ],
)
def test_only_listed_registries_are_in_reach(
    references: tuple[str, ...],
    listed: tuple[str, ...],
    on_graph: bool,  # noqa: FBT001
    expected: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    image = named(*references, on_graph=on_graph)

    assert Node(tmp_path, listed).sources.in_reach(image) is expected


async def test_an_unlisted_registry_is_never_asked_but_peers_are(
    registry: str, tmp_path: Path
) -> None:
    node = Node(tmp_path)
    with pytest.raises(BlobUnavailable):
        await node.sources.manifest(named(f"{registry}/line:1"))
    for data in (IMAGE.manifest, *IMAGE.blobs.values()):
        node.graph.offer(data)

    await node.bring(named(f"{registry}/line:1"))


async def test_all_that_was_tried_is_told(registry: str, tmp_path: Path) -> None:
    node = Node(tmp_path, (f"http://{registry}",))

    with pytest.raises(ImageUnavailable, match=r"no such image, .*; nobody has it"):
        await node.sources.manifest(named(f"{registry}/nothing:1"))


async def test_a_registry_that_failed_is_asked_again_later_and_later(
    registry: str, tmp_path: Path
) -> None:
    line = BadLine(registry, [])
    async with line.running() as host:
        node = Node(tmp_path, (f"http://{host}",))
        asked = []
        for _ in range(4):
            for _ in range(3):
                with pytest.raises(ImageUnavailable):
                    await node.sources.manifest(named(f"{host}/nothing:1"))
            asked.append(len(line.heads))
            node.clock.time += 11_000

    # Three looks each at 0, 11, 22 and 33 s; the rests were of 5, 10 and 20 s.
    assert asked == [1, 2, 3, 3]


async def test_a_registry_that_rests_says_so_and_hinders_no_other(
    registry: str, tmp_path: Path
) -> None:
    node = Node(tmp_path, (f"http://{registry}",))
    lost = named(f"{registry}/nothing:1")
    with pytest.raises(ImageUnavailable):
        await node.sources.manifest(lost)

    with pytest.raises(ImageUnavailable, match="is asked again in 5 s; nobody has it"):
        await node.sources.manifest(lost)
    await node.bring(named(f"{registry}/nothing:1", f"{registry}/line:1"))


async def test_the_digest_of_several_images_is_refused(registry: str, tmp_path: Path) -> None:
    index = index_of(amd64=IMAGE)
    async with aiohttp.ClientSession() as http:
        kind = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
        url = f"http://{registry}/v2/line/manifests/all"
        async with http.put(url, data=index, headers=kind) as response:
            assert response.status == 201
            digest = response.headers["Docker-Content-Digest"].removeprefix("sha256:")
    node = Node(tmp_path / "node", (f"http://{registry}",))

    with pytest.raises(ImageRefused, match="names several images"):
        await node.sources.manifest(named(f"{registry}/line:all", manifest=bytes.fromhex(digest)))
