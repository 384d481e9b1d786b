"""Runs the captured functions as contract lc/1 asks: trials, or one evaluation, or one prediction."""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lc_jupyter.runner import layout, plain
from lc_jupyter.runner.channel import Channel, NodeGone, Refused
from lc_jupyter.runner.failures import Streak, tell
from lc_jupyter.runner.formats import load_model, save_model
from lc_jupyter.runner.job import (
    Job,
    Payload,
    Places,
    find_places,
    limit_threads,
    read_job,
    read_payload,
    seed_everything,
)
from lc_jupyter.runner.losses import mean_loss, not_finite, to_losses
from lc_jupyter.runner.trial import Diverged, SaveFile, StopTrial, Trial

_USAGE: Final = 2


def main(arguments: Sequence[str]) -> int:
    """Run one role and return the exit code."""
    roles = {"train": train, "evaluate": evaluate, "predict": predict}
    if len(arguments) != 1 or arguments[0] not in roles:
        sys.stderr.write("usage: python -m lc_jupyter.runner train|evaluate|predict\n")
        return _USAGE
    channel = Channel.from_stdio()
    places = find_places()
    job = read_job(places)
    limit_threads(job, os.environ)
    try:
        return roles[arguments[0]](channel, places, job)
    except NodeGone:
        return 1
    except Exception as error:  # noqa: BLE001 (whatever a cell raises is told, without our own frames)
        tell(error)
        return 1


def train(channel: Channel, places: Places, job: Job) -> int:
    """Run trials one after the other until the node wants no more."""
    sys.path.insert(0, str(places.work))
    seed_everything(job.seed)
    payload = read_payload(places)
    save = _saver(payload, job)
    number, streak = 0, Streak()
    while True:
        try:
            trial = Trial(channel, number, out=places.outputs, save=save)
        except Refused:
            return 0
        if not trial.end(_run(trial, payload, streak)):
            return 0
        if streak.is_hopeless:
            streak.give_up()
            return 1
        number += 1


def evaluate(channel: Channel, places: Places, job: Job) -> int:
    """Load the model and say the losses that the cell's ``evaluate`` returns for it."""
    sys.path.insert(0, str(places.work))
    seed_everything(job.seed)
    payload = read_payload(places)
    path = places.inputs / layout.MODEL_FILE
    # Here, in the sandbox, even a pickle may be loaded.
    model = load_model(path, payload.model_format, load=payload.load, trust=True)
    seed_everything(job.seed)
    losses = to_losses(payload.evaluate(model))
    if not all(map(math.isfinite, losses)):
        raise ValueError(not_finite("evaluate", losses))
    channel.send(lc="losses", values=losses)
    return 0


def predict(_channel: Channel, places: Places, job: Job) -> int:
    """Load the model and leave what it makes of the inputs; plain data goes in, and plain data comes out."""
    sys.path.insert(0, str(places.work))
    seed_everything(job.seed)
    payload = read_payload(places)
    path = places.inputs / layout.MODEL_FILE
    model = load_model(path, payload.model_format, load=payload.load, trust=True)
    inputs = plain.decode((places.inputs / layout.INPUTS_FILE).read_bytes())
    seed_everything(job.seed)
    predicted = (payload.predict or _call_predict)(model, *inputs)
    (places.outputs / layout.PREDICTIONS_FILE).write_bytes(plain.encode(predicted))
    return 0


def _call_predict(model: Any, *inputs: Any) -> Any:
    if not hasattr(model, "predict"):
        raise TypeError(
            f"a {type(model).__name__} has no method predict: define predict(model, data) in the submitted cell"
        )
    return model.predict(*inputs)


def _run(trial: Trial, payload: Payload, streak: Streak) -> str:
    seed_everything(trial.seed)
    try:
        model = payload.train(trial)
        trial.finish(model, lambda found: mean_loss(to_losses(payload.evaluate(found))))
    except StopTrial as stop:
        streak.stop(trial.number, str(stop), diverged=isinstance(stop, Diverged))
        return "pruned"
    except (NodeGone, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 (sys.exit() in a cell fails a trial, not the run)
        streak.fail(trial.number, error)
        return "failed"
    streak.end()
    return "complete"


def _saver(payload: Payload, job: Job) -> SaveFile:
    def save(model: Any, path: Path, params: dict[str, Any]) -> None:
        save_model(
            model, path, payload.model_format, save=payload.save, load=payload.load, params=params
        )
        size = path.stat().st_size
        if size > job.model_bytes_max:
            raise ValueError(
                f"the model has {size} bytes, the job allows {job.model_bytes_max}:"
                " submit it with a larger --model-bytes"
            )

    return save
