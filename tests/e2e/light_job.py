"""A job that is trained in seconds, in Python alone: a straight line through sixty-four points."""

import tempfile
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import build_image
from lc_node.api.calls import Submit
from lc_node.api.client import Client
from lc_node.api.schema import Digest, JobId, MicroCredits, ModelFormat, Resources
from lc_node.api.schema_jobs import ImageChoice, JobRequest
from lc_node.api.uploading import put_blob
from lc_node.chain.params import CREDIT
from tests.e2e.graphs import unhurried
from tests.jupyter.cells import run_cell

MEBIBYTE: Final = 1024 * 1024
BOUNTY: Final = 20
EXPIRY_SECONDS: Final = 30

CELL: Final = """
import json
import threading

POINTS = [(i / 10, 0.3 * i + 1 + ((37 * i) % 11 - 5) / 50) for i in range(64)]

def train(trial):
    slope = trial.suggest_float("slope", 0.0, 6.0)
    base = trial.suggest_float("base", -2.0, 4.0)
    while not trial.should_stop:
        for _ in range(5):
            errors = [(x, slope * x + base - y) for x, y in POINTS]
            slope -= 0.01 * sum(x * e for x, e in errors) / len(errors)
            base -= 0.01 * sum(e for _, e in errors) / len(errors)
        model = json.dumps([slope, base]).encode()
        trial.report(sum(evaluate(model)) / 8, model)
        threading.Event().wait(1)

def evaluate(model):
    slope, base = json.loads(model)
    squares = [(slope * x + base - y) ** 2 for x, y in POINTS]
    return [sum(squares[k::8]) / 8 for k in range(8)]

def predict(model, xs):
    slope, base = json.loads(model)
    return [slope * x + base for x in xs]
"""


def light_request(
    *, model_format: str = "raw", bounty: int = BOUNTY, expiry_seconds: int | None = None
) -> JobRequest:
    """Return the light job without its image, as small machines take it; the bounty is in credits."""
    usual = unhurried(EXPIRY_SECONDS, most=120)
    return JobRequest(
        title="a line",
        image=_NO_IMAGE,
        bounty=MicroCredits(bounty * CREDIT),
        expiry_seconds=usual if expiry_seconds is None else expiry_seconds,
        model_format=ModelFormat(model_format),
        resources=Resources(millicpus=1000, memory_bytes=256 * MEBIBYTE, disk_bytes=64 * MEBIBYTE),
        trial_seconds=60,
        evaluate_seconds=10,
        model_bytes_max=MEBIBYTE,
    )


def send_light_image(client: Client, request: JobRequest) -> JobRequest:
    """Package the light job, put the image into the node, and return the request with it."""
    return send_image(client, request, CELL)


def send_image(client: Client, request: JobRequest, cell: str) -> JobRequest:
    """Package a cell, put the image into the node, and return the request with it."""
    names = run_cell(cell)
    snapshot = SnapshotRequest(
        train=names["train"],
        evaluate=names["evaluate"],
        save=names.get("save"),
        load=names.get("load"),
        predict=names.get("predict"),
        model_format=request.model_format.value,
        cell=cell,
    )
    with tempfile.TemporaryDirectory(prefix="lce") as folder:
        image = build_image(snapshot, Path(folder))
        for name, path in image.blobs.items():
            with path.open("rb") as source:
                put_blob(client, source, digest=_hex(name), size=path.stat().st_size)
    choice = ImageChoice(manifest=_hex(image.digest), total_bytes=image.total_bytes)
    return replace(request, image=choice)


def post_light_job(client: Client, request: JobRequest) -> JobId:
    """Package, send and post the light job; return its id."""
    return client.call(Submit(request=send_light_image(client, request))).job


def _hex(name: str) -> Digest:
    return Digest(name.removeprefix("sha256:"))


_NO_IMAGE: Final = ImageChoice(manifest=Digest("0" * 64), total_bytes=1)
