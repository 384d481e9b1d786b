"""A real JupyterLab and a real Notebook 7, both of one server, and their notebooks opened in a real browser."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from tests.jupyter.servers import BASE, TOKEN, Server

PATIENCE_MS: Final = 120_000
_CELL_PATIENCE_MS: Final = 400_000
"""A cell may wait until a job is settled."""

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
_RUN: Final = """async ([source, place]) => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.sessionContext.session.kernel.info;
  const shared = panel.content.model.sharedModel;
  const at = place ?? shared.cells.length;
  if (place !== null) shared.deleteCell(at);
  shared.insertCell(at, { cell_type: "code", source, metadata: {} });
  panel.content.activeCellIndex = at;
  window.jupyterapp.commands.execute("notebook:run-cell");
  return at;
}"""
_HAS_RUN: Final = """(at) => {
  const cell = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[at];
  return cell.execution_count !== null && cell.executionState === "idle";
}"""
_COUNT: Final = (
    """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.length"""
)
_OUTPUTS: Final = """(at) => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[at].getOutputs()"""
_RESTART: Final = """() => { window.jupyterapp.commands.execute("notebook:restart-kernel"); }"""
_SAVE: Final = """() => window.jupyterapp.commands.execute("docmanager:save")"""
_SHUT_DOWN: Final = """() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"""
_THEME: Final = (
    """(theme) => window.jupyterapp.commands.execute("apputils:change-theme", { theme })"""
)
_HAS_THEME: Final = """(light) => document.body.dataset.jpThemeLight === light"""
_RUN_ALL: Final = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info;
  window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


def _notebook(cells: Sequence[str], title: str) -> dict[str, object]:
    """Return a notebook of code cells, below a title if there is one: nbformat 4.5."""
    empty: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
    }
    texts = (
        [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": title}]
        if title
        else []
    )
    codes = [{**empty, "id": f"c{at}", "source": cell} for at, cell in enumerate(cells)]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [*texts, *codes],
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

    def write(self, cells: Sequence[str], name: str = "job", *, title: str = "") -> None:
        """Put a notebook of some code cells into the folder of notebooks."""
        (self.root / f"{name}.ipynb").write_text(json.dumps(_notebook(cells, title)))

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

    async def run(self, page: Page, source: str, at: int | None = None) -> list[dict[str, Any]]:
        """Type a cell, at the notebook's end or in place of another, and run it; return what it has put out in the end."""
        typed_at = await page.evaluate(_RUN, [source, at])
        await page.wait_for_function(_HAS_RUN, arg=typed_at, timeout=_CELL_PATIENCE_MS)
        outputs: list[dict[str, Any]] = await page.evaluate(_OUTPUTS, typed_at)
        return outputs

    async def count_cells(self, page: Page) -> int:
        """Return how many cells the notebook has."""
        return int(await page.evaluate(_COUNT))

    async def restart_kernel(self, page: Page) -> None:
        """Restart the notebook's kernel, as its menu does; it is idle afterwards."""
        await page.evaluate(_RESTART)
        await page.locator(".jp-Dialog .jp-mod-accept").click(timeout=PATIENCE_MS)
        await page.wait_for_function(_CONNECTED, timeout=PATIENCE_MS)

    async def save(self, page: Page) -> None:
        """Save the notebook."""
        await page.evaluate(_SAVE)

    async def shut_down_kernel(self, page: Page) -> None:
        """End the notebook's kernel for good."""
        await page.evaluate(_SHUT_DOWN)

    async def use_theme(self, page: Page, theme: str) -> None:
        """Show everything light or dark."""
        await page.evaluate(_THEME, f"JupyterLab {theme}")
        await page.wait_for_function(_HAS_THEME, arg=str(theme == "Light").lower())
