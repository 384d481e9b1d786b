"""A real JupyterLab with one notebook, opened in a real browser."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from playwright.async_api import Page

TOKEN = "e1f0c5"  # noqa: S105  # of a server that lives for one test
START_SECONDS = 120
PATIENCE_MS = 120_000

_SETTINGS = {
    "notebook-extension/tracker": {"autoStartDefaultKernel": True},  # else a dialog asks which
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
_CONNECTED = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""
_RUN_ALL = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info;
  window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


def _notebook(cells: list[str]) -> dict[str, object]:
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


class Lab:
    """One JupyterLab of the owner of a node."""

    def __init__(self, folder: Path, node_home: Path, cells: list[str]) -> None:
        root = folder / "notebooks"
        root.mkdir()
        (root / "job.ipynb").write_text(json.dumps(_notebook(cells)))
        for plugin, value in _SETTINGS.items():
            path = folder / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_NODE": str(node_home),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        words = (
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", "--port=0", f"--IdentityProvider.token={TOKEN}"),
            f"--ServerApp.root_dir={root}",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.expose_app_in_browser=True",
        )
        self._log = folder / "lab.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        self.base = (
            f"http://127.0.0.1:{self._wait(runtime / f'jpserver-{self._process.pid}.json')}"
        )

    async def open(self, page: Page) -> None:
        """Open the notebook; its kernel is there and idle afterwards."""
        await page.goto(f"{self.base}/lab/tree/job.ipynb?token={TOKEN}")
        await page.wait_for_function(_CONNECTED, timeout=PATIENCE_MS)

    async def run_all(self, page: Page) -> None:
        """Run every cell of the notebook."""
        await page.evaluate(_RUN_ALL)

    def stop(self) -> None:
        """End it, and its kernels."""
        self._process.terminate()
        self._process.wait(START_SECONDS)

    def _wait(self, path: Path) -> int:
        """Return the port, once the server has written it down and listens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text()
            try:
                port = int(json.loads(path.read_text())["port"])
                socket.create_connection(("127.0.0.1", port)).close()
            except (FileNotFoundError, json.JSONDecodeError, ConnectionRefusedError):
                os.sched_yield()
            else:
                return port
        raise AssertionError(self._log.read_text())
