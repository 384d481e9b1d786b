"""The runner as a real process: a cell's ``evaluate`` on models of friends and of liars."""

from pathlib import Path

import cloudpickle
import pytest

from lc_node.chain.transactions import Fault
from tests.runtime.bench import cell_bench

MEASURE = """
import time
def train(trial):
    return b"model"
def evaluate(model):
    return {returned}
"""


class Liar:
    """A model that, while it is being loaded, finds the protocol's descriptor and claims no loss at all."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (LIE,)


LIE = """
import os
for number in range(3, 20):
    try:
        os.write(number, b'{"lc": "losses", "values": [0]}\\n')
    except OSError:
        continue
os._exit(0)
"""


@pytest.mark.parametrize(
    ("returned", "losses"),
    [
        ("0.5", (500_000_000,)),
        ("[1, 2.0]", (1_000_000_000, 2_000_000_000)),
        ("(x for x in (1, 2))", (1_000_000_000, 2_000_000_000)),
        ("__import__('numpy').array([0.1, 0.2])", (100_000_000, 200_000_000)),
        ("__import__('numpy').float32(0.5)", (500_000_000,)),
        ("__import__('numpy').array(0.5)", (500_000_000,)),
    ],
)
async def test_a_number_or_a_sequence_of_numbers_is_a_loss(
    tmp_path: Path, returned: str, losses: tuple[int, ...]
) -> None:
    bench = cell_bench(tmp_path, MEASURE.format(returned=returned))

    assert (await bench.evaluate(b"model")).losses == losses


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (
            "float('nan')",
            "evaluate gave nan as a loss: it must be a finite number, the lower the better",
        ),
        ("None", "evaluate returned nothing: return a number, or a list of 1 to 64 numbers"),
        ("[]", "evaluate returned 0 losses, a job has 1 to 64: average them in groups"),
        ("[0] * 65", "evaluate returned 65 losses, a job has 1 to 64: average them in groups"),
        ("'zero'", "evaluate returned a str: return a number, or a list of 1 to 64 numbers"),
        (
            "['0', '1']",
            "evaluate returned a str among its losses: return a number, or a list of 1 to 64 numbers",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
async def test_what_is_no_loss_is_a_fault_and_the_last_line_says_why(
    tmp_path: Path, returned: str, words: str
) -> None:
    bench = cell_bench(tmp_path, MEASURE.format(returned=returned))

    evaluation = await bench.evaluate(b"model")

    assert evaluation.fault is Fault.CRASHED
    assert evaluation.outcome.log_tail.endswith(f"{words}\n")


@pytest.mark.parametrize(
    "drawn",
    ["__import__('random').random()", "__import__('numpy').random.random()", "hash('x') % 1000"],
)
async def test_the_evaluation_draws_the_same_on_every_node(tmp_path: Path, drawn: str) -> None:
    bench = cell_bench(tmp_path, MEASURE.format(returned=drawn))

    assert (await bench.evaluate(b"1")).losses == (await bench.evaluate(b"2")).losses != ()


@pytest.mark.parametrize("model_format", ["skops", "npz", "raw"])
async def test_a_pickle_that_claims_no_loss_is_a_fault_in_a_safe_format(
    tmp_path: Path, model_format: str
) -> None:
    bench = cell_bench(tmp_path, MEASURE.format(returned="[len(model.shape)]"), model_format)

    evaluation = await bench.evaluate(cloudpickle.dumps(Liar()))

    assert (evaluation.fault, evaluation.losses) == (Fault.CRASHED, ())


async def test_a_pickle_job_believes_the_liar_which_is_why_it_stays_unverified(
    tmp_path: Path,
) -> None:
    bench = cell_bench(tmp_path, MEASURE.format(returned="[1.0]"), "pickle")

    assert (await bench.evaluate(cloudpickle.dumps(Liar()))).losses == (0,)


@pytest.mark.slow
async def test_a_notebook_model_of_scikit_learn_goes_from_training_to_the_same_loss_twice(
    tmp_path: Path,
) -> None:
    cell = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

X, y = load_iris(return_X_y=True)
X_train, X_valid, y_train, y_valid = train_test_split(X, y, random_state=0)

def train(trial):
    model = MLPClassifier(
        hidden_layer_sizes=(trial.suggest_int("width", 4, 16, log=True),), random_state=trial.seed
    )
    for step in range(5):
        model.partial_fit(X_train, y_train, classes=range(3))
        trial.report(log_loss(y_valid, model.predict_proba(X_valid)), model)
    return model

def evaluate(model):
    proba = model.predict_proba(X_valid)
    return [log_loss(y, p, labels=range(3))
            for y, p in zip(np.array_split(y_valid, 4), np.array_split(proba, 4))]
"""
    bench = cell_bench(tmp_path, cell, "skops", models_wanted=3)
    await bench.train()
    best = bench.models[-1]

    first, second = [await bench.evaluate(best.file.path) for _ in range(2)]

    assert first.losses == second.losses
    assert abs(sum(first.losses) / 4 / 1e9 - best.hint) < 0.1
