"""The runner as a real process: a model predicts from plain data, and what it leaves is plain data or nothing."""

from pathlib import Path

import cloudpickle
import pytest

from lc_jupyter.runner.plain import decode
from lc_node.chain.transactions import Fault
from tests.runtime.bench import cell_bench

CELL = """
def train(trial):
    return b"model"
def evaluate(model):
    return [0.5]
"""
OWN = """
def predict(model, xs, *, scale=10):
    print("no line of the contract")
    return {"length": len(model), "scaled": [scale * x for x in xs]}
"""


class Doubling:
    """A model with the usual method."""

    def predict(self, xs: list[float]) -> list[float]:
        return [2 * x for x in xs]


Doubling.__module__ = "__main__"  # pickled by value, as of a notebook


async def test_the_cells_own_predict_is_called_with_model_and_data(tmp_path: Path) -> None:
    bench = cell_bench(tmp_path, CELL + OWN)

    predicted = await bench.predict(b"12345", [1, 2])

    assert decode(predicted.data) == {"length": 5, "scaled": [10, 20]}, predicted.outcome.log_tail


async def test_without_one_the_models_own_method_is(tmp_path: Path) -> None:
    bench = cell_bench(tmp_path, CELL, "pickle")

    predicted = await bench.predict(cloudpickle.dumps(Doubling()), [1, 2.5])

    assert decode(predicted.data) == [2, 5.0], predicted.outcome.log_tail


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (CELL, "a bytes has no method predict: define predict(model, data)"),
        (
            CELL + "def predict(model, xs): return {1, 2}",
            "the data is a set, which is no plain data",
        ),
        (CELL + "def predict(model, xs): raise KeyError('age')", "KeyError: 'age'"),
    ],
)
async def test_what_fails_is_a_fault_whose_last_words_say_why(
    tmp_path: Path, cell: str, said: str
) -> None:
    predicted = await cell_bench(tmp_path, cell).predict(b"model", [1])

    assert (predicted.fault, predicted.data) == (Fault.CRASHED, b"")
    assert said in predicted.outcome.log_tail
