"""Builds a planned image: blobs in a folder, a manifest over them, and the forms other programs read."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.files import LayerPlan
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.places import LIBRARIES, VENV_ROOT
from lc_jupyter.packaging.snapshot import SnapshotPlan, plan_snapshot
from lc_jupyter.packaging.writing import StoredLayer, write_layers
from lc_jupyter.runner.layout import ENVIRONMENT, WORK, entrypoint
from lc_node.oci.layers import Entry, FileEntry, file_of, write_layer
from lc_node.oci.manifest import (
    CONFIG_TYPE,
    EPOCH,
    GZIP_LAYER_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    ConfigDescriptor,
    Descriptor,
    History,
    ImageConfig,
    Index,
    LayerDescriptor,
    Manifest,
    RootFs,
    RunConfig,
    blob_name,
    encode,
)

_CHUNK_BYTES: Final = 1024 * 1024
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_CREATOR: Final = "learningchain snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLayer:
    """A layer as a file."""

    title: str
    digest: str
    """``sha256:...`` of the file."""
    diff_id: str
    """The same of the uncompressed tar."""
    size: int
    tar_bytes: int
    path: Path
    was_cached: bool
    """Written by an earlier build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image as blobs in a folder, each named by the hexadecimal digits of its SHA-256."""

    digest: str
    """The image's identity: ``sha256:...`` of the manifest."""
    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    layers: tuple[BuiltLayer, ...]
    folder: Path
    plan: SnapshotPlan = field(repr=False)
    seconds: Mapping[str, float]
    """Time of each step, planning included."""

    @property
    def total_bytes(self) -> int:
        """Bytes that a node without any layer must fetch."""
        layers = {layer.digest: layer.size for layer in self.layers}
        return len(self.manifest) + len(self.config) + sum(layers.values())

    @property
    def blobs(self) -> dict[str, Path]:
        """Every blob by its name ``sha256:...``: layers, configuration, manifest last."""
        names = [*(layer.digest for layer in self.layers), blob_name(self.config), self.digest]
        return {name: _blob_path(self.folder, name) for name in names}


def build_image(
    request: SnapshotRequest,
    folder: Path,
    environment: Environment | None = None,
    cache: LayerCache | None = None,
) -> BuiltImage:
    """Plan and build in one step.

    Raises:
        PackagingError: one subclass a cause; the message names the fix.
    """
    cache = cache or LayerCache.of_user()
    return build_planned(plan_snapshot(request, environment, cache), folder, cache)


def build_planned(plan: SnapshotPlan, folder: Path, cache: LayerCache | None = None) -> BuiltImage:
    """Write the layers that are not cached and put all blobs of the image into a folder.

    Raises:
        EnvironmentChanged: a file changed since it was planned.
    """
    cache = cache or LayerCache.of_user()
    start = time.perf_counter()
    stored = write_layers(plan.layers, plan.environment, cache)
    written = time.perf_counter()
    config = encode(_config(plan, stored))
    manifest = encode(_manifest(plan.layers, stored, config))
    folder.mkdir(parents=True, exist_ok=True)
    for layer in stored:
        _place(cache.blob(layer.written.digest), folder, layer.written.digest)
    for data in (config, manifest):
        _blob_path(folder, blob_name(data)).write_bytes(data)
    placed = time.perf_counter()
    return BuiltImage(
        digest=blob_name(manifest),
        manifest=manifest,
        config=config,
        layers=tuple(_built(p, s, folder) for p, s in zip(plan.layers, stored, strict=True)),
        folder=folder,
        plan=plan,
        seconds={**plan.seconds, "write": written - start, "place": placed - written},
    )


def write_archive(image: BuiltImage, path: Path, tag: str = "learningchain:snapshot") -> None:
    """Write one tar that ``skopeo`` reads as ``oci-archive:`` and ``docker load`` loads.

    Its bytes depend on the image and the tag alone.
    """
    with path.open("wb") as file:
        write_layer(_archive(image, tag), file.write, gzip=False)


def _archive(image: BuiltImage, tag: str) -> Iterator[Entry]:
    descriptor = Descriptor(
        media_type=MANIFEST_TYPE,
        digest=image.digest,
        size=len(image.manifest),
        annotations={"org.opencontainers.image.ref.name": tag},
    )
    index = Index(schema_version=2, media_type=INDEX_TYPE, manifests=(descriptor,))
    for_docker = {
        "Config": _archive_path(blob_name(image.config)),
        "Layers": [_archive_path(layer.digest) for layer in image.layers],
        "RepoTags": [tag],
    }
    yield file_of("oci-layout", _LAYOUT)
    yield file_of("index.json", encode(index))
    yield file_of("manifest.json", msgspec.json.encode([for_docker]))
    for name, path in image.blobs.items():
        reader = partial(_chunks, path)
        yield FileEntry(path=_archive_path(name), content=reader, size=path.stat().st_size)


def _archive_path(name: str) -> str:
    return f"blobs/{name.replace(':', '/')}"


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _config(plan: SnapshotPlan, stored: Sequence[StoredLayer]) -> ImageConfig:
    variables = {
        **ENVIRONMENT,
        "LD_LIBRARY_PATH": f"/{LIBRARIES}",
        "PATH": f"/{VENV_ROOT}/bin",
        "PYTHONNOUSERSITE": "1",
    }
    return ImageConfig(
        architecture=plan.environment.architecture,
        os="linux",
        created=EPOCH,
        config=RunConfig(
            user="65534:65534",
            env=tuple(f"{name}={value}" for name, value in sorted(variables.items())),
            entrypoint=plan.argv or entrypoint(f"/{VENV_ROOT}/bin/python"),
            working_dir=WORK,
        ),
        rootfs=RootFs(type="layers", diff_ids=tuple(layer.written.diff_id for layer in stored)),
        history=tuple(
            History(created=EPOCH, created_by=_CREATOR, comment=layer.title)
            for layer in plan.layers
        ),
    )


def _manifest(
    plans: Sequence[LayerPlan], stored: Sequence[StoredLayer], config: bytes
) -> Manifest:
    return Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        config=ConfigDescriptor(
            media_type=CONFIG_TYPE, digest=blob_name(config), size=len(config)
        ),
        layers=tuple(
            LayerDescriptor(
                media_type=GZIP_LAYER_TYPE if plan.compress else LAYER_TYPE,
                digest=layer.written.digest,
                size=layer.written.size,
            )
            for plan, layer in zip(plans, stored, strict=True)
        ),
    )


def _built(plan: LayerPlan, stored: StoredLayer, folder: Path) -> BuiltLayer:
    written = stored.written
    return BuiltLayer(
        title=plan.title,
        digest=written.digest,
        diff_id=written.diff_id,
        size=written.size,
        tar_bytes=written.tar_bytes,
        path=_blob_path(folder, written.digest),
        was_cached=stored.was_cached,
    )


def _blob_path(folder: Path, name: str) -> Path:
    return folder / name.removeprefix("sha256:")


def _place(blob: Path, folder: Path, name: str) -> None:
    """Let a blob appear in the folder: as a second name of the cached file where the disk is the same."""
    target = _blob_path(folder, name)
    if target.exists():
        return
    partly = target.with_suffix(f".{os.getpid()}")
    partly.unlink(missing_ok=True)
    try:
        os.link(blob, partly)
    except OSError:
        shutil.copyfile(blob, partly)
    partly.replace(target)
