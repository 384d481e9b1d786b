"""Who follows the tutorial in a browser, from its first cell to its last, and what is seen on the way."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Locator, Page, ViewportSize, expect

from lc_node.api.calls import GetJob, GetJobs, StopRun
from lc_node.api.client import Client
from lc_node.api.schema_jobs import JobStory
from tests.browser.labs import NOTEBOOK, PATIENCE_MS, Lab
from tests.browser.pages import Window
from tests.browser.shots import Shots
from tests.browser.tutorial import get_cells
from tests.e2e.graphs import SILENCE_SECONDS, unhurried, wait_for_job

JOB: Final = "digits"
_TITLE: Final = "# Handwritten digits, trained by others"

_BIDDING_SECONDS: Final = 30
_BIDS_PICTURED: Final = 4
_TRAINERS: Final = ("trainer-1", "trainer-2")
_JOB_ID: Final = re.compile(r"\b[Jj]ob ([0-9a-f]{12})\b")
_WIDE: Final = ViewportSize(width=1000, height=900)
_TALL: Final = ViewportSize(width=900, height=1400)
_NARROW: Final = ViewportSize(width=400, height=900)


@dataclass
class Reader:
    """One reader: a browser on the page of a notebook, which finds the first node of a devnet."""

    lab: Lab
    window: Window
    home: Path
    """Of the reader's node."""

    client: Client
    shots: Shots
    shown_by: str
    """What shows the notebook: JupyterLab, or Notebook 7."""

    notebook: str
    cells: list[str] = field(default_factory=get_cells)
    """What is still to be typed."""

    job: str = ""
    seen: dict[str, str] = field(default_factory=dict)
    """What the page or a cell has shown, by when that was."""

    @property
    def page(self) -> Page:
        """The browser's page."""
        return self.window.page

    @property
    def widget(self) -> Locator:
        """The widget of the job."""
        return self.page.get_by_role("region", name=f"Job {JOB}")

    def story(self, prefix: str) -> JobStory:
        """Return what the chain says of a job."""
        [summary] = self.client.call(GetJobs(prefix=prefix))
        return self.client.call(GetJob(job=summary.job))

    async def type_next(self, at: int | None = None) -> str:
        """Type the next cell, at the end or in place of another; return what it puts out, as text."""
        source = self.cells.pop(0).replace(" ID", f" {self.job}")
        outputs = await self.lab.run(self.page, source, at)
        assert not [put for put in outputs if _is_complaint(put)], (source, outputs)
        return "\n".join(_text_of(put) for put in outputs)

    async def read(self) -> None:
        """Follow the whole tutorial."""
        self.page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        self.lab.write([], self.notebook, title=_TITLE)
        await self._post_and_watch()
        await self._reload()
        await self._come_back()
        self._let_others_stop()
        await self._cancel_another()
        await self._wait_and_pull()
        await self._let_the_kernel_die()
        await self._export()

    async def _post_and_watch(self) -> None:
        await self._open()
        for _ in range(3):
            await self.type_next()
        seconds = unhurried(_BIDDING_SECONDS, most=150)
        self.cells[0] = self.cells[0].replace(
            "--expires 2m", f"--expires {seconds}s --check-time 10m"
        )
        self.job = _read_job_id(await self.type_next())
        await self.type_next()
        await self._see_bids("posted", at_least=2)

    async def _reload(self) -> None:
        """Load the page anew while the kernel lives."""
        await self.lab.save(self.page)
        await self._open()
        await self._see_bids("reloaded")
        await self._picture_widget()

    async def _come_back(self) -> None:
        """Restart the kernel, watch the job by its id in the place of the dead widget, and raise its bounty."""
        watching = await self.lab.count_cells(self.page) - 1
        await self.lab.restart_kernel(self.page)
        await self.type_next()
        await self.type_next(watching)
        await self._see_bids("restarted")
        await self.widget.get_by_label("Credits to add to the bounty").fill("2")
        await self.widget.get_by_role("button", name="Top up").click()
        answer = self.widget.get_by_role("status", name="Answer")
        await expect(answer).not_to_be_empty()
        self.seen["topped up by a button"] = await answer.inner_text()
        self.seen["topped up"] = await self.type_next()

    def _let_others_stop(self) -> None:
        """End the trainings: enough was seen of them, and this machine has other tests to run."""
        for name in _TRAINERS:
            with Client(self.home.parent / name, silence_seconds=SILENCE_SECONDS) as trainer:
                trainer.call(StopRun(job=self.story(self.job).summary.job))

    async def _cancel_another(self) -> None:
        another = _read_job_id(await self.type_next())
        self.seen["cancelled"] = await self.type_next()
        self.seen["cancelled on the chain"] = self.story(another).summary.phase.value

    async def _wait_and_pull(self) -> None:
        self.seen["won"] = await self.type_next()
        self.seen["pulled"] = await self.type_next()
        self.seen["used"] = await self.type_next()
        assert self.cells == []

    async def _let_the_kernel_die(self) -> None:
        """Save, end the kernel, and open the notebook with another one, which knows nothing."""
        await self.lab.save(self.page)
        await self.lab.shut_down_kernel(self.page)
        await self._open()
        self.seen["without a kernel"] = await self._see_end(self.page)
        if self.shown_by == NOTEBOOK:
            await self._picture_end()

    async def _open(self) -> None:
        await self.lab.open(self.page, self.notebook, self.shown_by)

    async def _export(self) -> None:
        """Export the saved notebook, and open it where there is no network."""
        path = self.lab.root / f"{self.notebook}.ipynb"
        words = (sys.executable, "-m", "nbconvert", "--to", "html", str(path))
        subprocess.run(words, check=True, capture_output=True)  # noqa: ASYNC221  # nothing else is to go on
        browser = self.page.context.browser
        assert browser is not None
        context = await browser.new_context(offline=True)
        page = await context.new_page()
        await page.goto(path.with_suffix(".html").as_uri(), wait_until="domcontentloaded")
        self.seen["exported"] = await self._see_end(page)
        await context.close()

    async def _see_bids(self, when: str, at_least: int = 1) -> None:
        """Note what the widget says once it shows some bids."""
        bids = self.widget.get_by_role("table", name="Bids")
        await expect(bids.get_by_role("row").nth(at_least)).to_be_visible()
        self.seen[when] = await self.widget.inner_text()

    async def _see_end(self, page: Page) -> str:
        """Return what a page says once it shows how the job ended, as a picture and in words."""
        await expect(page.get_by_role("img", name="Best loss").first).to_be_visible()
        await expect(page.get_by_text("Won by").first).to_be_visible()
        return await page.locator("body").inner_text()

    async def _picture_widget(self) -> None:
        """Take pictures of the widget: as wide as the page in JupyterLab, narrow in Notebook 7."""
        if self.shots.are_kept:
            wait_for_job(self.client, self.story(self.job).summary.job, _has_much_to_show, 60)
        if self.shown_by == NOTEBOOK:
            await self.page.set_viewport_size(_NARROW)
            await self._picture("widget-narrow", self.widget)
            await self.page.set_viewport_size(_WIDE)
            return
        await self._picture("widget-light", self.widget)
        async with self._darkness():
            await self._picture("widget-dark", self.widget)

    async def _picture_end(self) -> None:
        """Take pictures of the whole saved notebook, and of how its job ended."""
        end = self.page.locator(".jp-OutputArea-output", has_text="Won by").last
        await self.page.set_viewport_size(_TALL)
        await end.scroll_into_view_if_needed()
        await self.page.locator(".jp-CodeCell").last.scroll_into_view_if_needed()
        await self._picture("notebook-light", self.page)
        await self._picture("finished-light", end)
        async with self._darkness():
            await self._picture("finished-dark", end)
        await self.page.set_viewport_size(_NARROW)
        await self._picture("finished-narrow", end)

    @asynccontextmanager
    async def _darkness(self) -> AsyncIterator[None]:
        await self.lab.use_theme(self.page, "Dark")
        yield
        await self.lab.use_theme(self.page, "Light")

    async def _picture(self, name: str, what: Page | Locator) -> None:
        if isinstance(what, Locator):
            await what.scroll_into_view_if_needed()
        await self.shots.take(name, what)


def _has_much_to_show(story: JobStory) -> bool:
    return sum(event.code == "bid" for event in story.events) >= _BIDS_PICTURED


def _read_job_id(posted: str) -> str:
    """Return the id's beginning, which a cell that posted a job has printed."""
    found = _JOB_ID.search(posted)
    assert found is not None, posted
    return found[1]


def _is_complaint(output: Mapping[str, Any]) -> bool:
    return output["output_type"] == "error" or output.get("name") == "stderr"


def _text_of(output: Mapping[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)
