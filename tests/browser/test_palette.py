"""The panel's commands and settings in a real JupyterLab, behind a JupyterHub's base URL, with a node and without one."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from lc_node.api.schema import JobId
from tests.api.sample_service import summary
from tests.browser.labs import PATIENCE_MS, Lab
from tests.browser.pages import Window, open_window
from tests.browser.panels import command, latest, panel
from tests.jupyter.desk import Desk, story_of

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_SAVE = "(text) => window.jupyterapp.serviceManager.settings.save('learningchain:panel', text)"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="lcl"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    """Return the node, which is there for one test."""
    started = Desk(folder)
    started.tell(story_of())
    yield started
    started.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(folder: Path) -> AsyncIterator[Window]:
    lab = Lab(folder, folder / "home")
    try:
        async with open_window(width=1280, height=900) as opened:
            opened.page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            await lab.open_empty(opened.page)
            yield opened
            assert [url for url in opened.asked if not url.startswith(lab.url)] == []
    finally:
        lab.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def page(window: Window) -> Page:
    """Return the page, with the panel put away."""
    await window.page.evaluate("window.jupyterapp.shell.collapseRight()")
    await expect(panel(window.page)).to_be_hidden()
    return window.page


async def _open_job(page: Page, prefix: str) -> None:
    await command(page, "learningchain:open-job")
    await page.get_by_label("The beginning of its id").fill(prefix)
    await page.get_by_role("dialog").get_by_role("button", name="Ok").click()


@pytest.mark.parametrize("name", ["open", "submit-image", "edit-policy", "refresh"])
async def test_without_a_node_a_command_shows_how_to_start_one(page: Page, name: str) -> None:
    await command(page, f"learningchain:{name}")

    await expect(panel(page).get_by_role("alert")).to_be_visible()
    await expect(panel(page).get_by_role("alert")).to_contain_text("Start one with `lc-node run`")


async def test_without_a_node_a_job_that_is_asked_for_shows_how_to_start_one(page: Page) -> None:
    await _open_job(page, "aaaa")

    await expect(panel(page).get_by_role("alert")).to_be_visible()
    await expect(panel(page).get_by_role("alert")).to_contain_text("Start one with `lc-node run`")


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("digits", "“digits” is no id of a job"),
        ("cccc", "No job begins with “cccc”"),
        ("A", "Several jobs begin with “a”: write more digits"),
    ],
)
async def test_of_a_job_that_cannot_be_opened_it_is_said_why(
    page: Page, desk: Desk, prefix: str, why: str
) -> None:
    desk.service.summaries.append(summary(JobId("ab" * 32)))
    await _open_job(page, prefix)

    await expect(latest(page)).to_be_visible()
    await expect(latest(page)).to_contain_text(why)


async def test_a_job_is_opened_by_the_beginning_of_its_id(page: Page, desk: Desk) -> None:
    assert desk.home.exists()
    await _open_job(page, " AAAA ")

    await expect(page.get_by_role("region", name="Job digits")).to_be_visible()


async def test_the_credits_leave_the_status_bar_and_come_back_as_it_is_set(page: Page) -> None:
    item = page.get_by_role("button", name="LearningChain:")
    await expect(item).to_be_visible()
    await page.evaluate(_SAVE, '{"statusBar": false}')
    await page.reload()
    await page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")

    await expect(page.locator("#jp-main-statusbar")).to_be_visible()
    await expect(item).to_be_hidden()
    await page.evaluate(_SAVE, "{}")
    await page.reload()
    await expect(item).to_be_visible()


async def test_a_setting_that_cannot_be_meant_is_refused(page: Page) -> None:
    refused = await page.evaluate(
        f"(text) => ({_SAVE})(text).then(() => '', String)", '{"jobsMax": 0}'
    )

    assert "400" in refused
