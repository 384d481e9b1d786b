"""The magics in a real kernel: the stop button stops the waiting and not the job."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from lc_node.api import schema
from lc_node.api.schema import Phase
from tests.jupyter.desk import Desk, bid_of, story_of
from tests.jupyter.kernels import PATIENCE_SECONDS, Kernel
from tests.jupyter.test_feed import FIRST, announced, grown

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernel")]

GOES_ON = "No longer waiting; job aaaaaaaaaaaa goes on by itself. %lc_wait waits again."
AWAITED = "import lc_jupyter\njob = lc_jupyter.connect().job('aaaa')\nawait job"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lct") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def running(folder: Path, layers: Path) -> Iterator[tuple[Desk, Kernel]]:
    desk = Desk(folder)
    kernel = Kernel(folder, desk.home, layers)
    kernel.run("%load_ext lc_jupyter")
    yield desk, kernel
    kernel.stop()
    desk.stop()


@pytest.fixture
def desk(running: tuple[Desk, Kernel]) -> Desk:
    """Return the module's node, with one open job and nothing asked."""
    running[0].desk.asked.clear()
    running[0].desk.posted.clear()
    running[0].tell(story_of())
    return running[0]


@pytest.fixture
def kernel(running: tuple[Desk, Kernel]) -> Kernel:
    return running[1]


def start(kernel: Kernel, desk: Desk, code: str) -> str:
    """Start a cell, and return when it has asked for the job."""
    asked = Event()
    desk.desk.when_asked = asked.set
    cell = kernel.start(code)
    assert asked.wait(PATIENCE_SECONDS)
    return cell


def test_the_stop_button_ends_a_waiting_cell_and_not_the_job(kernel: Kernel, desk: Desk) -> None:
    cell = kernel.start("%lc_wait aaaa")
    kernel.wait_shown(cell)
    reply = kernel.interrupt(cell)

    assert (reply.status, reply.name) == ("error", "UsageError")
    assert GOES_ON in reply.text
    assert desk.desk.asked == []


def test_the_stop_button_ends_an_awaiting_cell_and_not_the_job(kernel: Kernel, desk: Desk) -> None:
    reply = kernel.interrupt(start(kernel, desk, AWAITED))

    assert (reply.status, reply.name) == ("error", "CancelledError")
    assert reply.text == GOES_ON
    assert desk.desk.asked == []


def test_after_the_stop_button_the_next_cell_runs(kernel: Kernel, desk: Desk) -> None:
    kernel.interrupt(start(kernel, desk, AWAITED))

    assert kernel.run("%lc_status").status == "ok"


def test_a_waiting_cell_is_drawn_in_place_and_keeps_the_last_picture(
    kernel: Kernel, desk: Desk
) -> None:
    cell = start(kernel, desk, "%lc_wait aaaa")
    desk.tell(story_of(Phase.SETTLED, winner=schema.Address("lc1winner")))
    desk.publish("settled")
    reply = kernel.finish(cell)
    [html] = reply.shown.values()

    assert reply.status == "ok"
    assert "Won by lc1winner" in html
    assert "left in this phase" not in html


SUBMITTED = """%%lc_submit --bounty 5 --expires 10m --format raw
def train(trial):
    return b"model"

def evaluate(model):
    return [0.5] * 16
"""


def test_every_step_of_a_submission_is_drawn_and_only_the_outcome_is_kept(
    kernel: Kernel, desk: Desk
) -> None:
    reply = kernel.run(SUBMITTED)
    [html] = reply.shown.values()

    assert desk.desk.posted
    for step in ("Packaging", "Sending", "Checking here", "Posting"):
        assert any(step in drawn for drawn in reply.drawn)
        assert step not in html
    assert "Posted as job aaaaaaaaaaaa" in html


def test_an_awaited_job_is_the_value_of_its_cell(kernel: Kernel, desk: Desk) -> None:
    desk.tell(story_of(Phase.SETTLED))

    assert "phase=<Phase.SETTLED: 'settled'>" in kernel.run(AWAITED).text


def test_an_interrupted_submission_posts_nothing(kernel: Kernel, desk: Desk) -> None:
    body = "import threading\nprint('begun', flush=True)\nthreading.Event().wait()"
    cell = kernel.start(f"%%lc_submit --bounty 5 --expires 10m\n{body}")
    kernel.wait_shown(cell)
    reply = kernel.interrupt(cell)

    assert reply.status == "error"
    assert "nothing was posted" in reply.text
    assert desk.desk.posted == []


def test_a_kernel_that_ends_leaves_a_picture_of_a_watched_job_and_closes_nothing_its_front_end_has_forgotten(
    desk: Desk, folder: Path, layers: Path
) -> None:
    desk.tell(grown(announced(FIRST, 5_000_000, 2_000), bids=(bid_of(FIRST, 5_000_000),)))
    ending = Kernel(folder / "ending", desk.home, layers)
    ending.run("%load_ext lc_jupyter")
    ending.run("%lc_watch aaaa")
    heard = ending.end()
    ending.stop()
    [left] = [one["content"] for one in heard if one["msg_type"] == "update_display_data"]

    assert "<svg" in left["data"]["text/html"]
    assert "0.005000" in left["data"]["text/html"]
    assert "comm_close" not in {one["msg_type"] for one in heard}
