"""A job watched in a real JupyterLab: live, with buttons, and kept as what needs no script."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from lc_node.api import calls
from lc_node.api.schema import Address, Phase
from tests.api.sample_service import JOB
from tests.browser.labs import PATIENCE_MS, Lab
from tests.browser.pages import Window, open_window
from tests.jupyter.desk import Desk, bid_of, story_of
from tests.jupyter.test_feed import FIRST, announced, grown

pytestmark = pytest.mark.slow

CELLS = ["%load_ext lc_jupyter", "%lc_watch aaaa", "print('the kernel is', 'free')"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path."""
    made = Path(tempfile.mkdtemp(prefix="lcl"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def node(folder: Path) -> Iterator[Desk]:
    """Return a node with one open job."""
    started = Desk(folder)
    started.tell(grown())
    yield started
    started.stop()


@pytest.fixture
def lab(folder: Path, node: Desk) -> Iterator[Lab]:
    """Return a JupyterLab whose notebook watches the job."""
    started = Lab(folder, node.home, CELLS, base="/")
    yield started
    started.stop()


async def test_a_watched_job_lives_in_the_notebook_and_its_end_outlives_the_kernel(
    lab: Lab, node: Desk
) -> None:
    async with open_window(width=1280, height=900) as window:
        page = window.page
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        await lab.open(page)
        await lab.run_all(page)

        # It is shown while the kernel is free for the next cell.
        watched = page.get_by_role("region", name="Job digits")
        await expect(watched).to_be_visible()
        await expect(page.get_by_text("the kernel is free")).to_be_visible()

        # A button reaches the node through the kernel.
        await watched.get_by_role("button", name="Cancel").click()
        await expect(watched.get_by_role("status", name="Answer")).to_have_text(
            "Cancelled; its credits are back."
        )
        assert node.desk.asked == [calls.Cancel(job=JOB)]

        # A bid is on the screen without anybody asking for it.
        bid = announced(FIRST, 5_000_000, 2_000)
        node.tell(grown(bid, bids=(bid_of(FIRST, 5_000_000),)))
        node.publish("bid")
        await expect(watched.get_by_role("table", name="Bids")).to_contain_text("lc1first…irst")

        # At its end it is replaced by what a saved notebook shows without a kernel.
        node.tell(replace(story_of(Phase.SETTLED, winner=Address(FIRST)), events=(bid,)))
        node.publish("settled")
        await expect(page.get_by_text("Won by lc1first…irst")).to_be_visible()
        await expect(watched).to_have_count(0)
        _validate_quiet(window, lab)


def _validate_quiet(window: Window, lab: Lab) -> None:
    """Check that no other machine was asked, and that the console has no error."""
    assert [url for url in window.asked if lab.host not in url] == []
    assert window.errors == []
