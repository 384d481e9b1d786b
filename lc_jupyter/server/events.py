"""The WebSocket side: a node's events as they happen, and whether the node can be reached."""

from lc_jupyter.server.following import FollowingHandler, Told
from lc_node.api.calls import EventsSince
from lc_node.api.schema import Event, Place


class EventTold(Told, frozen=True, kw_only=True, omit_defaults=True):
    """An event, as it happened."""

    event: Event


class EventsHandler(FollowingHandler):
    """Sends every event from now on; ``?job=ID`` only one job's."""

    async def follow_while_there(self) -> None:
        """Tell events until the node is gone."""
        batch = await self.link.call(EventsSince(place=Place()))
        await self.tell(Told(reachable=True))
        # From this place on none is missed: what a page reads after this message is as new at least.
        client = self.link.client()
        async for event in client.events(job=self.job, place=batch.latest):
            await self.tell(EventTold(event=event))
