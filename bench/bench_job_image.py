"""job.image: what a second node that has a cell's image must fetch when the cell changes; against the image's size."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.bench_job_package import built, science_request
from bench.blob_seats import node
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from bench.seats import Seat, seated
from lc_jupyter.packaging.image import BuiltImage
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_node.ports.stores import Naming

IMAGE: Final = Target(name="job.image", unit="MB fetched", limit=0.001, at_least=False)

_NAMING: Final = Naming.SHA256


def run() -> list[Measured]:
    """Measure: the bytes that come in at a node, those of the protocol included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = _images(folder)
        with (
            seated(node, "server", folder / "server", []) as server,
            seated(node, "client", folder / "client", [("server", server.ask("port"))]) as client,
        ):
            client.ask("connected", 1)
            _bring(next(images), server, client)
            changed = list(itertools.islice(images, PAIRS_MIN))
            fetched = [_bring(image, server, client) / 1e6 for image in changed]
    return [from_samples(IMAGE, fetched, [image.total_bytes / 1e6 for image in changed])]


def _images(folder: Path) -> Iterator[BuiltImage]:
    """Yield snapshots of one cell after the other, in one environment."""
    cache = LayerCache(folder / "cache")
    for step in itertools.count():
        yield built(science_request(folder, step), folder / f"image-{step}", cache)[1]


def _bring(image: BuiltImage, server: Seat, client: Seat) -> int:
    """Put an image into a node and fetch it from another; return the bytes that came in there."""
    before = client.ask("received")
    for path in image.blobs.values():
        client.ask("fetch", server.ask("put", path, _NAMING), _NAMING)
    return int(client.ask("received") - before)
