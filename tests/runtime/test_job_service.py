"""The job service: it does what duty asks, survives what fails, and remembers over a restart."""

import asyncio
import logging
from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.job import Job, Phase, Verdict
from lc_node.chain.transactions import Bid, Extend, Fault, Open, VerdictReveal
from lc_node.chain.types import ByteCount, Digest, JobId, Millis, ModelRoot, PublicKey
from lc_node.ports.images import BlobReference
from lc_node.worker.duties import Action, Mine, next_actions
from tests.chain.market import Market, flat, key, model
from tests.fakes import Exit, ScriptedRun, train_on, train_two
from tests.peer_nodes import until
from tests.runtime.work_bench import Worker, working

LAYER = sha256(b"a layer")
MANIFEST = sha256(b"image")
BEST = ModelRoot(sha256(b"0.25"))


@pytest.fixture
def trainer(tmp_path: Path) -> Worker:
    return Worker(tmp_path, Market(["sue", "tom", "rita"]), "tom")


@pytest.fixture
def judge(tmp_path: Path) -> Worker:
    judge = Worker(tmp_path, Market(["sue", "tom"], verifiers=3), "v0", policy=None)
    judge.sandbox.evaluate = tell_a_quarter
    return judge


def best_loss(worker: Worker, job: JobId) -> int | None:
    return next((bid.loss for bid in worker.job(job).bids), None)


async def until_bid(worker: Worker, job: JobId, loss: int = 250_000_000) -> None:
    await until(lambda: best_loss(worker, job) == loss)


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


async def test_a_job_is_trained_and_each_better_model_announced(trainer: Worker) -> None:
    job = trainer.post()

    async with working(trainer):
        await until_bid(trainer, job)

    losses = [body.loss for body in trainer.sent if isinstance(body, Bid)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 250_000_000


async def test_an_announced_model_is_opened_when_the_time_has_come(trainer: Worker) -> None:
    job = trainer.post()
    async with working(trainer):
        await until_bid(trainer, job)
        trainer.market.expire(job)
        await until(lambda: trainer.kinds()[-1] == "Open")

    opened = trainer.sent[-1]
    assert isinstance(opened, Open)
    assert opened.model_root == BEST


async def test_after_a_restart_a_bid_is_opened_with_the_same_salt(trainer: Worker) -> None:
    job = trainer.post()
    async with working(trainer):
        await until_bid(trainer, job)
    trainer.boot()
    trainer.market.expire(job)

    async with working(trainer):
        await until(lambda: bool(trainer.job(job).bids[0].opening))

    assert trainer.job(job).bids[0].opening[0][0] == BEST


async def test_only_what_a_fresh_evaluation_gave_is_announced(trainer: Worker) -> None:
    async def tell_higher(run: ScriptedRun) -> None:
        await run.say(lc="losses", values=[float(run.model) + 1])

    trainer.sandbox.evaluate = tell_higher
    job = trainer.post()

    async with working(trainer):
        await until_bid(trainer, job, 1_250_000_000)


async def test_while_the_judge_is_busy_the_newest_model_replaces_the_one_that_waits(
    trainer: Worker,
) -> None:
    is_free, evaluated = asyncio.Event(), []

    async def tell_slowly(run: ScriptedRun) -> None:
        evaluated.append(run.model)
        await is_free.wait()
        await run.say(lc="losses", values=[float(run.model)])

    async def train_three(run: ScriptedRun) -> None:
        await run.offer(1, b"0.5")
        await until(lambda: bool(evaluated))
        await run.offer(2, b"0.375")
        await run.offer(3, b"0.25")
        is_free.set()

    trainer.sandbox.train, trainer.sandbox.evaluate = train_three, tell_slowly
    job = trainer.post()

    async with working(trainer):
        await until_bid(trainer, job)

    assert evaluated == [b"0.5", b"0.25"]


async def test_a_judgement_that_would_come_after_the_expiry_is_ended(trainer: Worker) -> None:
    async def tell_never(_run: ScriptedRun) -> None:
        await asyncio.Event().wait()

    trainer.sandbox.evaluate = tell_never
    job = trainer.post()

    async with working(trainer):
        await until(
            lambda: len(trainer.sandbox.running) == 1 and trainer.desk(job).models_taken == 2
        )
        trainer.market.expire(job)
        await until(lambda: trainer.desk(job).is_cleared)

    assert trainer.sent == []


async def test_without_a_policy_nothing_is_trained(trainer: Worker) -> None:
    trainer.policy = None
    trainer.boot()
    trainer.post()

    async with working(trainer):
        await asyncio.sleep(0.05)

    assert trainer.sandbox.started == []


async def test_a_job_taken_before_is_not_trained_once_the_policy_is_gone(trainer: Worker) -> None:
    job = trainer.post()
    trainer.work.put_choice(job, wanted=True, why="")
    trainer.policy = None
    trainer.boot()

    async with working(trainer):
        await until(lambda: job in trainer.service.desks)
        await asyncio.sleep(0.05)

    assert trainer.sandbox.started == []


async def test_no_more_jobs_are_trained_at_once_than_the_policy_allows(trainer: Worker) -> None:
    trainer.sandbox.train = train_on
    first, second = trainer.post(b"image"), trainer.post(b"image two")

    async with working(trainer):
        await until(lambda: len(trainer.sandbox.started) >= 2)
        await asyncio.sleep(0.05)

    assert trainer.sandbox.started.count("train") == 1
    assert sorted(trainer.desk(job).wanted for job in (first, second)) == [False, True]


async def test_a_restarted_node_counts_the_jobs_it_had_taken(trainer: Worker) -> None:
    jobs = sorted(trainer.post(name) for name in (b"image", b"image two"))
    trainer.sandbox.train = train_on
    trainer.work.put_choice(jobs[1], wanted=True, why="")

    async with working(trainer):
        await until(lambda: "train" in trainer.sandbox.started)

    assert [trainer.desk(job).wanted for job in jobs] == [False, True]


async def test_a_stopped_job_ends_and_is_not_taken_again(trainer: Worker) -> None:
    trainer.sandbox.train = train_on
    job = trainer.post()
    async with working(trainer):
        await until_bid(trainer, job, 500_000_000)
        trainer.service.stop(job)
        await until(lambda: not trainer.sandbox.running or time_passes(trainer))
    trainer.boot()

    async with working(trainer):
        await asyncio.sleep(0.05)

    assert trainer.sandbox.started.count("train") == 1
    assert trainer.desk(job).why_not == "stopped by the owner"


async def test_a_training_that_runs_on_is_asked_to_stop_once(trainer: Worker) -> None:
    asked = 0

    def decide(job: Job, me: PublicKey, mine: Mine, now: Millis) -> tuple[Action, ...]:
        nonlocal asked
        asked += 1
        return next_actions(job, me, mine, now)

    trainer.decide, trainer.sandbox.train = decide, train_on
    trainer.boot()
    job = trainer.post()

    async with working(trainer):
        await until_bid(trainer, job, 500_000_000)
        trainer.market.expire(job)
        trainer.service.wake()
        await asyncio.sleep(0.1)

    assert asked < 40


async def test_an_extended_job_is_not_trained_twice_at_once(trainer: Worker) -> None:
    async def train_silently(_run: ScriptedRun) -> None:
        await asyncio.Event().wait()

    trainer.sandbox.train = train_silently
    job = trainer.post()
    async with working(trainer):
        await until(lambda: trainer.sandbox.started == ["train"])
        expiry = Millis(trainer.job(job).expiry + 60_000)
        trainer.market.send("sue", Extend(job=job, expiry=expiry))
        trainer.service.wake()
        await asyncio.sleep(0.05)
        assert trainer.sandbox.started == ["train"]

        trainer.sandbox.train = train_two
        trainer.market.skip_to(expiry - 45_000)
        await until_bid(trainer, job)


async def test_what_failed_is_tried_again_and_warned_of_once(
    trainer: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    trainer.sandbox.failures = 3
    job = trainer.post()

    with caplog.at_level(logging.WARNING):
        async with working(trainer):
            await until_bid(trainer, job)

    warnings = [r.message for r in caplog.records if "no room in the sandbox" in r.message]
    assert len(warnings) == 1


async def test_a_sandbox_that_fails_while_judging_ends_the_training_not_the_node(
    trainer: Worker,
) -> None:
    failed = False

    async def fail_once(run: ScriptedRun) -> None:
        nonlocal failed
        if not failed:
            failed = True
            run.kill()  # as if by somebody else: SandboxFailed
        await run.say(lc="losses", values=[float(run.model)])

    trainer.sandbox.evaluate = fail_once
    job = trainer.post()

    async with working(trainer):
        await until_bid(trainer, job)

    assert trainer.sandbox.started.count("train") == 2


async def test_a_surprise_is_logged_and_neither_ends_the_node_nor_blocks_the_action(
    trainer: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    trainer.refusing = True
    job = trainer.post()

    async with working(trainer):
        await until(lambda: len(trainer.sent) >= 3)
        trainer.refusing = False
        await until_bid(trainer, job)

    assert "a surprise" in caplog.text
    assert not trainer.desk(job).under_way


async def test_an_image_that_is_refused_is_not_fetched_again(trainer: Worker) -> None:
    trainer.images.refusal = "a device file"
    job = trainer.post()

    async with working(trainer):
        await until(lambda: bool(trainer.desk(job).image_refused))
        asked = list(trainer.graph.asked)
        await asyncio.sleep(0.05)

    assert trainer.graph.asked == asked
    assert trainer.desk(job).image_refused == "a device file"


async def test_an_image_larger_than_declared_is_refused(trainer: Worker) -> None:
    trainer.images.layers = (BlobReference(digest=LAYER, size=ByteCount(1_001)),)
    job = trainer.post()

    async with working(trainer):
        await until(lambda: "1001 bytes" in trainer.desk(job).image_refused)


async def test_a_refused_image_makes_room_for_another_job(trainer: Worker) -> None:
    trainer.images.refusal = "a device file"
    trainer.post(b"image")
    trainer.post(b"image two")

    async with working(trainer):
        await until(lambda: all(d.image_refused for d in trainer.service.desks.values()))


# What is kept.


async def test_image_and_best_model_are_pinned_while_the_job_lives(trainer: Worker) -> None:
    job = trainer.post()

    async with working(trainer):
        await until_bid(trainer, job)
        await until(lambda: not trainer.desk(job).under_way)
        trainer.service.wake()
        await asyncio.sleep(0.01)

        assert trainer.pins() == {MANIFEST, LAYER, BEST}


async def test_when_the_job_is_over_only_the_winner_keeps_its_model(trainer: Worker) -> None:
    job = trainer.post()
    async with working(trainer):
        await until_bid(trainer, job)
        await until(lambda: not trainer.desk(job).under_way)
        settle(trainer, job)
        await until(lambda: trainer.desk(job).is_cleared)

        assert trainer.pins() == {BEST}
        assert not (trainer.folder / "jobs" / job.hex()).exists()
        assert trainer.desk(job).image is None


async def test_a_restarted_winner_keeps_its_model(trainer: Worker) -> None:
    job = trainer.post()
    async with working(trainer):
        await until_bid(trainer, job)
        settle(trainer, job)
    trainer.blobs._pins.clear()
    trainer.boot()

    async with working(trainer):
        await until(lambda: trainer.desk(job).is_cleared)

    assert trainer.pins() == {BEST}


async def test_what_the_chain_has_forgotten_is_forgotten_here(trainer: Worker) -> None:
    job = trainer.post()
    async with working(trainer):
        await until_bid(trainer, job)
        settle(trainer, job)
        trainer.market.skip_to(trainer.job(job).due)
        assert trainer.state.job(job) is None
        await until(lambda: job not in trainer.service.desks)

        assert trainer.pins() == set()
        assert trainer.work.jobs() == []


async def test_what_the_chain_forgot_while_the_node_was_down_is_forgotten_at_the_start(
    trainer: Worker,
) -> None:
    gone = JobId(Digest(bytes(32)))
    trainer.work.put_choice(gone, wanted=True, why="")
    trainer.workshop.folder(gone)

    async with working(trainer):
        await until(lambda: trainer.work.jobs() == [])

        assert not (trainer.folder / "jobs" / gone.hex()).exists()


async def test_a_submitter_pins_its_image_while_the_job_lives(tmp_path: Path) -> None:
    sue = Worker(tmp_path, Market(["sue", "tom"]), "sue", policy=None)
    sue.blobs.put_bytes(b"image")
    job = sue.post()

    async with working(sue):
        await until(lambda: sue.pins() == {MANIFEST, LAYER})
        sue.market.expire(job)
        await until(lambda: not sue.pins())


# Judging.


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


# Fetching beforehand.


async def test_who_may_be_drawn_fetches_the_image_while_the_job_is_open(judge: Worker) -> None:
    job = judge.post()

    async with working(judge):
        await asyncio.sleep(0.02)
        assert judge.graph.asked == []

        judge.market.tick(40_000)
        await until(lambda: judge.desk(job).is_prefetched)

        assert judge.graph.asked == [MANIFEST, LAYER]
        assert (judge.desk(job).image, judge.pins()) == (None, set())


async def test_images_fetched_beforehand_come_two_at_a_time(judge: Worker) -> None:
    judge.graph.gate.clear()
    for number in range(4):
        judge.post(b"image %d" % number)

    async with working(judge):
        await asyncio.sleep(0)
        judge.market.tick(40_000)
        judge.service.wake()
        await until(lambda: len(judge.graph.asked) == 2)
        await asyncio.sleep(0.05)
        assert len(judge.graph.asked) == 2

        judge.graph.gate.set()
        await until(lambda: all(d.is_prefetched for d in judge.service.desks.values()))


@pytest.mark.parametrize("me", ["tom", "sue"])
async def test_who_cannot_be_drawn_fetches_nothing_beforehand(tmp_path: Path, me: str) -> None:
    idle = Worker(tmp_path, Market(["sue", "tom"]), me, policy=None)
    idle.post()

    async with working(idle):
        await asyncio.sleep(0)
        idle.market.tick(40_000)
        idle.service.wake()
        await asyncio.sleep(0.05)

    assert idle.graph.asked == []


def time_passes(worker: Worker) -> bool:
    """Let some seconds pass; never what is waited for."""
    worker.market.tick(3_000)
    return False


def settle(worker: Worker, job: JobId) -> None:
    """Let the job expire, the worker's node open, and the others' committee confirm."""
    market, desk = worker.market, worker.desk(job)
    opening = next(one for one in desk.openings.values() if one.solution.model_root == BEST)
    market.expire(job)
    body = Open(
        job=job,
        model_root=BEST,
        model_bytes=opening.solution.model_bytes,
        salt=opening.salt,
    )
    market.send(worker.me, body)
    market.tick()
    market.judge(job, flat(250_000_000))
    if not worker.job(job).phase.is_over:
        market.tick()
    assert worker.job(job).winner == (key(worker.me),)
    worker.service.wake()
