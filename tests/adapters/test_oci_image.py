"""The image store: from blobs to root file systems that run."""

import hashlib
import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.oci_image import OciImageStore, UnpackLimits
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import (
    CONFIG_TYPE,
    GZIP_LAYER_TYPE,
    LAYER_TYPE,
    ConfigDescriptor,
    ImageConfig,
    LayerDescriptor,
    Manifest,
    RootFs,
    RunConfig,
    encode,
)
from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import RunRequest
from tests.adapters.archives import END, gzip, member, sha256_name
from tests.adapters.jobs import LIMITS, all_lines
from tests.adapters.rootfs import ENVIRONMENT, PYTHON

GIB = 1 << 30
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Shelf:
    """A blob store, an image store above it, and where the second keeps its images."""

    blobs: DirectoryBlobStore
    folder: Path

    def store(
        self, cache_bytes_max: int = GIB, limits: UnpackLimits | None = None
    ) -> OciImageStore:
        return OciImageStore(
            self.folder, self.blobs, cache_bytes_max=ByteCount(cache_bytes_max), limits=limits
        )

    def put(
        self, *layers: bytes, compress: bool = False, diff_ids: Sequence[str] = (), **changes: str
    ) -> Digest:
        """Store an image of these layers and return its manifest's digest."""
        config = encode(
            ImageConfig(
                architecture=changes.get("architecture", "amd64"),
                os="linux",
                rootfs=RootFs(
                    type="layers",
                    diff_ids=tuple(diff_ids) or tuple(sha256_name(tar) for tar in layers),
                ),
                config=RunConfig(
                    entrypoint=("/bin/job",),
                    cmd=("fast",),
                    env=("A=1", "PATH=/bin", "A=2"),
                    working_dir=changes.get("working_dir", ""),
                ),
            )
        )
        self.blobs.put_bytes(config)
        described = []
        for tar in layers:
            data = gzip(tar) if compress else tar
            self.blobs.put_bytes(data)
            described.append(
                LayerDescriptor(
                    media_type=GZIP_LAYER_TYPE if compress else LAYER_TYPE,
                    digest=sha256_name(data),
                    size=len(data),
                )
            )
        return self.blobs.put_bytes(
            encode(
                Manifest(
                    schema_version=2,
                    config=ConfigDescriptor(
                        media_type=CONFIG_TYPE, digest=sha256_name(config), size=len(config)
                    ),
                    layers=tuple(described),
                )
            )
        )

    def unpacked(self) -> set[str]:
        return {place.name for place in self.folder.iterdir()}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    blobs = DirectoryBlobStore(tmp_path / "blobs", bytes_max=ByteCount(GIB))
    return Shelf(blobs, tmp_path / "images")


@pytest.mark.parametrize("compress", [False, True])
async def test_an_image_is_unpacked_with_what_it_says_of_its_start(
    shelf: Shelf,
    compress: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    manifest = shelf.put(member("a", b"1") + END, member("b", b"2") + END, compress=compress)

    image = await shelf.store().prepare(manifest)

    assert image.argv == ("/bin/job", "fast")
    assert image.working_folder == "/"
    assert image.environment == {"A": "2", "PATH": "/bin"}
    assert (image.rootfs / "a").read_text() + (image.rootfs / "b").read_text() == "12"


def test_the_blobs_of_an_image_are_its_configuration_and_layers(shelf: Shelf) -> None:
    tar = member("a") + END

    blobs = shelf.store().blobs_of(shelf.put(tar))

    assert len(blobs) == 2
    assert blobs[1].digest == hashlib.sha256(tar).digest()
    assert blobs[1].size == len(tar)


async def test_images_share_all_layers_but_the_last(shelf: Shelf) -> None:
    below = member("library", b"large") + END
    store = shelf.store()
    one = await store.prepare(shelf.put(below, member("cell", b"1") + END))
    two = await store.prepare(shelf.put(below, member("cell", b"2") + END))

    assert (one.rootfs / "library").samefile(two.rootfs / "library")
    assert (one.rootfs / "cell").read_text() + (two.rootfs / "cell").read_text() == "12"


async def test_a_last_layer_changes_nothing_of_what_is_shared(shelf: Shelf) -> None:
    below = member("d/library", b"large") + END
    store = shelf.store()
    await store.prepare(shelf.put(below, member("d/library", b"evil") + END))
    await store.prepare(shelf.put(below, member("d/.wh.library") + END))
    honest = await store.prepare(shelf.put(below, member("cell", b"") + END))

    assert (honest.rootfs / "d" / "library").read_text() == "large"


async def test_an_image_is_unpacked_once(shelf: Shelf) -> None:
    manifest = shelf.put(member("a") + END)
    first = await shelf.store().prepare(manifest)
    inode = (first.rootfs / "a").stat().st_ino

    second = await shelf.store().prepare(manifest)

    assert (second.rootfs / "a").stat().st_ino == inode


async def test_an_image_of_an_earlier_boot_is_unpacked_anew(shelf: Shelf) -> None:
    manifest = shelf.put(member("a", b"whole") + END)
    image = await shelf.store().prepare(manifest)
    (image.rootfs / "a").write_text("")
    record = shelf.folder / manifest.hex() / "image.json"
    record.write_text(record.read_text().replace(BOOT_ID, "another"))

    again = await shelf.store().prepare(manifest)

    assert (again.rootfs / "a").read_text() == "whole"


async def test_the_image_used_longest_ago_makes_room(shelf: Shelf) -> None:
    names = [shelf.put(member(f"f{number}", bytes(100_000)) + END) for number in range(3)]
    store = shelf.store(cache_bytes_max=300_000)
    for age, name in enumerate(names[:2]):
        await store.prepare(name)
        os.utime(shelf.folder / name.hex() / "image.json", (age, age))

    await store.prepare(names[2])

    assert shelf.unpacked() == {name.hex() for name in names[1:]}


async def test_an_image_that_is_held_is_not_removed(shelf: Shelf) -> None:
    names = [shelf.put(member(f"f{number}", bytes(100_000)) + END) for number in range(3)]
    store = shelf.store(cache_bytes_max=300_000)
    held = await store.prepare(names[0])
    await store.prepare(names[1])

    await store.prepare(names[2])

    assert held.rootfs.is_dir()
    assert shelf.unpacked() == {names[0].hex(), names[2].hex()}


async def test_what_images_share_goes_after_them(shelf: Shelf) -> None:
    below = member("library", bytes(200_000)) + END
    store = shelf.store(cache_bytes_max=450_000)
    sharing = [shelf.put(below, member(f"f{number}") + END) for number in range(2)]
    held = await store.prepare(sharing[0])
    await store.prepare(sharing[1])
    (shared,) = shelf.unpacked() - {name.hex() for name in sharing}
    os.utime(shelf.folder / shared / "image.json", (1, 1))
    other = shelf.put(member("other", bytes(240_000)) + END)

    await store.prepare(other)

    # The oldest is what the held one shares: removing it would free nothing.
    assert (held.rootfs / "library").is_file()
    assert shelf.unpacked() == {sharing[0].hex(), shared, other.hex()}


async def test_what_nobody_shares_any_more_goes_too(shelf: Shelf) -> None:
    below = member("library", bytes(200_000)) + END
    store = shelf.store(cache_bytes_max=300_000)
    await store.prepare(shelf.put(below, member("f") + END))
    other = shelf.put(member("other", bytes(240_000)) + END)

    await store.prepare(other)

    assert shelf.unpacked() == {other.hex()}


async def test_room_is_made_before_an_image_is_unpacked(shelf: Shelf) -> None:
    old = shelf.put(member("old", bytes(200_000)) + END)
    store = shelf.store(cache_bytes_max=300_000)
    await store.prepare(old)
    hostile = shelf.put(member("new", bytes(240_000)) + member("../x") + END)

    with pytest.raises(ImageRefused):
        await store.prepare(hostile)

    assert shelf.unpacked() == set()


async def test_a_removed_image_is_unpacked_again_when_it_is_needed(shelf: Shelf) -> None:
    manifest = shelf.put(member("a") + END)
    store = shelf.store()
    held = await store.prepare(manifest)
    await store.forget(manifest)
    assert held.rootfs.is_dir()
    del held
    await store.forget(manifest)
    await store.forget(manifest)
    assert shelf.unpacked() == set()

    assert (await store.prepare(manifest)).rootfs.is_dir()


async def test_a_refused_image_leaves_nothing_behind(shelf: Shelf) -> None:
    manifest = shelf.put(member("a", bytes(9000)) + member("../x") + END)

    with pytest.raises(ImageRefused, match="layer 1 has a path that leads upwards"):
        await shelf.store().prepare(manifest)

    assert shelf.unpacked() == set()


def test_what_a_crash_left_half_unpacked_is_removed(shelf: Shelf) -> None:
    (shelf.folder / "new-0123" / "rootfs" / "a").mkdir(parents=True)

    shelf.store()

    assert shelf.unpacked() == set()


async def test_a_layer_that_the_configuration_does_not_name_is_refused(shelf: Shelf) -> None:
    manifest = shelf.put(member("a") + END, diff_ids=[sha256_name(b"another")])

    with pytest.raises(ImageRefused, match="the digest"):
        await shelf.store().prepare(manifest)


async def test_a_configuration_with_another_number_of_layers_is_refused(shelf: Shelf) -> None:
    manifest = shelf.put(member("a") + END, diff_ids=[sha256_name(b"1"), sha256_name(b"2")])

    with pytest.raises(ImageRefused, match="2 diff_ids for 1 layers"):
        await shelf.store().prepare(manifest)


async def test_an_image_for_another_machine_is_refused(shelf: Shelf) -> None:
    manifest = shelf.put(member("a") + END, architecture="s390x")

    with pytest.raises(ImageRefused, match="s390x"):
        await shelf.store().prepare(manifest)


async def test_an_image_without_its_layers_is_refused(shelf: Shelf) -> None:
    manifest = shelf.put(member("a") + END)
    layer = shelf.store().blobs_of(manifest)[1]
    path = shelf.blobs.path_of(layer.digest)
    assert path is not None
    path.unlink()

    with pytest.raises(ImageRefused, match="fetch it first"):
        await shelf.store().prepare(manifest)


def test_a_manifest_that_is_none_is_refused(shelf: Shelf) -> None:
    name = shelf.blobs.put_bytes(b'{"schemaVersion": 1}')

    with pytest.raises(ImageRefused):
        shelf.store().blobs_of(name)


def test_a_layer_larger_than_allowed_is_refused_before_it_is_fetched(shelf: Shelf) -> None:
    manifest = shelf.put(member("a", bytes(9000)) + END)

    with pytest.raises(ImageRefused, match="a layer of"):
        shelf.store(limits=UnpackLimits(blob_bytes=5000)).blobs_of(manifest)


async def test_an_image_says_where_it_is_to_start(shelf: Shelf) -> None:
    manifest = shelf.put(member("a", b"1") + END, working_dir="/app")
    await shelf.store().prepare(manifest)

    image = await shelf.store().prepare(manifest)  # from the record beside the tree

    assert image.working_folder == "/app"


async def test_an_unpacker_that_wants_too_much_memory_is_refused_it(shelf: Shelf) -> None:
    manifest = shelf.put(member("a", bytes(4 << 20)))
    limits = UnpackLimits(memory_bytes=8 << 20)

    with pytest.raises(ImageRefused, match=r"(?i)memory"):
        await shelf.store(limits=limits).prepare(manifest)


async def test_an_image_runs(shelf: Shelf, rootfs: Path, owner: str) -> None:
    manifest = shelf.put(_tar_of(rootfs))
    image = await shelf.store().prepare(manifest)
    request = RunRequest(
        rootfs=image.rootfs,
        argv=(PYTHON, "-I", "-S", "-c", "import os; print(os.getcwd())"),
        environment=ENVIRONMENT,
        inputs={},
        limits=LIMITS,
    )

    async with BubblewrapSandbox(owner).open(request) as run:
        assert await all_lines(run) == [b"/"]


def _tar_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()
