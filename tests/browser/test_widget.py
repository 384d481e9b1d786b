"""The widget of a job in a real browser: what it shows, says, sends, and does not ask for."""

from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from lc_jupyter.feed import JobFeed
from lc_node.api.schema import Address, Phase
from tests.browser.pages import Window, open_window
from tests.jupyter.desk import bid_of, story_of
from tests.jupyter.test_feed import FIRST, SECOND, announced, grown

pytestmark = pytest.mark.slow

BIDS = (announced(FIRST, 5_000_000, 2_000), announced(SECOND, 4_000_000, 3_000))
RANKED = (bid_of(SECOND, 4_000_000), bid_of(FIRST, 5_000_000, rank=2))

_NOTE_TEXTS = """() => {
  window.texts = [];
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...area) {
    window.texts = [];
    return clearRect.apply(this, area);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    window.texts.push(text);
    return fillText.call(this, text, ...place);
  };
}"""
"""Keeps what is written into a chart."""


def _snapshot(**fields: object) -> dict[str, Any]:
    return JobFeed(grown(*BIDS, bids=RANKED, **fields)).snapshot


async def _pixels(window: Window) -> str:
    """Return the chart's picture."""
    return str(await window.page.evaluate("document.querySelector('canvas').toDataURL()"))


async def test_a_story_is_shown_as_a_picture_and_as_a_table_that_can_be_read_out() -> None:
    async with open_window() as window:
        await window.mount(_snapshot())
        page = window.page

        await expect(page.get_by_role("region", name="Job digits")).to_be_visible()
        await expect(page.get_by_role("img", name="Announced losses over time")).to_be_visible()
        bids = page.get_by_role("table", name="Bids")
        await expect(bids.get_by_role("columnheader")).to_have_count(6)
        await expect(bids.get_by_role("row").nth(1)).to_contain_text("lc1secon…cond")
        await expect(page.get_by_role("status", name="Latest event")).to_have_text(
            f"{SECOND} announced"
        )
        assert await page.locator("canvas").count() == 1


async def test_a_new_bid_changes_the_picture_and_is_said() -> None:
    story = grown(*BIDS, bids=RANKED)
    feed = JobFeed(story)
    async with open_window() as window:
        await window.mount(feed.snapshot)
        before = await _pixels(window)
        better = announced(FIRST, 1_000_000, 9_000)

        await window.tell(
            {"kind": "delta", "delta": feed.take(replace(story, events=(*story.events, better)))}
        )

        await expect(window.page.get_by_role("status", name="Latest event")).to_have_text(
            f"{FIRST} announced"
        )
        assert await _pixels(window) != before


async def test_a_story_that_begins_anew_replaces_what_was_shown() -> None:
    async with open_window() as window:
        await window.mount(_snapshot())
        won = JobFeed(story_of(Phase.SETTLED, winner=Address(FIRST)))

        await window.tell({"kind": "anew", "snapshot": won.snapshot})

        await expect(window.page.get_by_role("region")).to_have_count(1)
        await expect(window.page.get_by_text("Won by lc1first…irst")).to_be_visible()


async def test_buttons_ask_the_kernel_and_its_answer_is_said() -> None:
    async with open_window() as window:
        await window.mount(JobFeed(grown()).snapshot)
        page = window.page

        await page.get_by_label("Credits to add to the bounty").fill("2.5")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Cancel").click()
        await window.tell({"kind": "said", "text": "Cancelled.", "tone": "good"})

        asked = await page.evaluate("window.sent")
        assert asked == [{"do": "top_up", "amount": "2.5"}, {"do": "cancel", "amount": ""}]
        await expect(page.get_by_role("status", name="Answer")).to_have_text("Cancelled.")


async def test_an_answer_stays_while_bids_arrive() -> None:
    story = grown(*BIDS, bids=RANKED)
    feed = JobFeed(story)
    async with open_window() as window:
        await window.mount(feed.snapshot)
        await window.tell({"kind": "said", "text": "Not enough credits.", "tone": "bad"})
        better = announced(FIRST, 1_000_000, 9_000)

        await window.tell(
            {"kind": "delta", "delta": feed.take(replace(story, events=(*story.events, better)))}
        )

        status = window.page.get_by_role("status")
        await expect(status).to_have_text(["Not enough credits.", f"{FIRST} announced"])


async def test_no_two_labels_of_the_time_axis_are_the_same_however_fast_bids_come() -> None:
    hurried = (announced(FIRST, 5_000_000, 2_000), announced(SECOND, 4_000_000, 2_200))
    async with open_window() as window:
        await window.page.evaluate(_NOTE_TEXTS)
        await window.mount(JobFeed(grown(*hurried, bids=RANKED)).snapshot)
        await window.page.wait_for_function("window.texts.length > 0")

        texts = await window.page.evaluate("window.texts")
        clocks = [text for text in texts if text.count(":") == 2]
        assert clocks
        assert len(set(clocks)) == len(clocks)


async def test_everything_that_can_be_done_is_reached_by_keyboard() -> None:
    async with open_window() as window:
        await window.mount(_snapshot())
        reached = []
        for _ in range(4):
            await window.page.keyboard.press("Tab")
            reached.append(
                await window.page.evaluate(
                    "document.activeElement.ariaLabel || document.activeElement.textContent"
                )
            )

        assert reached == [
            "Credits to add to the bounty",
            "Top up",
            "Logarithmic scale",
            "Events",
        ]


async def test_the_picture_takes_the_colours_of_another_theme() -> None:
    async with open_window() as window:
        await window.mount(_snapshot())
        light = await _pixels(window)

        await window.page.evaluate(
            """() => new Promise((done) => {
              document.body.style.color = "white";
              document.body.dataset.jpThemeLight = "false";
              requestAnimationFrame(() => requestAnimationFrame(done));
            })"""
        )

        assert await _pixels(window) != light


async def test_the_picture_keeps_its_width_when_the_page_is_hidden_while_a_theme_is_exchanged() -> (
    None
):
    async with open_window() as window:
        await window.mount(_snapshot())
        width = "document.querySelector('.uplot').clientWidth"
        before = await window.page.evaluate(width)

        await window.page.evaluate(
            """async () => {
              document.body.style.display = "none";
              document.body.dataset.jpThemeLight = "false";
              await Promise.resolve(); // less than a frame: its observers are not told
              document.body.style.display = "";
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            }"""
        )

        assert await window.page.evaluate(width) == before


async def test_nothing_overflows_a_narrow_window() -> None:
    async with open_window(width=400) as window:
        await window.mount(_snapshot())

        assert await window.page.evaluate("document.documentElement.scrollWidth") <= 400


async def test_a_view_that_is_closed_leaves_nothing_running() -> None:
    async with open_window() as window:
        await window.mount(_snapshot())

        await window.page.evaluate("window.leave()")
        await window.tell({"kind": "said", "text": "too late", "tone": ""})

        assert await window.page.locator("canvas").count() == 0
        await expect(window.page.get_by_text("too late")).to_have_count(0)


async def test_no_machine_is_asked_and_the_console_stays_silent() -> None:
    async with open_window() as window:
        await window.mount(_snapshot())

        assert (window.asked, window.complaints) == ([], [])
