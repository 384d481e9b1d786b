"""Judging: what a drawn node finds, says, and repeats after a restart; what it fetches beforehand."""

import asyncio
from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.job import Phase, Verdict
from lc_node.chain.transactions import Fault, VerdictReveal
from lc_node.chain.types import JobId
from tests.chain.market import Market, key, model
from tests.fakes import Exit, ScriptedRun
from tests.peer_nodes import until
from tests.runtime.work_bench import Worker, working

LAYER = sha256(b"a layer")
MANIFEST = sha256(b"image")


@pytest.fixture
def judge(tmp_path: Path) -> Worker:
    judge = Worker(tmp_path, Market(["sue", "tom"], verifiers=3), "v0", policy=None)
    judge.sandbox.evaluate = tell_a_quarter
    return judge


def to_be_seated(judge: Worker) -> JobId:
    """Let a job come to where the judge, as one of three, has a seat."""
    job = judge.post()
    judge.graph.offer(b"model of tom")
    judge.market.bid("tom", job, 250_000_000)
    judge.market.expire(job)
    judge.market.open("tom", job)
    judge.market.tick()
    assert judge.job(job).phase is Phase.COMMIT
    return job


async def tell_a_quarter(run: ScriptedRun) -> None:
    assert run.model == b"model of tom"
    await run.say(lc="losses", values=[0.25])


async def test_a_drawn_node_evaluates_commits_and_reveals(judge: Worker) -> None:
    job = to_be_seated(judge)

    async with working(judge):
        await until(lambda: judge.kinds() == ["VerdictCommit"])
        judge.market.skip_to(judge.job(job).due)
        await until(lambda: judge.kinds()[-1] == "VerdictReveal")

    verdict = judge.sent[-1]
    assert isinstance(verdict, VerdictReveal)
    assert verdict.losses == (250_000_000,)


async def test_a_verdict_is_revealed_as_committed_after_a_restart(judge: Worker) -> None:
    job = to_be_seated(judge)
    async with working(judge):
        await until(lambda: judge.kinds() == ["VerdictCommit"])
    judge.boot()
    judge.market.skip_to(judge.job(job).due)

    async with working(judge):
        await until(lambda: judge.kinds() == ["VerdictCommit", "VerdictReveal"])

    assert judge.sandbox.started == ["evaluate"]


async def test_an_evaluation_that_crashes_is_reported_as_such(judge: Worker) -> None:
    async def crash(_run: ScriptedRun) -> None:
        raise Exit(code=1)

    judge.sandbox.evaluate = crash
    job = to_be_seated(judge)

    async with working(judge):
        await until(lambda: judge.kinds() == ["VerdictCommit"])

    assert judge.desk(job).verdicts == {key("tom"): Verdict(losses=(), fault=Fault.CRASHED)}


async def test_a_model_that_nobody_has_is_reported_when_time_runs_out(judge: Worker) -> None:
    job = to_be_seated(judge)
    del judge.graph.has[model("tom")]

    async with working(judge):
        await until(lambda: "FetchModel" in judge.desk(job).complaints)
        judge.market.skip_to(judge.job(job).due - 2_000)
        await until(lambda: judge.kinds() == ["VerdictCommit"])

    assert judge.desk(job).verdicts[key("tom")].fault is Fault.MODEL_UNAVAILABLE


async def test_a_model_under_judgement_is_pinned(judge: Worker) -> None:
    to_be_seated(judge)

    async with working(judge):
        await until(lambda: judge.kinds() == ["VerdictCommit"])

        assert judge.pins() == {MANIFEST, LAYER, model("tom")}


async def test_who_may_be_drawn_fetches_the_image_once_there_is_a_bid(judge: Worker) -> None:
    job = judge.post()

    async with working(judge):
        judge.market.tick(20_000)
        judge.service.wake()
        await asyncio.sleep(0.02)
        assert judge.graph.asked == []

        contest(judge, job)
        await until(lambda: judge.desk(job).is_prefetched or contest(judge))

        assert judge.graph.asked == [MANIFEST, LAYER]
        assert (judge.desk(job).image, judge.pins()) == (None, set())


async def test_images_fetched_beforehand_come_two_at_a_time(judge: Worker) -> None:
    judge.graph.gate.clear()
    jobs = [judge.post(b"image %d" % number) for number in range(4)]

    async with working(judge):
        contest(judge, *jobs)
        await until(lambda: len(judge.graph.asked) == 2 or contest(judge))
        await asyncio.sleep(0.05)
        assert len(judge.graph.asked) == 2

        judge.graph.gate.set()
        desks = judge.service.desks.values()
        await until(lambda: all(d.is_prefetched for d in desks) or contest(judge))


@pytest.mark.parametrize("me", ["tom", "sue"])
async def test_who_cannot_be_drawn_fetches_nothing_beforehand(tmp_path: Path, me: str) -> None:
    idle = Worker(tmp_path, Market(["sue", "tom", "rita"]), me, policy=None)
    job = idle.post()

    async with working(idle):
        contest(idle, job, bidder="rita")
        await asyncio.sleep(0.02)
        contest(idle)
        await asyncio.sleep(0.02)

    assert idle.graph.asked == []


def contest(worker: Worker, *jobs: JobId, bidder: str = "tom") -> bool:
    """Let somebody bid and some time pass; never what is waited for."""
    for job in jobs:
        worker.market.bid(bidder, job, 500_000_000)
        worker.market.tick()
    worker.service.wake()
    worker.market.tick(500)
    return False
