"""The job service: it does what duty asks, survives what fails, and remembers over a restart."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.job import Job
from lc_node.chain.transactions import Bid, Extend, Open
from lc_node.chain.types import ByteCount, Millis, ModelRoot, PublicKey
from lc_node.ports.images import BlobReference
from lc_node.worker.duties import Action, Mine, next_actions
from lc_node.worker.hours import Minute, parse_hours
from tests.chain.market import Market
from tests.fakes import ScriptedRun, train_on, train_two
from tests.peer_nodes import until
from tests.runtime.work_bench import POLICY, Worker, until_bid, working

LAYER = sha256(b"a layer")
MANIFEST = sha256(b"image")
BEST = ModelRoot(sha256(b"0.25"))


@pytest.fixture
def trainer(tmp_path: Path) -> Worker:
    return Worker(tmp_path, Market(["sue", "tom", "rita"]), "tom")


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


async def test_on_battery_no_job_is_taken_and_the_owner_is_told_why(trainer: Worker) -> None:
    trainer.policy = replace(POLICY, pauses_on_battery=True)
    trainer.surroundings.now = replace(trainer.surroundings.now, on_battery=True)
    trainer.boot()
    job = trainer.post()

    async with working(trainer):
        await until(lambda: job in trainer.service.desks)

        assert trainer.desk(job).why_not == "the machine runs on its battery"
        assert trainer.service.no_jobs_now == "the machine runs on its battery"
        trainer.surroundings.now = replace(trainer.surroundings.now, on_battery=False)
        await until_bid(trainer, job)


async def test_a_job_taken_before_is_trained_once_the_pause_is_over(trainer: Worker) -> None:
    trainer.policy = replace(POLICY, hours=(parse_hours("22:00-07:30"),))
    job = trainer.post()
    trainer.work.put_choice(job, wanted=True, why="")
    trainer.boot()

    async with working(trainer):
        await until(lambda: job in trainer.service.desks)
        assert trainer.sandbox.started == []
        assert trainer.desk(job).paused == "it is not an hour in which jobs are taken"
        trainer.surroundings.now = replace(trainer.surroundings.now, minute=Minute(22 * 60))
        await until_bid(trainer, job)


async def test_a_node_that_trains_as_much_as_it_may_says_so(trainer: Worker) -> None:
    trainer.sandbox.train = train_on
    trainer.post()

    async with working(trainer):
        await until(lambda: bool(trainer.sandbox.started))

        assert "jobs_at_once_max" in trainer.service.no_jobs_now


async def test_a_node_that_is_told_not_to_work_names_the_command(trainer: Worker) -> None:
    assert trainer.service.no_jobs_now == ""
    trainer.service.policy = None

    assert "lc-node policy set --work" in trainer.service.no_jobs_now


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


def time_passes(worker: Worker) -> bool:
    """Let some seconds pass; never what is waited for."""
    worker.market.tick(3_000)
    return False
