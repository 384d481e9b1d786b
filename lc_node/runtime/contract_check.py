"""Tries an image out against its contract, in the sandbox that jobs run in; needs no graph and no node."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, NanoLoss
from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import Outcome, SandboxWishes
from lc_node.runtime.contract_findings import (
    Item,
    Talk,
    Verdict,
    of_evaluations,
    of_label,
    of_limits,
    of_training,
    shown,
    skipped,
)
from lc_node.runtime.contract_plain import of_plain_trials
from lc_node.runtime.image_runs import ImageRuns, RunTerms
from lc_node.runtime.image_source import LocalImage
from lc_node.worker.limits import memory_limit

NOISE: Final = bytes(range(251)) * 17
"""No model of any format."""

_LATER: Final = ("evaluates", "is repeatable", "reads the model", "limits", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training left behind."""

    model: Path | None
    outcomes: tuple[Outcome, ...]
    hint: NanoLoss | None = None
    """What training itself said of the model, where that is known."""


async def check_contract(
    image: LocalImage, terms: RunTerms, wishes: SandboxWishes
) -> tuple[Item, ...]:
    """Return the checklist of an image, in order; what cannot be reached is said to be skipped.

    Raises:
        SandboxFailed, SandboxUnavailable: the sandbox itself failed; not the image's fault.
    """
    talk = Talk()
    try:
        async with ImageRuns.opened(image.digest, image, talk.hear, wishes) as runs:
            starts = Item(name="starts", verdict=Verdict.OK, text=" ".join(runs.image.argv))
            return starts, *[item async for item in _items(runs, terms, talk)]
    except ImageRefused as error:
        fix = "`lc-node image check` says what a node wants of an image"
        return (Item(name="starts", verdict=Verdict.PROBLEM, text=str(error), fix=fix),)


async def _items(runs: ImageRuns, terms: RunTerms, talk: Talk) -> AsyncIterator[Item]:
    if terms.contract is Contract.LC_1:
        training, model = await runs.train(terms, trials=1, stops_at_model=True)
        trained = Trained(model=model, outcomes=(training.outcome,))
        for item in of_training(talk, training, _size(model)):
            yield item
    else:
        trials = [await runs.plain_trial(terms, 0)]
        if trials[0].loss is not None:
            trials.append(await runs.plain_trial(terms, 1))
        for item in of_plain_trials(trials):
            yield item
        trained = Trained(
            model=trials[0].model,
            outcomes=tuple(trial.outcome for trial in trials),
            hint=trials[0].loss,
        )
    if trained.model is None:
        for item in skipped(*_LATER):
            yield item
        return
    async for item in _of_model(runs, terms, trained, trained.model):
        yield item


async def _of_model(
    runs: ImageRuns, terms: RunTerms, trained: Trained, model: Path
) -> AsyncIterator[Item]:
    noise = model.with_name("noise")
    noise.write_bytes(NOISE)
    one, two, other = [await runs.evaluate(terms, path) for path in (model, model, noise)]
    for item in of_evaluations(one, two, other):
        yield item
    if one.loss is not None and trained.hint is not None:
        yield _honest(trained.hint, one.loss)
    outcomes = (*trained.outcomes, one.outcome, two.outcome)
    yield of_limits(outcomes, memory_limit(runs.spec(terms)))
    if one.fault is Fault.NONE:
        speaks = terms.contract is Contract.LC_1
        yield of_label(terms.model_format, len(one.losses), speaks=speaks)


def _honest(hint: NanoLoss, loss: NanoLoss) -> Item:
    """Return whether training printed what evaluating says; a difference is allowed, and costs good models."""
    if hint == loss:
        return Item(
            name="agrees", verdict=Verdict.OK, text="training printed what evaluating says"
        )
    text = f"training printed {shown(hint)}, evaluating says {shown(loss)}, which is announced"
    fix = "print in training what the evaluation will: later models are kept or left by it"
    return Item(name="agrees", verdict=Verdict.NOTE, text=text, fix=fix)


def _size(model: Path | None) -> ByteCount | None:
    return None if model is None else ByteCount(model.stat().st_size)
