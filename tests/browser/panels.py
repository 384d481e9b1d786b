"""The side panel in a real JupyterLab, of the owner of a node in a real graph that trains jobs."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace
from playwright.async_api import Locator, Page, expect

from lc_node.api.calls import PushImage, StopRun, Submit
from lc_node.api.client import Client
from lc_node.api.schema import JobId
from lc_node.api.schema_jobs import JobRequest
from lc_node.runtime.devnet import Devnet, Place, Role
from tests.adapters.registries import running
from tests.browser.labs import PATIENCE_MS, Lab
from tests.browser.pages import Window, open_window
from tests.e2e.graphs import living, patient_client, short_folder, wait_for_job
from tests.e2e.light_job import light_request, send_light_image

OWNER: Final = "owner"
OTHER: Final = "other"
ROLES: Final = (
    Role(name=OWNER, bonded=100, votes=True, trains=True),
    Role(name=OTHER, bonded=100, votes=True, trains=True),
)
EXPIRY_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A graph of two, a job of each that the other trains, and the owner's JupyterLab."""

    net: Devnet
    lab: Lab
    mine: JobId
    foreign: JobId

    line: JobRequest
    """A job whose image the owner's node has."""

    reference: str
    """The same image in a registry."""

    def request(self, title: str) -> JobRequest:
        """Return a job that nobody takes: it wants more memory than the other offers."""
        resources = replace(self.line.resources, memory_bytes=64 * 1024**3)
        return replace(self.line, title=title, resources=resources)

    def let_the_other_stop(self) -> None:
        """End the other's training of the owner's job: it is busy with it, and takes another one then."""
        with patient_client(self.net, OTHER) as other:
            other.call(StopRun(job=self.mine))
            wait_for_job(other, self.mine, lambda story: story.activity is None, 60)

    def client(self) -> Client:
        """Connect to the owner's node."""
        return patient_client(self.net, OWNER)


@contextmanager
def playing() -> Iterator[Scene]:
    """Run the scene; both jobs have bids."""
    with (
        short_folder() as folder,
        running(folder / "registry") as host,
        living(ROLES, _listing(host)) as net,
        patient_client(net, OWNER) as owner,
        patient_client(net, OTHER) as other,
    ):
        line = send_light_image(owner, light_request(expiry_seconds=EXPIRY_SECONDS))
        reference = f"{host}/jobs/line:1"
        owner.call(PushImage(image=line.image.manifest, reference=reference))
        mine = owner.call(Submit(request=replace(line, title="a line of mine"))).job
        wait_for_job(owner, mine, lambda story: story.summary.bids > 0, 120)
        # By now the other has the image, too.
        foreign = other.call(Submit(request=replace(line, title="a line of others"))).job
        lab = Lab(folder, net.place(OWNER).home.path)
        try:
            wait_for_job(owner, foreign, lambda story: story.summary.bids > 0, 120)
            yield Scene(
                net=net, lab=lab, mine=mine, foreign=foreign, line=line, reference=reference
            )
        finally:
            lab.stop()


def _listing(host: str) -> type[Devnet]:
    """Return a kind of graph whose nodes may fetch images from a registry."""

    class Listing(Devnet):
        def __init__(self, places: Sequence[Place]) -> None:
            super().__init__(places)
            for place in self.places:
                with place.home.config_path.open("a") as config:
                    config.write(f'[images]\nregistries = ["http://{host}"]\n')

    return Listing


@asynccontextmanager
async def opened(lab: Lab, width: int = 1280, height: int = 900) -> AsyncIterator[Window]:
    """Open JupyterLab with its side panel."""
    async with open_window(width=width, height=height) as window:
        window.page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        await lab.open_empty(window.page)
        await command(window.page, "learningchain:open")
        yield window


async def command(page: Page, name: str, arguments: dict[str, str] | None = None) -> None:
    """Execute a command of the palette."""
    script = "([name, arguments]) => { window.jupyterapp.commands.execute(name, arguments) }"
    await page.evaluate(script, [name, arguments or {}])


def panel(page: Page) -> Locator:
    """Return the side panel."""
    return page.locator("#learningchain-panel")


async def section(page: Page, name: str) -> Locator:
    """Return a section of the panel, unfolded."""
    found = panel(page).locator(f"details[data-section={name}]")
    await found.evaluate("(element) => { element.open = true }")
    return found


def latest(page: Page) -> Locator:
    """Return where the panel says what came of something."""
    return panel(page).get_by_role("status")
