"""The owner lets a winner's model predict: refused by name, run with an evaluation's limits, nothing left behind."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from lc_node.api import calls, schema
from lc_node.api.errors import Refused, UnknownThing
from lc_node.api.schema_jobs import CheckProblem, Prediction
from lc_node.chain.crypto import sha256
from lc_node.chain.job import Job
from lc_node.chain.types import ByteCount, Digest, ModelRoot
from lc_node.ports.sandbox import SandboxFailed, Status
from lc_node.ports.stores import Naming
from lc_node.runtime.predicting import Predicting
from lc_node.runtime.predictor import PREDICTIONS_BYTES_MAX
from tests.chain.market import Market, flat
from tests.fakes import Exit, Program, ScriptedRun
from tests.runtime.work_bench import MarketClock, Worker

INPUTS = b"inputs"
MODEL = b"model"


class Desk:
    """A node with a job that ann has won, and its owner's inputs."""

    def __init__(self, folder: Path) -> None:
        market = Market(["sue", "ann"])
        self.worker = Worker(folder, market, "sue")
        name = self.worker.post()
        market.auction(name, {"ann": 5})
        market.judge(name, flat(5))
        (folder / "model").write_bytes(MODEL)
        root, size = self.worker.blobs.put_file(folder / "model", Naming.CHUNKS)
        [bid] = market.job(name).bids
        opened = replace(bid, opening=((ModelRoot(root), ByteCount(size)),))
        self.job = replace(market.job(name), bids=(opened,))
        self.sandbox_problem = ""
        self.inputs = self.worker.blobs.put_bytes(INPUTS)

    async def predict(self, inputs: Digest | None = None) -> Prediction:
        chain = cast("Any", SimpleNamespace(state=SimpleNamespace(job=self._find)))
        predicting = Predicting(
            chain,
            self.worker.workshop,
            self.worker.blobs,
            MarketClock(self.worker.market),
            lambda: self.sandbox_problem,
        )
        job, digest = self.job.id.hex(), (inputs or self.inputs).hex()
        call = calls.Predict(job=schema.JobId(job), inputs=schema.Digest(digest))
        async with asyncio.timeout(10):
            return await predicting.predict(call)

    def _find(self, name: bytes) -> Job | None:
        return self.job if name == self.job.id else None


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def ending(**how: Any) -> Program:
    """Return a prediction that ends at once in some way."""

    async def end(_run: ScriptedRun) -> None:
        raise Exit(**how)

    return end


async def test_a_model_gets_the_inputs_and_what_it_leaves_comes_back(desk: Desk) -> None:
    answer = await desk.predict()

    assert (answer.problem, answer.data) == (CheckProblem.NONE, INPUTS + MODEL)


async def test_nothing_of_a_prediction_is_left(desk: Desk) -> None:
    await desk.predict()

    assert desk.worker.blobs.path_of(desk.inputs) is None
    assert not list((desk.worker.folder / "jobs").glob("*"))


async def test_the_inputs_go_also_where_the_sandbox_fails(desk: Desk) -> None:
    desk.worker.sandbox.failures = 1

    with pytest.raises(SandboxFailed):
        await desk.predict()

    assert desk.worker.blobs.path_of(desk.inputs) is None


async def test_a_job_without_a_winner_is_refused(desk: Desk) -> None:
    desk.job = replace(desk.job, winner=())

    with pytest.raises(Refused, match="has no winner") as refused:
        await desk.predict()
    assert refused.value.code == "NoWinner"


async def test_a_contract_that_knows_no_predictions_is_refused(desk: Desk) -> None:
    desk.job = replace(desk.job, spec=replace(desk.job.spec, contract="stdout/1"))

    with pytest.raises(Refused, match="contract stdout/1 cannot predict") as refused:
        await desk.predict()
    assert refused.value.code == "CannotPredict"


async def test_inputs_that_are_not_here_are_named(desk: Desk) -> None:
    with pytest.raises(UnknownThing, match="put the inputs into the node first"):
        await desk.predict(sha256(b"other"))


async def test_inputs_beyond_the_limit_are_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PREDICT_INPUTS_BYTES_MAX", len(INPUTS) - 1)

    with pytest.raises(Refused) as refused:
        await desk.predict()
    assert refused.value.code == "InputsTooLarge"


async def test_without_a_sandbox_the_answer_says_so(desk: Desk) -> None:
    desk.sandbox_problem = "install bubblewrap"
    answer = await desk.predict()

    assert (answer.problem, answer.text) == (CheckProblem.NO_SANDBOX, "install bubblewrap")


async def test_an_image_that_is_refused_is_an_answer(desk: Desk) -> None:
    desk.worker.images.refusal = "a link out of its root"
    answer = await desk.predict()

    assert (answer.problem, answer.text) == (
        CheckProblem.IMAGE_REFUSED,
        "The image is refused: a link out of its root",
    )


async def leave_nothing(_run: ScriptedRun) -> None:
    return


async def leave_too_much(run: ScriptedRun) -> None:
    run.files["predictions"] = bytes(PREDICTIONS_BYTES_MAX + 1)


@pytest.mark.parametrize(
    ("program", "problem", "said"),
    [
        (leave_nothing, CheckProblem.BAD_OUTPUT, "missing or too large"),
        (leave_too_much, CheckProblem.BAD_OUTPUT, "missing or too large"),
        (ending(code=1), CheckProblem.CRASHED, "exit code 1"),
        (ending(code=2), CheckProblem.CRASHED, "as of an image that knows no predictions"),
        (ending(status=Status.TIMED_OUT), CheckProblem.TIMED_OUT, "its time was over"),
        (ending(status=Status.OUT_OF_MEMORY), CheckProblem.OUT_OF_MEMORY, "out of memory"),
        (ending(status=Status.OUTPUT_LIMIT), CheckProblem.OVERSIZE, "more than a run may"),
    ],
)
async def test_a_runs_own_failure_is_an_answer(
    desk: Desk, program: Program, problem: CheckProblem, said: str
) -> None:
    desk.worker.sandbox.predict = program
    answer = await desk.predict()

    assert (answer.problem, answer.data) == (problem, b"")
    assert said in answer.text


async def test_a_run_that_somebody_ends_is_no_fault_of_the_job(desk: Desk) -> None:
    async def be_ended(run: ScriptedRun) -> None:
        run.was_killed = True

    desk.worker.sandbox.predict = be_ended

    with pytest.raises(SandboxFailed):
        await desk.predict()
