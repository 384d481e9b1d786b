"""What of a job is kept here, and for how long: pins, folders, rows."""

import asyncio
from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.transactions import Open
from lc_node.chain.types import Digest, JobId, ModelRoot
from tests.chain.market import Market, flat, key
from tests.peer_nodes import until
from tests.runtime.work_bench import Worker, until_bid, working

LAYER = sha256(b"a layer")
MANIFEST = sha256(b"image")
BEST = ModelRoot(sha256(b"0.25"))


@pytest.fixture
def trainer(tmp_path: Path) -> Worker:
    return Worker(tmp_path, Market(["sue", "tom", "rita"]), "tom")


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
