"""The REST side: a request becomes a call, its answer or its refusal JSON."""

from typing import Any, Final

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from lc_jupyter.server.link import NodeLink
from lc_jupyter.server.routes import BadRequest, Route, call_of
from lc_node.api.errors import (
    ApiError,
    BadCall,
    CallTimedOut,
    NodeFailed,
    NodeUnreachable,
    Overloaded,
    Refused,
    UnknownThing,
)

RESOURCE: Final = "learningchain"
"""What an authorizer of jupyter-server is asked about."""

_STATUS: Final = {
    Refused: 409,
    UnknownThing: 404,
    BadCall: 400,
    Overloaded: 503,
    NodeUnreachable: 503,
    NodeFailed: 502,
    CallTimedOut: 504,
}
_OTHER_STATUS: Final = 500


class NodeHandler(APIHandler):
    """Answers the requests of one path."""

    auth_resource = RESOURCE

    def initialize(self, link: NodeLink, routes: dict[str, Route]) -> None:
        """Ask through ``link``; ``routes`` are this path's, by verb."""
        self._link = link
        self._routes = routes

    @authenticated
    @authorized
    async def get(self, **parts: str) -> None:
        """Answer a question."""
        await self._answer(parts)

    @authenticated
    @authorized
    async def put(self, **parts: str) -> None:
        """Replace something."""
        await self._answer(parts)

    @authenticated
    @authorized
    async def post(self, **parts: str) -> None:
        """Do something."""
        await self._answer(parts)

    async def _answer(self, parts: dict[str, str]) -> None:
        route = self._routes.get(str(self.request.method))
        if route is None:
            await self._refuse(405, "MethodNotAllowed", f"It takes {', '.join(self._routes)}.")
            return
        query = {
            name: self.get_query_arguments(name)
            for name in self.request.query_arguments
            if name != "token"  # jupyter-server's own
        }
        try:
            call = call_of(route, parts, query, self.request.body)
            answer = await self._link.call(call)
        except BadRequest as error:
            await self._refuse(400, type(error).__name__, str(error))
        except ApiError as error:
            status = _STATUS.get(type(error), _OTHER_STATUS)
            await self._refuse(status, error.code, error.message, error.fields)
        else:
            await self._say(answer)

    async def _refuse(
        self, status: int, code: str, message: str, fields: dict[str, str] | None = None
    ) -> None:
        self.set_status(status)
        await self._say({"code": code, "message": message, "fields": fields or {}})

    async def _say(self, answer: Any) -> None:
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        await self.finish(msgspec.json.encode(answer))
