"""The runner as a real process: a cell's ``train`` in conversation with a real node session and search."""

import zipfile
from pathlib import Path

from lc_node.chain.transactions import Fault
from lc_node.worker.seeds import train_seed
from tests.runtime.bench import JOB, NODE, cell_bench

EVALUATE = """
def evaluate(model):
    return [len(model)]
"""


async def test_a_stray_print_cannot_break_a_line(tmp_path: Path) -> None:
    cell = """
def train(trial):
    print('{"lc": "nonsense"', end="")
    import os; os.write(1, b'{"lc": ')
    trial.report(0.5, b"model")
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    training = await bench.train()

    assert training.fault is Fault.NONE
    assert '{"lc": "nonsense"' in training.outcome.log_tail
    assert bench.models[0].file.path.read_bytes() == b"model"


async def test_a_parameter_lies_within_its_bounds(tmp_path: Path) -> None:
    cell = """
def train(trial):
    x = trial.suggest_float("x", 1e-3, 1e-1, log=True)
    n = trial.suggest_int("n", 3, 9, step=3)
    kind = trial.suggest_categorical("kind", ["a", 1, True])
    assert 1e-3 <= x <= 1e-1 and n in (3, 6, 9) and kind in ("a", 1, True)
    assert trial.params == {"x": x, "n": n, "kind": kind}
    return b"fine"
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    await bench.train()

    assert bench.models[0].file.path.read_bytes() == b"fine"


async def test_a_model_that_is_only_returned_is_measured_by_evaluate(tmp_path: Path) -> None:
    bench = cell_bench(tmp_path, "def train(trial): return b'1234'\n" + EVALUATE)

    await bench.train()

    assert [model.hint for model in bench.models] == [4.0]


async def test_a_loss_reported_without_its_model_gets_the_returned_one(tmp_path: Path) -> None:
    cell = """
def train(trial):
    trial.report(0.25)
    return b"late"
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    await bench.train()

    model = bench.models[0]
    assert (model.hint, model.file.path.read_bytes()) == (0.25, b"late")


async def test_only_a_better_model_is_sent_again(tmp_path: Path) -> None:
    cell = """
def train(trial):
    for loss in (3, 2, 4, 1):
        trial.report(loss, b"m%d" % loss)
"""
    bench = cell_bench(tmp_path, cell + EVALUATE, models_wanted=3)

    await bench.train()

    assert [model.hint for model in bench.models] == [3.0, 2.0, 1.0]


async def test_an_exception_ends_the_trial_and_not_the_run(tmp_path: Path) -> None:
    cell = """
def train(trial):
    if trial.number == 0:
        raise KeyError("lost")
    return b"found"
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    training = await bench.train()

    assert (training.fault, bench.models[0].trial) == (Fault.NONE, 1)
    assert "KeyError: 'lost'" in training.outcome.log_tail


async def test_sys_exit_fails_a_trial_and_not_the_run(tmp_path: Path) -> None:
    cell = """
import sys
def train(trial):
    if trial.number == 0:
        sys.exit("enough")
    return b"found"
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    await bench.train()

    assert bench.models[0].trial == 1


async def test_three_failures_in_a_row_end_the_run(tmp_path: Path) -> None:
    bench = cell_bench(tmp_path, "def train(trial): return 1 / 0\n" + EVALUATE)

    training = await bench.train()

    assert (training.fault, training.outcome.exit_code) == (Fault.CRASHED, 1)
    assert training.outcome.log_tail.endswith(
        "3 trials in a row have failed: giving up\nZeroDivisionError: division by zero\n"
    )


async def test_an_account_of_a_failure_shows_the_cell_alone(tmp_path: Path) -> None:
    bench = cell_bench(tmp_path, "def train(trial): return 1 / 0\n" + EVALUATE)

    training = await bench.train()

    assert training.outcome.log_tail.startswith(
        'Traceback (most recent call last):\n  File "<cell>", line 1, in train\n'
        "ZeroDivisionError: division by zero\ntrial 1 has failed as the one before\n"
    )


async def test_a_run_that_never_sees_a_finite_loss_ends(tmp_path: Path) -> None:
    cell = "def train(trial): return b'model'\ndef evaluate(model): return float('nan')\n"
    bench = cell_bench(tmp_path, cell)

    training = await bench.train()

    assert (training.fault, training.models) == (Fault.CRASHED, 0)
    assert training.outcome.log_tail.endswith(
        "10 trials in a row have ended without a finite loss: giving up\n"
        "evaluate gave nan as a loss: it must be a finite number, the lower the better\n"
    )


async def test_a_process_that_dies_leaves_what_was_taken(tmp_path: Path) -> None:
    cell = """
import os
def train(trial):
    trial.report(1.0, b"kept")
    os._exit(7)
"""
    bench = cell_bench(tmp_path, cell + EVALUATE, models_wanted=2)

    training = await bench.train()

    assert (training.fault, training.outcome.exit_code) == (Fault.CRASHED, 7)
    assert bench.models[0].file.path.read_bytes() == b"kept"


async def test_a_diverged_loss_prunes_the_trial(tmp_path: Path) -> None:
    cell = """
def train(trial):
    if trial.number == 0:
        trial.report(float("nan"), b"lost")
    return b"found"
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    training = await bench.train()

    assert bench.models[0].trial == 1
    assert "train gave nan as a loss" in training.outcome.log_tail


async def test_a_stop_ends_a_trial_that_asks_whether_it_should(tmp_path: Path) -> None:
    cell = """
import time
def train(trial):
    trial.report(1.0, b"kept")
    while not trial.should_stop:
        time.sleep(0.01)
    print("stopped in time")
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    training = await bench.train()

    assert training.fault is Fault.NONE
    assert "stopped in time" in training.outcome.log_tail


async def test_a_contradictory_question_fails_the_trial(tmp_path: Path) -> None:
    cell = """
def train(trial):
    if trial.number == 0:
        trial.suggest_int("n", 5, 1)
    return b"found"
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    training = await bench.train()

    assert bench.models[0].trial == 1
    assert "bad_ask" in training.outcome.log_tail


async def test_a_choice_that_is_no_scalar_is_refused_with_advice(tmp_path: Path) -> None:
    cell = 'def train(trial): trial.suggest_categorical("layers", [(1, 2), (3,)])\n'

    training = await cell_bench(tmp_path, cell + EVALUATE).train()

    assert "look up in a dict" in training.outcome.log_tail


async def test_a_model_over_the_limit_fails_the_trial_with_advice(tmp_path: Path) -> None:
    bench = cell_bench(tmp_path, "def train(trial): return bytes(100_001)\n" + EVALUATE)

    training = await bench.train()

    assert bench.models == []
    assert "--model-bytes" in training.outcome.log_tail


async def test_a_trial_is_seeded_by_job_node_and_number(tmp_path: Path) -> None:
    cell = """
import random
def train(trial):
    return b"%d %d" % (trial.seed, random.getrandbits(32))
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    await bench.train()

    seed, drawn = bench.models[0].file.path.read_bytes().split()
    assert int(seed) == train_seed(JOB, NODE, 0)
    again = cell_bench(tmp_path / "again", cell + EVALUATE)
    again.folder = tmp_path
    await again.train()
    assert again.models[0].file.path.read_bytes() == seed + b" " + drawn


async def test_threads_are_limited_before_numpy_is_imported(tmp_path: Path) -> None:
    cell = """
import os
def train(trial):
    return os.environ["OMP_NUM_THREADS"].encode()
"""
    bench = cell_bench(tmp_path, cell + EVALUATE)

    await bench.train()

    assert bench.models[0].file.path.read_bytes() == b"1"


async def test_params_travel_with_a_model_whose_load_wants_them(tmp_path: Path) -> None:
    cell = """
def train(trial):
    trial.suggest_categorical("unit", ["grams"])
    return 5
def save(model, path):
    with open(path, "w") as file: file.write(str(model))
def load(path, params):
    with open(path) as file: return file.read() + params["unit"]
def evaluate(model):
    return 0.0 if model in (5, "5grams") else 1.0
"""
    bench = cell_bench(tmp_path, cell)

    await bench.train()

    assert zipfile.ZipFile(bench.models[0].file.path).namelist() == ["model", "params.json"]
    assert (await bench.evaluate(bench.models[0].file.path)).losses == (0,)
