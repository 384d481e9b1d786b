"""Puts the handlers under the server's base URL."""

from itertools import groupby
from typing import Any, Final

from jupyter_server.utils import url_path_join

from lc_jupyter.server.events import EventsHandler
from lc_jupyter.server.handlers import NodeHandler
from lc_jupyter.server.link import NodeLink
from lc_jupyter.server.routes import ROUTES
from lc_jupyter.server.views import ViewHandler

ROOT: Final = "learningchain/api"


def load(server: Any) -> None:
    """Add the API of the node to a jupyter-server (``jupyter_server.serverapp.ServerApp``)."""
    link = NodeLink()
    base = url_path_join(server.web_app.settings["base_url"], ROOT)
    handlers: list[tuple[str, type, dict[str, Any]]] = [
        (url_path_join(base, "events"), EventsHandler, {"link": link}),
        (url_path_join(base, "view"), ViewHandler, {"link": link}),
    ]
    for pattern, group in groupby(ROUTES, key=lambda route: route.pattern):
        routes = {route.verb: route for route in group}
        handlers.append(
            (url_path_join(base, pattern), NodeHandler, {"link": link, "routes": routes})
        )
    server.web_app.add_handlers(".*$", handlers)
    server.log.info("learningchain: the node's API is at %s", base)
