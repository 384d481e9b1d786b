"""blob.kernel: a model on this machine into the notebook's kernel, checked; against mapping and hashing the file."""

import hashlib
import mmap
import time
from pathlib import Path
from typing import Final

from bench.blob_seats import BLOB_BYTES, make_blob
from bench.harness import Measured, Target, measure_pairs
from bench.seats import ram_folder
from lc_jupyter.models import load_checked
from lc_node.adapters.blob_files import file_digest
from lc_node.api.schema import Address, Digest, ModelFormat
from lc_node.api.schema_jobs import FetchedModel
from lc_node.ports.stores import Naming

KERNEL: Final = Target(name="blob.kernel", unit="MB/s", limit=0.5, at_least=True)


def run() -> list[Measured]:
    """Measure."""
    with ram_folder() as folder:
        blob = make_blob(folder / "blob")
        fetched = FetchedModel(
            path=str(blob),
            root=Digest(file_digest(blob, Naming.CHUNKS).hex()),
            size=BLOB_BYTES,
            model_format=ModelFormat.RAW,
            bidder=Address("lc1"),
            label="strong",
            posted_by_me=True,
        )
        return [measure_pairs(KERNEL, lambda: _pulled(fetched), lambda: _mapped(blob))]


def _pulled(fetched: FetchedModel) -> float:
    since = time.perf_counter()
    model = load_checked(fetched, None, trust=False)
    seconds = time.perf_counter() - since
    assert isinstance(model, bytes), "it is of the format raw"
    return len(model) / 1e6 / seconds


def _mapped(blob: Path) -> float:
    since = time.perf_counter()
    with blob.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        hashlib.sha256(data).digest()
        size = len(data)
    return size / 1e6 / (time.perf_counter() - since)
