"""Images in files of other programs: what is in them is found, and what is wrong with them is named."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lc_node.adapters.oci_archive import open_archive, read_images
from lc_node.adapters.oci_archive_writer import write_archive
from lc_node.oci.manifest import blob_name
from lc_node.ports.images import ImageRefused
from tests.adapters.archives import END, gzip, member, symlink
from tests.adapters.sketches import Sketch, index_of, sketch, tar_of, write_layout
from tests.adapters.skopeo import copy, inspect, needs_skopeo

MACHINE = "x86_64"


def blobs_of(path: Path) -> list[dict[str, bytes]]:
    """Return each image's blobs as they are read."""
    found = []
    with open_archive(path) as members:
        for image in read_images(members, MACHINE):
            names = [layer.digest for layer in image.document.layers]
            names.append(image.document.config.digest)
            blobs = {image.digest: image.manifest}
            for name in names:
                with image.open(name) as source:
                    blobs[name] = source.read()
            found.append(blobs)
    return found


def whole(image: Sketch) -> dict[str, bytes]:
    return {image.name: image.manifest, **image.blobs}


def saved(folder: Path, image: Sketch, name: str = "") -> Path:
    """Write an image as we do."""
    path = folder / "saved.tar"
    with path.open("xb") as target:
        write_archive(
            image.manifest, lambda blob: io.BytesIO(image.blobs[blob]), target, name=name
        )
    return path


def test_all_images_of_a_layout_are_found(tmp_path: Path) -> None:
    one, two = sketch(b"one"), sketch(b"two", b"three")

    assert blobs_of(write_layout(tmp_path / "layout", one, two)) == [whole(one), whole(two)]


def test_of_several_platforms_this_machines_is_taken(tmp_path: Path) -> None:
    ours, other = sketch(b"ours"), sketch(b"other", architecture="arm64")
    index = index_of(arm64=other, amd64=ours)
    folder = write_layout(tmp_path / "layout", ours, other)
    (folder / "blobs/sha256" / blob_name(index).removeprefix("sha256:")).write_bytes(index)
    top = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": blob_name(index),
                "size": len(index),
            }
        ],
    }
    (folder / "index.json").write_text(json.dumps(top))

    assert blobs_of(folder) == [whole(ours)]


def test_what_we_save_is_read_again_and_named(tmp_path: Path) -> None:
    image = sketch(b"one", b"two")
    path = saved(tmp_path, image, "here/image:1")

    with open_archive(path) as members:
        (found,) = read_images(members, MACHINE)
        assert found.calls_itself == ("here/image:1",)
    assert blobs_of(path) == [whole(image)]


def test_the_same_image_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (saved(tmp_path / name, sketch(b"one"), "x").read_bytes() for name in "ab")

    assert one == two


@needs_skopeo
@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_skopeo_reads_what_we_save(tmp_path: Path, transport: str) -> None:
    image = sketch(b"one", b"two", gzip=False)
    name = "here/image:1" if transport == "oci-archive" else "docker.io/here/image:1"
    path = saved(tmp_path, image, name)

    found = inspect(f"{transport}:{path}")

    assert found["Layers"] == list(image.blobs)[:-1]
    copy(f"{transport}:{path}", f"dir:{tmp_path / 'copied'}")


@needs_skopeo
def test_we_read_what_skopeo_writes_for_docker(tmp_path: Path) -> None:
    image = sketch(b"one", b"two", b"one", gzip=True)
    layout = write_layout(tmp_path / "layout", image)
    copy(f"oci:{layout}:image-0", f"docker-archive:{tmp_path / 'docker.tar'}:here/image:1")

    with open_archive(tmp_path / "docker.tar") as members:
        (found,) = read_images(members, MACHINE)
        diff_ids = json.loads(image.blobs[list(image.blobs)[-1]])["rootfs"]["diff_ids"]
        assert [layer.digest for layer in found.document.layers] == diff_ids
        assert found.calls_itself == ("docker.io/here/image:1",)
    (blobs,) = blobs_of(tmp_path / "docker.tar")
    assert [blob_name(data) for data in blobs.values()] == list(blobs)


@needs_skopeo
def test_we_read_what_skopeo_writes_as_an_oci_archive(tmp_path: Path) -> None:
    image = sketch(b"one", b"two")
    layout = write_layout(tmp_path / "layout", image)
    copy(f"oci:{layout}:image-0", f"oci-archive:{tmp_path / 'oci.tar'}:image:1")

    assert blobs_of(tmp_path / "oci.tar") == [whole(image)]


def docker_archive(image: Sketch, **changes: object) -> dict[str, bytes]:
    """Return the members of an archive as ``docker save`` writes them."""
    *layers, config = image.blobs.values()
    listed = {
        "Config": "config.json",
        "RepoTags": ["here:1"],
        "Layers": [f"{number}/layer.tar" for number in range(len(layers))],
        **changes,
    }
    return {
        "config.json": config,
        **{f"{number}/layer.tar": layer for number, layer in enumerate(layers)},
        "manifest.json": json.dumps([listed]).encode(),
    }


def test_a_layer_that_occurs_twice_may_be_a_link(tmp_path: Path) -> None:
    image = sketch(b"one", gzip=False)
    layer, config = image.blobs.values()
    twice = json.loads(config)
    twice["rootfs"]["diff_ids"] *= 2
    listed = [{"Config": "c", "Layers": ["a/layer.tar", "b/layer.tar"]}]
    data = (
        member("c", json.dumps(twice).encode())
        + member("a/layer.tar", layer)
        + symlink("b/layer.tar", "../a/layer.tar")
        + member("manifest.json", json.dumps(listed).encode())
        + END
    )
    (tmp_path / "docker.tar").write_bytes(data)

    with open_archive(tmp_path / "docker.tar") as members:
        (found,) = read_images(members, MACHINE)
        assert [each.digest for each in found.document.layers] == [blob_name(layer)] * 2


def other_layer(image: Sketch) -> bytes:
    return tar_of({**docker_archive(image), "0/layer.tar": b"other"})


def no_layer(image: Sketch) -> bytes:
    members = docker_archive(image)
    del members["0/layer.tar"]
    return tar_of(members)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _image: b"", "neither an index.json nor a manifest.json"),
        (lambda _image: b"no tar" * 100, "is not an image archive"),
        (lambda image: gzip(tar_of(docker_archive(image))), "`gunzip` it first"),
        (other_layer, "as its configuration says"),
        (no_layer, "0/layer.tar is missing"),
        (lambda image: tar_of(docker_archive(image, Layers=[])), "malformed image manifest.json"),
        (
            lambda image: tar_of(docker_archive(image, Layers=["config.json", "0/layer.tar"])),
            "1 diff_ids for 2 layers",
        ),
        (lambda image: tar_of(docker_archive(image))[:1500], "ends within"),
        (lambda _image: member("index.json", b"{", size=3000) + END, "ends within"),
        (lambda _image: tar_of({"index.json": b"{}"}), "malformed image index"),
        (lambda _image: tar_of({"index.json": b" " * (2 << 20)}), "more than 1048576 bytes"),
        (
            lambda _image: b"".join(member(str(number)) for number in range(10_001)),
            "more than 10000 members",
        ),
    ],
)
def test_a_file_that_is_no_image_is_refused(
    make: Callable[[Sketch], bytes], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.tar"
    path.write_bytes(make(sketch(b"one", gzip=False)))

    with pytest.raises(ImageRefused, match=why), open_archive(path) as members:
        read_images(members, MACHINE)


@pytest.mark.parametrize("way", ["link", "fifo", "upwards", "absolute"])
def test_nothing_outside_of_a_folder_is_read(way: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.tar"
    secret.write_bytes(gzip(tar_of({"key": b"secret"})))
    image = sketch(b"one", gzip=True)
    folder = tmp_path / "folder"
    (folder / "0").mkdir(parents=True)
    layer = {"upwards": "../secret.tar", "absolute": str(secret)}.get(way, "0/layer.tar")
    for name, data in docker_archive(image, Layers=[layer]).items():
        (folder / name).write_bytes(data)
    (folder / "0/layer.tar").unlink()
    if way == "link":
        (folder / "0/layer.tar").symlink_to(secret)
    if way == "fifo":
        os.mkfifo(folder / "0/layer.tar")

    with (
        pytest.raises(ImageRefused, match=r"outside of the folder|no regular file"),
        open_archive(folder) as members,
    ):
        read_images(members, MACHINE)


def test_a_blob_of_a_layout_has_the_bytes_that_name_it(tmp_path: Path) -> None:
    image = sketch(b"one")
    folder = write_layout(tmp_path / "layout", image)
    (folder / "blobs/sha256" / image.name.removeprefix("sha256:")).write_bytes(b"{}")

    with (
        pytest.raises(ImageRefused, match="has other bytes"),
        open_archive(folder) as members,
    ):
        read_images(members, MACHINE)
