"""ui.bid: from a bid's being final at the poster's node until it is on the screen of a JupyterLab that watches the job."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import Page, expect

from bench import job_nets, shell_job
from bench.harness import PAIRS_MIN, Measured, Target, from_samples, percentile
from lc_node.api.calls import Submit
from lc_node.api.client import Client
from lc_node.api.schema import JobId
from lc_node.runtime.devnet import Devnet
from tests.browser.labs import PATIENCE_MS, Lab
from tests.browser.pages import open_window
from tests.e2e.graphs import short_folder

BID: Final = Target(name="ui.bid", unit="ms of 200 ms, 95th percentile", limit=1, at_least=False)
LIMIT_MS: Final = 200.0
BIDS: Final = 20
"""In each sample, whose 95th percentile is its last but one."""

_PAUSE_SECONDS: Final = 0.5
_EXPIRY_SECONDS: Final = 1800
_BIDDING_SECONDS_MAX: Final = 1200.0
_CELLS: Final = [
    "%load_ext lc_jupyter\nimport pathlib\nJOB = pathlib.Path('job').read_text()",
    "%lc_watch {JOB}",
]
_NOTE_PAINTS: Final = """() => {
  window.painted = {};
  const note = () => {
    for (const line of [...document.querySelectorAll(".lcw ol li")].slice(0, 8)) {
      const found = / announced (\\S+),/.exec(line.textContent);
      if (!found || found[1] in window.painted) continue;
      window.painted[found[1]] = 0;
      requestAnimationFrame(() => setTimeout(() => {  // after the frame that shows it
        window.painted[found[1]] = (performance.timeOrigin + performance.now()) / 1000;
      }));
    }
  };
  new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
}"""


def run() -> list[Measured]:
    """Measure: bids of a real graph, as another client of the same node hears of them and as Chromium shows them."""
    image = shell_job.build(shell_job.many(10_000, _PAUSE_SECONDS))
    with job_nets.graph() as net, job_nets.client_of(net) as client:
        shell_job.put(client, image)
        late = asyncio.run(_watched(net, client, image))
    samples = [late[at : at + BIDS] for at in range(0, PAIRS_MIN * BIDS, BIDS)]
    ours = [1000 * percentile(sample, 95) for sample in samples]
    return [from_samples(BID, ours, [LIMIT_MS] * PAIRS_MIN)]


async def _watched(net: Devnet, client: Client, image: shell_job.ShellImage) -> list[float]:
    """Return for each bid how many seconds after it was final it was on the screen."""
    with short_folder() as folder:
        lab = Lab(folder, net.place(job_nets.SUBMITTER.name).home.path, _CELLS)
        try:
            async with open_window(width=1280, height=900) as window:
                page = window.page
                page.set_default_timeout(PATIENCE_MS)
                expect.set_options(timeout=PATIENCE_MS)
                await lab.open(page)
                request = shell_job.request(image, expiry_seconds=_EXPIRY_SECONDS)
                job = (await asyncio.to_thread(client.call, Submit(request=request))).job
                (folder / "notebooks" / "job").write_text(job)
                await lab.run_all(page)
                await expect(page.get_by_role("region", name="Job bench")).to_be_visible()
                with _heard(client, job) as heard:
                    return await _lateness(page, heard)
        finally:
            lab.stop()


async def _lateness(page: Page, heard: "_Heard") -> list[float]:
    """Return how late each of some bids was on the screen.

    Raises:
        JobFailed: there were not enough of them.
    """
    await page.evaluate(_NOTE_PAINTS)
    deadline = time.monotonic() + _BIDDING_SECONDS_MAX
    late = list[float]()
    while len(late) < PAIRS_MIN * BIDS:
        if time.monotonic() > deadline:
            raise job_nets.JobFailed(f"{len(heard.final)} bids heard, {len(late)} of them shown")
        await asyncio.sleep(1)
        painted: dict[str, float] = await page.evaluate("() => window.painted")
        final = dict(heard.final)
        late = [painted[loss] - at for loss, at in final.items() if painted.get(loss)]
    return late[: PAIRS_MIN * BIDS]


@dataclass(slots=True)
class _Heard:
    """When bids were heard of, by how their losses are written; in Unix seconds."""

    final: dict[str, float] = field(default_factory=dict)


@contextmanager
def _heard(client: Client, job: JobId) -> Iterator[_Heard]:
    """Listen beside the browser, in a thread."""
    heard, is_over = _Heard(), threading.Event()

    def listen() -> None:
        with client.events(job=job) as events:
            while not is_over.is_set():
                event = events.next(0.5)
                if event is not None and event.code == "bid" and event.loss is not None:
                    heard.final[f"{event.loss / 1e9:.6f}"] = time.time()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        is_over.set()
        thread.join()
