"""The jupyter-server extension: the node's API for browsers, behind the server's own login.

JupyterLab's side panel speaks with the node through it: a browser never reaches the node itself.
"""

from typing import Any

from lc_jupyter.server.extension import load


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell jupyter-server where the extension is."""
    return [{"module": "lc_jupyter.server"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Serve jupyter-server, which calls this once at its start."""
    load(server)
