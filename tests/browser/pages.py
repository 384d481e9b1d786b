"""A page with the widget alone, in a real browser; what it sends is kept."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page, Request, async_playwright

from tests.browser.bundle import BUNDLE

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

_TOO_EARLY = ("(reading 'schema')", "Command 'filebrowser:open-path' not registered")

_MOUNT = """async ([code, snapshot]) => {
  const hearers = new Set();
  window.sent = [];
  window.tell = (message) => hearers.forEach((hear) => hear(message));
  const model = {
    get: () => snapshot,
    on: (_, hear) => hearers.add(hear),
    off: (_, hear) => hearers.delete(hear),
    send: (message) => window.sent.push(message),
  };
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  window.leave = widget.render({ model, el: document.body });
  // It draws in the next frame.
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""


@dataclass
class Window:
    """A browser's window, and what it should not do."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Of its console."""
    asked: list[str] = field(default_factory=list)
    """Addresses of requests."""

    @property
    def errors(self) -> list[str]:
        """What was wrong in the page, but for what Jupyter alone has to do with."""
        errors = [said for said in self.complaints if said.startswith("error")]
        return [said for said in errors if not (_is_of_debugger(said) or _is_of_notebook(said))]

    async def mount(self, snapshot: Mapping[str, Any]) -> None:
        """Show the widget with a story."""
        await self.page.evaluate(_MOUNT, [BUNDLE.read_text(), snapshot])

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Send the widget a message, as the kernel does."""
        await self.page.evaluate("(message) => window.tell(message)", message)


def _is_of_debugger(error: str) -> bool:
    """Tell whether this is Jupyter's debugger, whose question to a kernel was open when that was restarted.

    So it is now and then without any extension as well.
    """
    return error.startswith("error: Could not restore the debugger state: Canceled future")


def _is_of_notebook(error: str) -> bool:
    """Tell whether this is Notebook 7 that needs settings or a command before it has got them.

    All of the stack is in its own bundle; of settings it says so now and then without any extension as well.
    """
    first, *rest = error.splitlines()
    places = [line for line in rest if "http" in line]
    in_notebook = all("/static/notebook/notebook_core." in place for place in places)
    return any(one in first for one in _TOO_EARLY) and bool(places) and in_notebook


def find_browser() -> str:
    """Return a Chromium's path; scripts/ensure-browser has seen to it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(path for name in names if (path := shutil.which(name)) is not None)


@asynccontextmanager
async def open_window(width: int = 900, height: int = 760) -> AsyncIterator[Window]:
    """Open an empty window of a browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser(), args=list(FLAGS)
        )
        page = await browser.new_page(viewport={"width": width, "height": height})
        window = Window(page)
        page.on("console", lambda said: window.complaints.append(f"{said.type}: {said.text}"))
        page.on(
            "pageerror", lambda error: window.complaints.append(f"error: {error}\n{error.stack}")
        )

        def note(request: Request) -> None:
            if not request.url.startswith(("blob:", "data:")):
                window.asked.append(request.url)

        page.on("request", note)
        yield window
        await browser.close()
