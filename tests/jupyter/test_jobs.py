"""A job as an object: waited for, awaited, looked at; and a node that goes and comes back."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_jupyter import jobs
from lc_jupyter.errors import StoppedWaiting, UserError
from lc_jupyter.jobs import Job
from lc_jupyter.session import LearningChain
from lc_node.api import calls, schema
from lc_node.api.client import Client, NodeUnreachable
from lc_node.api.schema import JobId, Phase
from lc_node.api.schema_jobs import JobStory
from tests.api.sample_service import JOB, OTHER_JOB
from tests.jupyter.desk import WINNER, Desk, bid_of, story_of
from tests.jupyter.shells import Shell
from tests.peer_nodes import until


@pytest.fixture
def chain(desk: Desk) -> Iterator[LearningChain]:
    desk.tell(story_of())
    connected = LearningChain(Client(desk.home, silence_seconds=2))
    yield connected
    connected.close()


@pytest.fixture
def job(chain: LearningChain) -> Job:
    return chain.job("aaaa")


def settle_when_asked(desk: Desk, times: int) -> None:
    """Publish an event whenever the job is asked for, and let it be settled the given time."""
    asked = iter(range(1, times + 1))

    def count() -> None:
        desk.publish("bid")
        if next(asked, times) == times:
            desk.tell(story_of(Phase.SETTLED, winner=schema.Address("lc1winner")))

    desk.desk.when_asked = count


def test_the_api_of_python_answers_with_records(chain: LearningChain) -> None:
    assert chain.status().height == 7
    assert [job.job for job in chain.jobs()] == [JOB, OTHER_JOB]
    assert chain.wallet().balance == 100_000_000
    assert chain.peers() == ()


def test_a_job_tells_its_bids(job: Job, desk: Desk) -> None:
    bid = bid_of("lc1other", 5)
    desk.tell(story_of(bids=[bid]))

    assert job.bids() == (bid,)
    assert not job.is_over


def test_a_job_is_topped_up_and_extended_in_units_of_people(job: Job, desk: Desk) -> None:
    job.top_up(0.5)
    job.extend("10m")

    assert desk.desk.asked == [
        calls.TopUp(job=JOB, amount=schema.MicroCredits(500_000)),
        calls.Extend(job=JOB, expiry_seconds=600),
    ]


def test_a_job_is_cancelled(job: Job, desk: Desk) -> None:
    job.cancel()

    assert desk.desk.asked == [calls.Cancel(job=JOB)]


def test_waiting_ends_with_the_job(job: Job, desk: Desk) -> None:
    settle_when_asked(desk, 2)

    assert job.wait().summary.winner == "lc1winner"


def test_waiting_ends_at_its_timeout_and_the_job_goes_on(job: Job) -> None:
    with pytest.raises(UserError, match="Job aaaaaaaaaaaa is not over yet; it goes on by itself"):
        job.wait(timeout_seconds=0)


def test_a_result_is_waited_for(job: Job, desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "winner"
    path.write_bytes(b"model")
    asked = iter(range(3))

    def settle_at_last() -> None:
        desk.publish("bid")
        if next(asked, 2) == 2:
            desk.tell(story_of(Phase.SETTLED, winner=WINNER))
            desk.desk.serve_model(path, schema.ModelFormat.RAW)

    desk.desk.when_asked = settle_at_last

    assert job.result(timeout_seconds=60) == b"model"


def test_a_result_that_does_not_come_in_time_is_an_error_that_says_so(job: Job) -> None:
    with pytest.raises(UserError, match="is not over yet; it goes on by itself"):
        job.result(timeout_seconds=0.001)


def test_a_terminal_gets_each_new_event_once(notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of())
    settle_when_asked(desk, 3)
    ran = notebook.run("%lc_wait aaaa")

    assert ran.out.count("posted happened\ndigits") == 1
    assert "Won by lc1winner" in ran.out


def interrupt() -> None:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt


def test_interrupting_the_waiting_says_that_the_job_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "story", interrupt)

    with pytest.raises(StoppedWaiting, match="job aaaaaaaaaaaa goes on by itself"):
        job.wait()


async def test_awaiting_ends_with_the_job(job: Job, desk: Desk) -> None:
    settle_when_asked(desk, 2)

    assert (await job).summary.phase is Phase.SETTLED


async def _awaited(job: Job) -> JobStory:
    return await job


async def test_of_many_jobs_that_are_awaited_the_first_to_end_is_known_whichever_it_is(
    chain: LearningChain, desk: Desk
) -> None:
    names = [JobId(f"{number:064x}") for number in range(1, 41)]
    for name in names:
        desk.tell(story_of(job=name))

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = [group.create_task(_awaited(Job(chain._client, name))) for name in names]
        desk.tell(story_of(Phase.SETTLED, job=names[-1]))
        ended, going = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in going:
            task.cancel()

    assert [task.result().summary.job for task in ended] == [names[-1]]


def test_a_program_that_awaits_a_job_ends_when_it_has_nothing_else_to_do(desk: Desk) -> None:
    desk.tell(story_of())
    program = """
import asyncio, lc_jupyter

async def awaited(job):
    return await job

loop = asyncio.new_event_loop()
task = loop.create_task(awaited(lc_jupyter.connect().job("aaaa")))
loop.run_until_complete(asyncio.sleep(0))  # the task has had its turn
print("over")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LC_NODE": str(desk.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "over\n"
    assert done.returncode == 0


async def test_awaiting_is_cancelled_at_once_and_nothing_listens_on(
    job: Job, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_HEARTBEAT_SECONDS", 60)
    started, others = asyncio.get_running_loop().time(), set(threading.enumerate())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await job

    assert asyncio.get_running_loop().time() - started < 10
    desk.publish("bid")  # wakes the listener, which would look again only after a minute
    await until(lambda: not set(threading.enumerate()) - others)


async def test_awaiting_a_job_whose_node_has_gone_fails(job: Job, desk: Desk) -> None:
    desk.stop()

    with pytest.raises(NodeUnreachable):
        await job


def test_a_job_in_a_cell_is_its_story(notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of())
    notebook.run("import lc_jupyter\nlc = lc_jupyter.connect()")
    ran = notebook.run("lc.job('aaaa')")
    notebook.run("lc.close()")

    assert "open, 20 credits" in ran.out


def test_a_job_whose_node_has_gone_can_still_be_shown(job: Job, desk: Desk) -> None:
    desk.stop()

    assert "Start one with `lc-node run`" in job._repr_mimebundle_()["text/plain"]


def test_a_magic_finds_a_node_that_has_started_again(
    notebook: Shell, desk: Desk, short: Path
) -> None:
    notebook.run("%lc_status")
    desk.stop()
    gone = notebook.run("%lc_status")
    again = Desk(short)
    back = notebook.run("%lc_status")
    again.stop()

    assert gone.is_one_line
    assert "lc-node run" in gone.err
    assert back.ok


def test_a_job_of_a_notebook_outlives_a_refusal(notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of())
    notebook.run("import lc_jupyter\nlc = lc_jupyter.connect()\njob = lc.job('aa')")
    notebook.run("lc.job('dd')")
    ran = notebook.run("print(job.story().summary.title)")
    notebook.run("lc.close()")

    assert ran.out == "digits\n"


def test_a_node_that_died_is_known_at_once_the_second_time(desk: Desk) -> None:
    with Client(desk.home, silence_seconds=2) as client:
        client.hello()
        desk.stop()
        with pytest.raises(NodeUnreachable, match="has gone"):
            client.hello()

        with pytest.raises(NodeUnreachable, match=r"No node runs|does not run"):
            client.hello()


def test_a_job_without_events_has_a_story_all_the_same(job: Job, desk: Desk) -> None:
    desk.tell(replace(story_of(), events=()))

    assert job.story().events == ()
