"""Three problems of hyper-parameters, as cells that nodes run, and the shared Optuna study they are compared with."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_CELL: Final = '''
import json
import sys
import threading

import numpy as np
from sklearn.datasets import load_{data}
{imports}

X, Y = load_{data}(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(X))
HALF = len(X) // 2
LEFT = [{budget}]

class Noted:
    """Hands questions on, and notes the answers."""

    def __init__(self, trial):
        self.trial, self.params = trial, {{}}

    def suggest_float(self, name, *bounds, **more):
        return self.params.setdefault(name, self.trial.suggest_float(name, *bounds, **more))

    def suggest_int(self, name, *bounds, **more):
        return self.params.setdefault(name, self.trial.suggest_int(name, *bounds, **more))

    def suggest_categorical(self, name, choices):
        return self.params.setdefault(name, self.trial.suggest_categorical(name, choices))

class Given:
    """Answers questions from a table."""

    def __init__(self, params):
        self.suggest_float = self.suggest_int = self.suggest_categorical = (
            lambda name, *_, **__: params[name]
        )

def fitted_loss(model, loss):
    train, test = ORDER[:HALF], ORDER[HALF:]
    model.fit(X[train], Y[train])
    return float(loss(model, X[test], Y[test]))

{objective}

def train(trial):
    if LEFT[0] == 0:
        sys.exit(0)
    LEFT[0] -= 1
    noted = Noted(trial)
    loss = objective(noted)
    trial.report(loss, json.dumps(noted.params).encode())

def evaluate(model):
    return [objective(Given(json.loads(model)))]
'''
_SHARED: Final = """
import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study(
    study_name="shared",
    storage=JournalStorage(JournalFileBackend({journal!r})),
    sampler=optuna.samplers.TPESampler(seed={seed}),
)
study.optimize(objective, n_trials={budget})
"""

_SVR: Final = """
def objective(trial):
    model = make_pipeline(StandardScaler(), SVR(
        C=trial.suggest_float("C", 1e-2, 1e4, log=True),
        gamma=trial.suggest_float("gamma", 1e-5, 1.0, log=True),
        epsilon=trial.suggest_float("epsilon", 1e-3, 1e2, log=True),
    ))
    return fitted_loss(model, lambda m, x, y: np.mean((m.predict(x) - y) ** 2) / 1e4)
"""
_BOOSTING: Final = """
def objective(trial):
    model = GradientBoostingRegressor(
        n_estimators=trial.suggest_int("trees", 5, 80),
        max_depth=trial.suggest_int("depth", 1, 5),
        learning_rate=trial.suggest_float("rate", 1e-3, 1.0, log=True),
        subsample=trial.suggest_float("sample", 0.3, 1.0),
        random_state=0,
    )
    return fitted_loss(model, lambda m, x, y: np.mean((m.predict(x) - y) ** 2) / 1e4)
"""
_LOGISTIC: Final = """
def objective(trial):
    scale = trial.suggest_categorical("scale", ["none", "standard"])
    model = LogisticRegression(
        C=trial.suggest_float("C", 1e-4, 1e4, log=True),
        max_iter=trial.suggest_int("steps", 5, 200),
        solver="liblinear",
    )
    pipeline = make_pipeline(StandardScaler(), model) if scale == "standard" else model
    return fitted_loss(pipeline, lambda m, x, y: log_loss(y, m.predict_proba(x)))
"""
_PIPELINE: Final = """
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
"""
_LOGISTIC_IMPORTS: Final = f"""
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
{_PIPELINE}
"""
PROBLEMS: Final[Mapping[str, tuple[str, str, str]]] = {
    "svr": ("diabetes", f"from sklearn.svm import SVR\n{_PIPELINE}", _SVR),
    "boosting": (
        "diabetes",
        "from sklearn.ensemble import GradientBoostingRegressor",
        _BOOSTING,
    ),
    "logistic": ("breast_cancer", _LOGISTIC_IMPORTS, _LOGISTIC),
}
"""By name: the data, what is imported, the objective."""


def cell_of(problem: str, budget: int) -> str:
    """Return the cell of a problem, which ends by itself after so many trials."""
    data, imports, objective = PROBLEMS[problem]
    return _CELL.format(data=data, imports=imports, objective=objective, budget=budget)


def shared_loss(problem: str, budget: int, *, processes: int, seed: int) -> float:
    """Return the loss that one study reaches which some processes share, with as many trials each."""
    import optuna  # noqa: PLC0415  # takes its time, and only the yardstick wants it
    from optuna.storages.journal import JournalFileBackend, JournalStorage  # noqa: PLC0415  # the same

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        journal = str(Path(folder) / "journal")
        storage = JournalStorage(JournalFileBackend(journal))
        study = optuna.create_study(storage=storage, study_name="shared")
        started = []
        for number in range(processes):
            code = _SHARED.format(journal=journal, seed=seed + number, budget=budget)
            script = Path(folder) / f"process-{number}.py"
            script.write_text(cell_of(problem, budget) + code)
            started.append(subprocess.Popen([sys.executable, script]))  # noqa: S603  # our own words
        assert [process.wait() for process in started] == [0] * processes
        return float(study.best_value)
