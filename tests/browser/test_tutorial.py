"""The tutorial, typed into JupyterLab and into Notebook 7 in a real browser, on the graph that it starts."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

import pytest
import pytest_asyncio

from lc_node.api.client import Client
from lc_node.api.schema import Phase
from tests.browser.labs import LAB, NOTEBOOK, Lab
from tests.browser.pages import open_window
from tests.browser.reader import Reader
from tests.browser.shots import Shots
from tests.browser.tutorial import running_devnet
from tests.e2e.graphs import SILENCE_SECONDS, short_folder

pytestmark = [pytest.mark.soak, pytest.mark.asyncio(loop_scope="module")]

READERS: Final = {LAB: "digits", NOTEBOOK: "digits-7"}
"""The notebook of who reads in JupyterLab, and of who reads in Notebook 7."""

in_both = pytest.mark.parametrize("shown_by", READERS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readers(shots: Shots) -> AsyncIterator[Mapping[str, Reader]]:
    """Return who have followed the whole tutorial, one after the other, on one graph."""
    have_read: dict[str, Reader] = {}
    with short_folder() as folder, running_devnet(folder / "net") as home:
        lab = Lab(folder, home)
        try:
            with Client(home, silence_seconds=SILENCE_SECONDS) as client:
                for shown_by, notebook in READERS.items():
                    async with open_window(width=1000, height=900) as window:
                        reader = Reader(lab, window, home, client, shots, shown_by, notebook)
                        await reader.read()
                        have_read[shown_by] = reader
                yield have_read
        finally:
            lab.stop()


@pytest.fixture
def reader(readers: Mapping[str, Reader], shown_by: str) -> Reader:
    return readers[shown_by]


@in_both
async def test_bids_arrive_in_the_widget(reader: Reader) -> None:
    assert "lc1" in reader.seen["posted"]
    assert "announced" in reader.seen["posted"]


@in_both
async def test_the_widget_goes_on_after_the_page_was_loaded_anew(reader: Reader) -> None:
    assert reader.job in reader.seen["reloaded"]


@in_both
async def test_a_job_is_found_again_after_the_kernel_was_restarted(reader: Reader) -> None:
    assert reader.job in reader.seen["restarted"]


@in_both
async def test_the_bounty_is_raised_by_a_button_and_by_a_command(reader: Reader) -> None:
    assert reader.seen["topped up by a button"] == "The bounty is 2 credits higher."
    assert "Added 5 credits" in reader.seen["topped up"]
    assert reader.story(reader.job).summary.bounty == 27_000_000


@in_both
async def test_a_job_without_bids_is_taken_back(reader: Reader) -> None:
    assert "Cancelled job" in reader.seen["cancelled"]
    assert reader.seen["cancelled on the chain"] == Phase.CANCELLED.value


@in_both
async def test_one_of_those_who_trained_wins(reader: Reader) -> None:
    assert "Won by" in reader.seen["won"]


async def test_the_liar_of_the_devnet_is_banned(readers: Mapping[str, Reader]) -> None:
    assert "banned" in readers[LAB].seen["won"]


@in_both
async def test_the_model_that_won_predicts_in_the_kernel(reader: Reader) -> None:
    found = re.search(r"(\d+)% of the digits", reader.seen["used"])

    assert "is the model that won" in reader.seen["pulled"]
    assert found is not None


@in_both
@pytest.mark.parametrize("when", ["without a kernel", "exported"])
async def test_the_end_is_shown_without_a_kernel_a_script_or_a_network(
    reader: Reader, when: str
) -> None:
    assert "Won by" in reader.seen[when]
    assert "Error displaying widget" not in reader.seen[when]


@in_both
async def test_no_other_machine_is_asked(reader: Reader) -> None:
    assert reader.window.asked
    assert [url for url in reader.window.asked if reader.lab.host not in url] == []


@in_both
async def test_the_console_has_no_error(reader: Reader) -> None:
    assert reader.window.errors == []
