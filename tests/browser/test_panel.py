"""The side panel of JupyterLab, before a real node: what it shows, does, says, and does not ask for."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from lc_node.api.calls import GetJob, GetPolicy, GetStatus, GetWallet, Submit
from lc_node.api.schema import JobId, Phase
from tests.adapters.registries import needs_registry
from tests.browser.labs import NOTEBOOK
from tests.browser.pages import Window
from tests.browser.panels import (
    OWNER,
    Scene,
    command,
    latest,
    opened,
    panel,
    playing,
    section,
)
from tests.browser.shots import Shots
from tests.e2e.graphs import unhurried, wait_for_job

pytestmark = [needs_registry, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_NARROW = 400
_PICTURED = {"jobs", "machine", "policy", "submit"}
"""Sections of which docs/JUPYTERLAB.md shows a picture."""


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with playing() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(scene: Scene) -> AsyncIterator[Window]:
    async with opened(scene.lab) as there:
        yield there
        # Whatever the tests did: no other machine was asked, and nothing was wrong in the page.
        assert [url for url in there.asked if scene.lab.host not in url] == []
        assert there.errors == []


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _wide_and_in_lab(scene: Scene, window: Window) -> None:
    """Begin where every test does, wherever the one before has left the window."""
    await window.page.set_viewport_size({"width": 1280, "height": 900})
    if not window.page.url.startswith(f"{scene.lab.url}lab"):
        await scene.lab.open_empty(window.page)
        await command(window.page, "learningchain:open")


def _rows(found: Locator, table: str) -> Locator:
    """Return the rows of a table that begin with a heading of their own."""
    return found.get_by_role("table", name=table).get_by_role("rowheader")


async def test_the_node_and_its_peers_are_shown(scene: Scene, window: Window) -> None:
    node = await section(window.page, "node")

    me = str(scene.net.place(OWNER).identity.address)
    await expect(node.get_by_title(me, exact=True)).to_be_visible()
    await expect(_rows(node, "Peers")).to_have_count(1)
    await expect(node.get_by_text("(following)")).to_be_visible()


async def test_the_status_bar_shows_the_own_credits_and_opens_the_panel(
    scene: Scene, window: Window
) -> None:
    with scene.client() as client:
        balance = client.call(GetStatus()).balance / 1_000_000
    item = window.page.get_by_role("button", name="LearningChain:")

    await expect(item).to_have_text(f"{balance:,.6f}".rstrip("0").rstrip(".") + " credits")
    await item.click()
    await expect(panel(window.page)).to_be_visible()


async def test_the_credits_stay_in_the_status_bar_of_a_narrow_window(window: Window) -> None:
    await window.page.set_viewport_size({"width": _NARROW, "height": 900})
    # The bar looks at its window's width when the layout changes.
    await command(window.page, "application:toggle-right-area")
    await expect(panel(window.page)).to_be_hidden()
    await command(window.page, "learningchain:open")
    await expect(panel(window.page)).to_be_visible()

    await expect(window.page.get_by_role("button", name="LearningChain:")).to_be_visible()


async def test_what_changed_the_credits_is_drawn_summed_and_listed(
    scene: Scene, window: Window
) -> None:
    earned = await section(window.page, "credits")

    await expect(earned.get_by_role("img", name="The own credits over time")).to_be_visible()
    with scene.client() as client:
        changes = client.call(GetWallet()).changes
    await expect(_rows(earned, "Latest changes")).to_have_count(len(changes))
    bounties = [change.amount for change in changes if change.code == "bounty"]
    summed = f"bounty {len(bounties)} {sum(bounties) / 1_000_000:g}"
    await expect(earned.get_by_role("row", name=summed)).to_be_visible()


async def test_jobs_are_filtered_by_whose_they_are_phase_and_name(
    scene: Scene, window: Window
) -> None:
    jobs = await section(window.page, "jobs")
    await jobs.get_by_label("Find").fill("a line")
    await expect(_rows(jobs, "Jobs")).to_have_text(["a line of others", "a line of mine"])

    await jobs.get_by_label("Only mine").check()
    await expect(_rows(jobs, "Jobs")).to_have_text(["a line of mine"])
    await jobs.get_by_label("Only mine").uncheck()
    await jobs.get_by_label("Find").fill("OTHERS")
    await expect(_rows(jobs, "Jobs")).to_have_text(["a line of others"])
    await jobs.get_by_label("Find").fill(scene.mine[:6])
    await expect(_rows(jobs, "Jobs")).to_have_text(["a line of mine"])
    await jobs.get_by_label("Phase").select_option("settled")
    await expect(jobs.get_by_text("No job fits the filters.")).to_be_visible()
    await jobs.get_by_label("Phase").select_option("all")
    await jobs.get_by_label("Find").fill("")


async def test_a_job_s_page_shows_its_chart_and_tops_it_up(scene: Scene, window: Window) -> None:
    jobs = await section(window.page, "jobs")
    # By keyboard, as by mouse.
    await jobs.get_by_role("button", name="Open job a line of mine").press("Enter")

    job = window.page.get_by_role("region", name="Job a line of mine")
    await expect(job.get_by_role("img", name="Announced losses over time")).to_be_visible()
    assert await job.locator("canvas").count() == 1
    await expect(job.get_by_role("table", name="Bids").get_by_role("row")).to_have_count(2)
    await job.get_by_label("Credits to add").fill("1.5")
    await job.get_by_role("button", name="Top up").click()

    await expect(job.get_by_text("open, 21.5 credits")).to_be_visible()
    with scene.client() as client:
        assert client.call(GetJob(job=scene.mine)).summary.bounty == 21_500_000


async def test_a_job_without_bids_is_cancelled_on_its_page(scene: Scene, window: Window) -> None:
    with scene.client() as client:
        job = client.call(Submit(request=scene.request("too dear to take"))).job
        await command(window.page, "learningchain:open-job", {"job": job, "title": "too dear"})
        page = window.page.get_by_role("region", name="Job too dear to take")

        await page.get_by_role("button", name="Cancel").click()

        await expect(page.get_by_text("cancelled", exact=False).first).to_be_visible()
        assert _phase(scene, job) is Phase.CANCELLED


async def test_a_policy_is_changed_and_kept_by_the_node(scene: Scene, window: Window) -> None:
    policy = await section(window.page, "policy")
    bounty, most = policy.get_by_label("Bounty at least"), policy.get_by_label("Jobs at once")
    await expect(bounty).to_have_value("1")

    await bounty.fill("2.5")
    await most.fill("two")
    await policy.get_by_role("button", name="Save").click()
    said = latest(window.page)
    await expect(said).to_have_text("Jobs at once: a number from 1 to 256")
    await expect(most).to_be_focused()
    await most.fill("2")
    await policy.get_by_role("button", name="Save").click()
    await expect(said).to_contain_text("Saved")

    with scene.client() as client:
        kept = client.call(GetPolicy())
    assert (kept.bounty_min, kept.jobs_at_once) == (2_500_000, 2)


async def test_what_runs_on_the_machine_is_shown_and_stopped(scene: Scene, window: Window) -> None:
    machine = await section(window.page, "machine")
    await expect(machine.get_by_text(" processors")).to_be_visible()

    await machine.get_by_role("button", name="Stop training of a line of others").click()

    await expect(machine.get_by_text("Nothing runs for jobs")).to_be_visible()
    with scene.client() as client:
        wait_for_job(client, scene.foreign, lambda story: story.activity is None, 60)


async def test_an_image_that_no_registry_has_is_refused_by_name_and_nothing_is_posted(
    window: Window,
) -> None:
    before = len(window.complaints)
    await command(window.page, "learningchain:submit-image")
    form = panel(window.page).get_by_role("form", name="Submit an image")
    reference = form.get_by_label("Image", exact=True)
    await expect(reference).to_be_focused()

    await reference.fill("127.0.0.1:9/ann/job:1")
    await form.get_by_label("Bounty").fill("5")
    await form.get_by_role("button", name="Post").click()

    await expect(latest(window.page)).to_contain_text("127.0.0.1:9")
    await expect(latest(window.page)).to_have_class("lcp-latest bad")
    # The browser notes the refusal, too.
    said = [text for text in window.complaints[before:] if text.startswith("error")]
    assert all("409" in text for text in said)
    del window.complaints[before:]


async def test_an_image_is_posted_watched_left_and_found_again_topped_up_and_its_model_pulled(
    scene: Scene, window: Window, shots: Shots
) -> None:
    scene.let_the_other_stop()
    page = window.page
    await command(page, "learningchain:submit-image")
    form = panel(page).get_by_role("form", name="Submit an image")
    await form.get_by_label("Image", exact=True).fill(scene.reference)
    await form.get_by_label("Name of the job").fill("from a registry")
    await form.get_by_label("Bounty").fill("5")
    await form.get_by_label("Bidding ends in").fill(f"{unhurried(45, most=90)}s")
    await form.get_by_role("button", name="Post").click()

    job = page.get_by_role("region", name="Job from a registry")
    bids = job.get_by_role("table", name="Bids").get_by_role("row")
    await expect(bids).to_have_count(2)
    await scene.lab.open_empty(page)
    await command(page, "learningchain:open")
    jobs = await section(page, "jobs")
    await jobs.get_by_role("button", name="Open job from a registry").click()
    await expect(bids).to_have_count(2)
    await job.get_by_label("Credits to add").fill("1")
    await job.get_by_role("button", name="Top up").click()
    answer = job.get_by_role("status", name="Answer")
    await expect(answer).to_have_text("Added 1 credits.")
    for theme in ("Dark", "Light"):
        await scene.lab.use_theme(page, theme)
        await shots.take(f"panel-{theme.lower()}", page)
    await job.get_by_role("button", name="Pull").click()

    await expect(answer).to_contain_text("The model is in ")
    path = (await answer.inner_text()).removeprefix("The model is in ").partition(";")[0]
    assert len(_read_line(path)) == 2


@pytest.mark.parametrize("name", ["node", "jobs", "credits", "machine", "policy", "submit"])
@pytest.mark.parametrize("width", [1280, _NARROW])
async def test_no_section_is_wider_than_the_panel(
    window: Window, shots: Shots, name: str, width: int
) -> None:
    await window.page.set_viewport_size({"width": width, "height": 900})
    found = await section(window.page, name)

    assert await found.evaluate("(element) => element.scrollWidth - element.clientWidth") <= 0
    if width > _NARROW and name in _PICTURED:
        await shots.take(f"panel-{name}", found)
    if width == _NARROW and name == "jobs":
        await found.scroll_into_view_if_needed()
        await shots.take("panel-narrow", window.page)


async def test_the_panel_and_a_job_s_page_are_shown_by_notebook_7(
    scene: Scene, window: Window, shots: Shots
) -> None:
    await window.page.set_viewport_size({"width": 1280, "height": 900})
    await scene.lab.open(window.page, shown_by=NOTEBOOK)
    await command(window.page, "learningchain:open")
    jobs = await section(window.page, "jobs")
    await jobs.get_by_role("button", name="Open job a line of mine").click()

    job = window.page.get_by_role("region", name="Job a line of mine")
    await expect(job.get_by_role("table", name="Bids").get_by_role("row")).to_have_count(2)
    place = await window.page.locator(".lcp-page").bounding_box()
    assert place is not None
    assert place["height"] > 300
    await shots.take("panel-notebook-7", window.page)


def _read_line(path: str) -> list[float]:
    """Return slope and base of a line, which is what the light job's models are."""
    line: list[float] = json.loads(Path(path).read_bytes())
    return line


def _phase(scene: Scene, job: JobId) -> Phase:
    with scene.client() as client:
        return client.call(GetJob(job=job)).summary.phase
