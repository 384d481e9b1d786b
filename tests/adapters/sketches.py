"""Small images for tests of how images travel: blobs with digests, which nobody has to run."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lc_node.oci.layers import FileEntry, file_of, write_layer
from lc_node.oci.manifest import (
    CONFIG_TYPE,
    GZIP_LAYER_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    ConfigDescriptor,
    Descriptor,
    ImageConfig,
    Index,
    LayerDescriptor,
    Manifest,
    Platform,
    RootFs,
    RunConfig,
    blob_name,
    encode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """An image: its manifest, and its blobs by name."""

    manifest: bytes
    blobs: dict[str, bytes]
    """Config and layers."""

    @property
    def name(self) -> str:
        return blob_name(self.manifest)

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.name.removeprefix("sha256:"))

    @property
    def layers(self) -> list[bytes]:
        return list(self.blobs.values())[:-1]


def sketch(
    *contents: bytes, gzip: bool = True, architecture: str = "amd64", note: str = ""
) -> Sketch:
    """Return an image with a layer for each content."""
    layers, diff_ids, blobs = [], [], {}
    for number, content in enumerate(contents or (b"hello",)):
        target = io.BytesIO()
        entries: list[FileEntry] = [file_of(f"file-{number}", content)]
        written = write_layer(entries, target.write, gzip=gzip)
        layers.append(
            LayerDescriptor(
                media_type=GZIP_LAYER_TYPE if gzip else LAYER_TYPE,
                digest=written.digest,
                size=written.size,
            )
        )
        diff_ids.append(written.diff_id)
        blobs[written.digest] = target.getvalue()
    config = encode(
        ImageConfig(
            architecture=architecture,
            os="linux",
            rootfs=RootFs(type="layers", diff_ids=tuple(diff_ids)),
            config=RunConfig(entrypoint=("/job",), labels={"note": note} if note else None),
        )
    )
    blobs[blob_name(config)] = config
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        config=ConfigDescriptor(
            media_type=CONFIG_TYPE, digest=blob_name(config), size=len(config)
        ),
        layers=tuple(layers),
    )
    return Sketch(manifest=encode(manifest), blobs=blobs)


def index_of(**images: Sketch) -> bytes:
    """Return an index of images by architecture."""
    return encode(
        Index(
            schema_version=2,
            media_type=INDEX_TYPE,
            manifests=tuple(
                Descriptor(
                    media_type=MANIFEST_TYPE,
                    digest=image.name,
                    size=len(image.manifest),
                    platform=Platform(architecture=architecture, os="linux"),
                )
                for architecture, image in images.items()
            ),
        )
    )


def write_layout(folder: Path, *images: Sketch, index: bytes | None = None) -> Path:
    """Write an OCI layout; ``index`` instead of one that lists the images."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    for image in images:
        for name, data in (*image.blobs.items(), (image.name, image.manifest)):
            (blobs / name.removeprefix("sha256:")).write_bytes(data)
    only = tuple(
        Descriptor(
            media_type=MANIFEST_TYPE,
            digest=image.name,
            size=len(image.manifest),
            annotations={"org.opencontainers.image.ref.name": f"image-{number}"},
        )
        for number, image in enumerate(images)
    )
    index = index or encode(Index(schema_version=2, manifests=only))
    (folder / "index.json").write_bytes(index)
    return folder


def tar_of(members: dict[str, bytes]) -> bytes:
    """Return an archive with these files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()
