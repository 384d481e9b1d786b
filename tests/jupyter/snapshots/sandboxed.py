"""Trains and evaluates a packaged cell in the real sandbox, and looks through the bytes of its image."""

import asyncio
import tarfile
from collections.abc import Iterator
from pathlib import Path

from lc_node.chain.transactions import Fault
from lc_node.chain.types import Digest, Seconds
from lc_node.ports.sandbox import SandboxWishes
from lc_node.runtime.image_runs import ImageRuns, RunTerms
from tests.jupyter.snapshots.pythons import Packaged

TERMS = RunTerms(seconds=Seconds(600))


class Blobs:
    """A folder of blobs, as packaging writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, digest: Digest) -> Path | None:
        path = self._folder / digest.hex()
        return path if path.is_file() else None


def losses_inside(digest: str, folder: Path) -> list[float]:
    """Return the losses of a model that was trained and evaluated in an image, as a node reads them."""
    manifest = Digest(bytes.fromhex(digest.removeprefix("sha256:")))

    async def both() -> list[float]:
        blobs, wishes = Blobs(folder), SandboxWishes()
        async with ImageRuns.opened(manifest, blobs, lambda _who, _line: None, wishes) as runs:
            training, model = await runs.train(TERMS, trials=1)
            assert model is not None, (training.text, training.outcome.log_tail)
            evaluation = await runs.evaluate(TERMS, model)
        assert evaluation.fault is Fault.NONE, (evaluation.text, evaluation.outcome.log_tail)
        return [loss / 1e9 for loss in evaluation.losses]

    return asyncio.run(both())


def files_naming(packaged: Packaged, *words: str | Path) -> list[str]:
    """Return the files of an image in which one of some words stands, as a name or as a text."""
    wanted = [str(word).encode() for word in words]
    return [name for name, data in _files_of(packaged) if any(word in data for word in wanted)]


def _files_of(packaged: Packaged) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the image, the documents too, each with its name and its link among the bytes."""
    for path in (packaged.folder / "blobs").iterdir():
        if f"sha256:{path.name}" not in packaged.sizes:
            yield path.name, path.read_bytes()
            continue
        with tarfile.open(path) as layer:
            for member in layer:
                content = layer.extractfile(member) if member.isfile() else None
                text = f"{member.name}\0{member.linkname}\0".encode()
                yield member.name, text + (content.read() if content else b"")
