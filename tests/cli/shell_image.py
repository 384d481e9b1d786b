"""Images of a shell and a script, which speak contract lc/1 or do not; small enough to be made in a moment."""

import io
from pathlib import Path

from lc_node.oci.layers import Entry, LinkEntry, file_of, write_layer
from lc_node.oci.manifest import (
    CONFIG_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    ConfigDescriptor,
    History,
    ImageConfig,
    LayerDescriptor,
    Manifest,
    RootFs,
    RunConfig,
    blob_name,
    encode,
)
from tests.adapters.archives import END
from tests.adapters.rootfs import _libraries_of
from tests.adapters.sketches import Sketch, write_layout

SHELL = Path("/bin/sh")
SPEAKS = r"""
case $1 in
train)
  echo '{"lc":"begin","trial":0}'; read -r answer
  printf 'a model' > /lc/out/m
  echo '{"lc":"report","trial":0,"step":0,"loss":0.5}'; read -r answer
  echo '{"lc":"model","trial":0,"file":"m"}'; read -r answer
  echo '{"lc":"end","trial":0,"state":"complete"}'; read -r answer
  echo 'as it should be' >&2;;
evaluate)
  read -r model < /lc/in/model
  echo '{"lc":"losses","values":[0.25,0.75]}';;
esac
"""


def shell_image(
    folder: Path,
    script: str = SPEAKS,
    *,
    files: dict[str, bytes] | None = None,
    variables: tuple[str, ...] = (),
    architecture: str = "amd64",
    tail: bytes = b"",
) -> Path:
    """Write a layout with an image of two layers: the shell, and a script beside other files.

    A ``tail`` takes the place of the end of the second layer.
    """
    layers: list[list[Entry]] = [
        list(_shell()),
        [file_of("job", script.encode()), *(file_of(p, d) for p, d in (files or {}).items())],
    ]
    blobs = {}
    for entries, end in zip(layers, (b"", tail), strict=True):
        target = io.BytesIO()
        write_layer(entries, target.write, gzip=False)
        tar = target.getvalue()
        tar = tar[: -len(END)] + end if end else tar
        blobs[blob_name(tar)] = tar
    names = tuple(blobs)
    config = encode(
        ImageConfig(
            architecture=architecture,
            os="linux",
            rootfs=RootFs(type="layers", diff_ids=names),
            config=RunConfig(entrypoint=("/bin/sh", "/job"), env=variables),
            history=(History(comment="a shell"), History(created_by="COPY job")),
        )
    )
    blobs[blob_name(config)] = config
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        config=ConfigDescriptor(
            media_type=CONFIG_TYPE, digest=blob_name(config), size=len(config)
        ),
        layers=tuple(
            LayerDescriptor(media_type=LAYER_TYPE, digest=name, size=len(blobs[name]))
            for name in names
        ),
    )
    return write_layout(folder / "layout", Sketch(manifest=encode(manifest), blobs=blobs))


def _shell() -> list[Entry]:
    """Return the shell and its libraries, where the loader looks for them."""
    program = SHELL.resolve()
    entries: list[Entry] = [file_of("usr/bin/sh", program.read_bytes(), 0o755)]
    entries.extend(LinkEntry(path=name, target=f"usr/{name}") for name in ("bin", "lib", "lib64"))
    for library in _libraries_of([program]):
        inside = str(library).lstrip("/")
        usual = inside if inside.startswith("usr/") else f"usr/{inside}"
        entries.append(file_of(usual, library.read_bytes(), 0o755))
    return entries
