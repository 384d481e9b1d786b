"""A job that is trained in seconds, in Python alone: a straight line through sixty-four points."""

from typing import Final

from lc_jupyter.packaging.snapshot import SnapshotRequest
from lc_jupyter.submit import Posted, Terms, submit
from lc_node.api.client import Client
from lc_node.chain.params import CREDIT
from tests.jupyter.cells import run_cell

MEBIBYTE: Final = 1024 * 1024
BOUNTY: Final = 20

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
"""


def light_snapshot(model_format: str = "raw") -> SnapshotRequest:
    """Return what packages the light job; its model is bytes, in a pickle as well."""
    names = run_cell(CELL)
    return SnapshotRequest(
        train=names["train"], evaluate=names["evaluate"], model_format=model_format, cell=CELL
    )


def light_terms(*, bounty: int = BOUNTY, expiry_seconds: int = 30) -> Terms:
    """Return terms under which small machines take the light job; the bounty is in credits."""
    return Terms(
        title="a line",
        bounty=bounty * CREDIT,
        expiry_seconds=expiry_seconds,
        trial_seconds=60,
        memory_bytes=256 * MEBIBYTE,
        disk_bytes=64 * MEBIBYTE,
        model_bytes_max=MEBIBYTE,
        checks=False,
    )


def post_light_job(client: Client, terms: Terms, model_format: str = "raw") -> Posted:
    """Package and post the light job as a notebook does."""
    posted = submit(client, light_snapshot(model_format), terms, lambda _shown: None)
    assert posted is not None, "the terms are not those of a dry run"
    return posted
