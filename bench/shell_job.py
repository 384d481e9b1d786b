"""A job of a shell and a script, made in a moment: what it costs is what nodes do around it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.tiny_root import find, libraries
from lc_node.api.client import Client
from lc_node.api.schema import Digest, MicroCredits, ModelFormat, Resources
from lc_node.api.schema_jobs import ImageChoice, JobRequest
from lc_node.api.uploading import put_blob
from lc_node.chain.params import CREDIT
from lc_node.oci.layers import Entry, FolderEntry, LinkEntry, file_of, write_layer
from lc_node.oci.manifest import (
    CONFIG_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    ConfigDescriptor,
    ImageConfig,
    LayerDescriptor,
    Manifest,
    RootFs,
    RunConfig,
    blob_name,
    encode,
)

ENTRYPOINT: Final = ("/usr/bin/sh", "/job")
NOTHING: Final = r"""
case $1 in
train)
  echo '{"lc":"begin","trial":0}'; read -r answer
  printf '0.5' > /lc/out/m
  echo '{"lc":"report","trial":0,"step":0,"loss":0.5}'; read -r answer
  echo '{"lc":"model","trial":0,"file":"m"}'; read -r answer
  echo '{"lc":"end","trial":0,"state":"complete"}'; read -r answer;;
evaluate)
  read -r loss < /lc/in/model
  echo "{\"lc\":\"losses\",\"values\":[$loss,$loss,$loss,$loss,$loss,$loss,$loss,$loss]}";;
esac
"""
"""Trains one model, at once, and exits."""

MANY: Final = r"""
case $1 in
train)
  echo '{"lc":"begin","trial":0}'; read -r answer
  step=0
  while [ $step -lt @MODELS@ ]; do
    loss=0.$((900000 - step))
    printf '%s\n' $loss > /lc/out/m$step
    echo "{\"lc\":\"report\",\"trial\":0,\"step\":$step,\"loss\":$loss}"; read -r answer
    echo "{\"lc\":\"model\",\"trial\":0,\"file\":\"m$step\"}"; read -r answer
    step=$((step + 1))
    sleep @PAUSE@
  done
  read -r answer;;
evaluate)
  read -r loss < /lc/in/model
  echo "{\"lc\":\"losses\",\"values\":[$loss,$loss,$loss,$loss,$loss,$loss,$loss,$loss]}";;
esac
"""
"""Trains so many models, each a little better than the one before, and waits for the expiry."""

_PROGRAMS: Final = ("sh", "sleep")
_MEBIBYTE: Final = 1024 * 1024


def many(models: int, pause_seconds: float) -> str:
    """Return a script that trains some models, with a pause after each."""
    return MANY.replace("@MODELS@", str(models)).replace("@PAUSE@", f"{pause_seconds:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellImage:
    """An image and its blobs."""

    blobs: dict[str, bytes]
    manifest: str
    layer: bytes
    """A tar of all its files."""

    @property
    def choice(self) -> ImageChoice:
        """The image as a job names it."""
        total = sum(map(len, self.blobs.values())) - len(self.blobs[self.manifest])
        return ImageChoice(manifest=_hex(self.manifest), total_bytes=total)


def build(script: str) -> ShellImage:
    """Return an image of a script.

    Raises:
        NothingMeasured: this machine has no shell.
    """
    folders = [FolderEntry(path=path) for path in ("lc/in", "lc/out")]
    layer = _layer([*_programs(_PROGRAMS), *folders, file_of("job", script.encode())])
    config = encode(
        ImageConfig(
            architecture="amd64",
            os="linux",
            rootfs=RootFs(type="layers", diff_ids=(blob_name(layer),)),
            config=RunConfig(entrypoint=ENTRYPOINT, env=("PATH=/usr/bin",)),
        )
    )
    manifest = encode(
        Manifest(
            schema_version=2,
            media_type=MANIFEST_TYPE,
            config=ConfigDescriptor(
                media_type=CONFIG_TYPE, digest=blob_name(config), size=len(config)
            ),
            layers=(
                LayerDescriptor(media_type=LAYER_TYPE, digest=blob_name(layer), size=len(layer)),
            ),
        )
    )
    blobs = {blob_name(data): data for data in (layer, config, manifest)}
    return ShellImage(blobs=blobs, manifest=blob_name(manifest), layer=layer)


def put(client: Client, image: ShellImage) -> None:
    """Put an image into a node."""
    for name, data in image.blobs.items():
        put_blob(client, io.BytesIO(data), digest=_hex(name), size=len(data))


def request(image: ShellImage, *, expiry_seconds: int, title: str = "bench") -> JobRequest:
    """Return a job that every machine can take."""
    return JobRequest(
        title=title,
        image=image.choice,
        bounty=MicroCredits(CREDIT),
        expiry_seconds=expiry_seconds,
        model_format=ModelFormat.RAW,
        resources=Resources(millicpus=500, memory_bytes=64 * _MEBIBYTE, disk_bytes=16 * _MEBIBYTE),
        trial_seconds=60,
        evaluate_seconds=10,
        model_bytes_max=_MEBIBYTE,
    )


def _layer(entries: Sequence[Entry]) -> bytes:
    target = io.BytesIO()
    write_layer(entries, target.write, gzip=False)
    return target.getvalue()


def _programs(names: Sequence[str]) -> list[Entry]:
    """Return programs of this machine and their libraries, where the loader looks for them."""
    entries: list[Entry] = [
        LinkEntry(path=name, target=f"usr/{name}") for name in ("lib", "lib64")
    ]
    needed = set()
    for name in names:
        program = find(name).resolve()
        entries.append(file_of(f"usr/bin/{name}", program.read_bytes(), 0o755))
        needed.update(libraries(program))
    for library in sorted(needed):
        inside = str(library).lstrip("/")
        usual = inside if inside.startswith("usr/") else f"usr/{inside}"
        entries.append(file_of(usual, library.read_bytes(), 0o755))
    return entries


def _hex(name: str) -> Digest:
    return Digest(name.removeprefix("sha256:"))
