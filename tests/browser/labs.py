"""A real JupyterLab and a real Notebook 7, both of one server, and their notebooks opened in a real browser."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.async_api import Page

from tests.jupyter.servers import BASE, TOKEN, Server

PATIENCE_MS: Final = 120_000

LAB: Final = "lab/tree"
NOTEBOOK: Final = "notebooks"
"""Where a notebook is shown by JupyterLab, and by Notebook 7."""

_SETTINGS: Final = {
    "notebook-extension/tracker": {"autoStartDefaultKernel": True},  # else a dialog asks which
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
_OPTIONS: Final = (
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
)
_CONNECTED: Final = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""
_STARTED: Final = "() => window.jupyterapp?.restored.then(() => true)"
_RUN_ALL: Final = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info;
  window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


def _notebook(cells: Sequence[str]) -> dict[str, object]:
    """Return a notebook of code cells: nbformat 4.5."""
    empty: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
    }
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [{**empty, "id": f"c{at}", "source": cell} for at, cell in enumerate(cells)],
    }


class Lab(Server):
    """One JupyterLab of the owner of a node; it shows notebooks as Notebook 7 as well."""

    def __init__(
        self, folder: Path, node_home: Path, cells: Sequence[str] = (), *, base: str = BASE
    ) -> None:
        for plugin, value in _SETTINGS.items():
            path = folder / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        super().__init__(folder, node_home, app="jupyterlab", base=base, options=_OPTIONS)
        self.write(cells)

    def write(self, cells: Sequence[str], name: str = "job") -> None:
        """Put a notebook of some code cells into the folder of notebooks."""
        (self.root / f"{name}.ipynb").write_text(json.dumps(_notebook(cells)))

    async def open(self, page: Page, name: str = "job", shown_by: str = LAB) -> None:
        """Open a notebook; its kernel is there and idle afterwards."""
        await page.goto(f"{self.url}{shown_by}/{name}.ipynb?token={TOKEN}")
        await page.wait_for_function(_CONNECTED, timeout=PATIENCE_MS)

    async def open_empty(self, page: Page) -> None:
        """Open JupyterLab without a notebook; it has started afterwards."""
        await page.goto(f"{self.url}lab?token={TOKEN}")
        await page.wait_for_function(_STARTED, timeout=PATIENCE_MS)

    async def run_all(self, page: Page) -> None:
        """Run every cell of the notebook."""
        await page.evaluate(_RUN_ALL)
