"""What an image is made of, told to whom it may be given: layers, start, distributions, and what tells of people."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from lc_node.adapters.layer_stream import LayerStream
from lc_node.adapters.oci_image import UnpackLimits
from lc_node.adapters.tar_entries import Kind, Refused, TarReader
from lc_node.oci.manifest import GZIP_TYPES, ImageConfig, LayerDescriptor
from lc_node.oci.privacy import homes_in, secrets_in
from lc_node.oci.secret_scan import scan_value
from lc_node.ports.images import ImageRefused
from lc_node.runtime.image_source import LocalImage, digest_of

FINDINGS_MAX: Final = 1_000
DISTRIBUTIONS_MAX: Final = 10_000

_INFO: Final = re.compile(r"(?:^|/)([A-Za-z0-9][A-Za-z0-9._]*)-([^/-]+)\.(?:dist|egg)-info(?:/|$)")
_PARTS_OF_NOBODY: Final = 2
"""``/home/name`` tells a name, ``/root`` does not."""

_OVERLAP: Final = 64
"""A name may lie across the border of two pieces."""


class LayerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One layer."""

    digest: str
    title: str
    """What its history says of it."""
    bytes: int
    unpacked_bytes: int
    files: int
    distributions: tuple[str, ...]
    """Of Python: names and versions."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that tells of people."""

    where: str
    """A path, or a variable of the environment."""
    what: str


class ImageReport(msgspec.Struct, frozen=True, kw_only=True):
    """An image."""

    digest: str
    bytes: int
    platform: str
    argv: tuple[str, ...]
    working_folder: str
    user: str
    """Who the image asks to be; a node runs it as nobody whatever it says."""
    environment: dict[str, str]
    layers: tuple[LayerReport, ...]
    findings: tuple[Finding, ...]


def report_on(image: LocalImage, limits: UnpackLimits | None = None) -> ImageReport:
    """Read all layers of an image, and unpack none.

    Raises:
        ImageRefused: a layer is malformed, or over a limit.
    """
    config, findings = image.config, list(_of_environment(image.config))
    layers = []
    for number, (layer, title) in enumerate(
        zip(image.manifest.layers, _titles(image), strict=True)
    ):
        reader = _LayerReader(image, layer, limits or UnpackLimits())
        try:
            layers.append(reader.read(title))
        except Refused as error:
            raise ImageRefused(f"layer {number + 1} has {error}") from error
        findings.extend(reader.findings)
    run = config.config
    return ImageReport(
        digest=f"sha256:{image.digest.hex()}",
        bytes=image.total_bytes,
        platform=f"{config.os}/{config.architecture}",
        argv=config.argv,
        working_folder=run.working_dir if run else "",
        user=run.user if run else "",
        environment=config.environment,
        layers=tuple(layers),
        findings=tuple(dict.fromkeys(findings))[:FINDINGS_MAX],
    )


class _LayerReader:
    """Reads one layer and notes what tells of people."""

    def __init__(self, image: LocalImage, layer: LayerDescriptor, limits: UnpackLimits) -> None:
        self.findings: list[Finding] = []
        self._layer = layer
        self._path = image.paths[digest_of(layer.digest)]
        self._limits = limits
        home = Path.home()
        self._mine = bytes(home) if len(home.parts) > _PARTS_OF_NOBODY else b""

    def read(self, title: str) -> LayerReport:
        files = unpacked = 0
        distributions: set[str] = set()
        with self._path.open("rb") as file:
            stream = LayerStream(
                file,
                gzip=self._layer.media_type in GZIP_TYPES,
                bytes_max=self._limits.unpacked_bytes,
                ratio_max=self._limits.ratio,
            )
            reader = TarReader(stream.read)
            for number, entry in enumerate(reader.entries()):
                if number >= self._limits.entries:
                    raise Refused(f"more than {self._limits.entries} entries")
                path = b"/".join(entry.parts).decode(errors="replace")
                if (found := _INFO.search(path)) and len(distributions) < DISTRIBUTIONS_MAX:
                    distributions.add(f"{found[1]} {found[2]}")
                if entry.kind is Kind.FILE:
                    files += 1
                    unpacked += entry.size
                    self._look_at(path, reader.content())
        return LayerReport(
            digest=self._layer.digest,
            title=title,
            bytes=self._layer.size,
            unpacked_bytes=unpacked,
            files=files,
            distributions=tuple(sorted(distributions)),
        )

    def _look_at(self, path: str, pieces: Iterator[bytes]) -> None:
        tail, homes, is_first = b"", set[str](), True
        for piece in pieces:
            homes |= homes_in(path, tail + piece, self._mine)
            if is_first:  # a longer file has a first piece that is too long for it
                self._note(path, secrets_in(path, piece))
            tail, is_first = piece[-_OVERLAP:], False
        self._note(path, (f"names the home {home}" for home in sorted(homes)))

    def _note(self, path: str, rules: Iterator[str]) -> None:
        room = FINDINGS_MAX - len(self.findings)
        self.findings.extend([Finding(where=path, what=rule) for rule in rules][:room])


def _titles(image: LocalImage) -> Iterator[str]:
    """Yield what the history says of each layer; it may say nothing, or of other layers."""
    history = [one for one in image.config.history or () if not one.empty_layer]
    is_whole = len(history) == len(image.manifest.layers)
    for number in range(len(image.manifest.layers)):
        yield (history[number].comment or history[number].created_by) if is_whole else ""


def _of_environment(config: ImageConfig) -> Iterator[Finding]:
    for name, value in config.environment.items():
        for where, rule in scan_value(name, value):
            yield Finding(where=f"variable {where}", what=rule)
