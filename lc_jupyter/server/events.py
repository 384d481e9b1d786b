"""The WebSocket side: a node's events as they happen, and whether the node can be reached."""

import asyncio
from typing import Any, Final

import msgspec
from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lc_jupyter.server.handlers import RESOURCE
from lc_jupyter.server.link import NodeLink
from lc_node.api.calls import EventsSince
from lc_node.api.errors import ApiError
from lc_node.api.schema import Event, JobId, Place

RETRY_SECONDS: Final = 1.0
"""How long to wait before looking for a node that was gone."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to a browser: an event, or whether the node is there."""

    event: Event | None = None
    reachable: bool | None = None
    problem: str = ""
    """Why the node cannot be reached, and what to do."""


class EventsHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Sends every event from now on; ``?job=ID`` only one job's."""

    auth_resource = RESOURCE

    def initialize(self, link: NodeLink) -> None:
        """Listen through ``link``."""
        self._link = link
        self._job: JobId | None = None
        self._following: asyncio.Task[None] | None = None

    @ws_authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]  # its result could be anything
    async def get(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # for the same reason
        """Open the WebSocket."""
        name = self.get_query_argument("job", None)
        try:
            self._job = None if name is None else msgspec.convert(name, JobId)
        except msgspec.ValidationError as error:
            raise HTTPError(400, "job is 64 hexadecimal digits") from error
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[mutable-override]  # tornado types it as an attribute
        """Begin to follow."""
        super().open(*args, **kwargs)
        self._following = asyncio.create_task(  # noqa: TID251  # tornado has no group; on_close ends it
            self._follow()
        )

    def on_message(self, message: str | bytes) -> None:
        """Hear nothing: what a browser wants done goes by REST."""

    def on_close(self) -> None:
        """Stop following."""
        super().on_close()
        if self._following is not None:
            self._following.cancel()

    async def _follow(self) -> None:
        """Tell events until the browser leaves; look for a node that is gone again and again."""
        try:
            while True:
                await self._follow_while_there()
                await asyncio.sleep(RETRY_SECONDS)
        except WebSocketClosedError:
            return

    async def _follow_while_there(self) -> None:
        try:
            batch = await self._link.call(EventsSince(place=Place()))
            await self._tell(Told(reachable=True))
            # From this place on none is missed: what a page reads after this message is as new at least.
            client = self._link.client()
            async for event in client.events(job=self._job, place=batch.latest):
                await self._tell(Told(event=event))
        except ApiError as error:
            self._link.close()
            await self._tell(Told(reachable=False, problem=error.message))

    async def _tell(self, told: Told) -> None:
        await self.write_message(msgspec.json.encode(told).decode())
