"""A job's page over a real WebSocket: everything once, then only what is new."""

import asyncio
import json
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection

from tests.api.sample_service import JOB, OTHER_JOB
from tests.jupyter.desk import Desk
from tests.jupyter.servers import Server, hang_up
from tests.jupyter.test_feed import FIRST, SECOND, announced, grown

BID = announced(FIRST, 5, 2_000)


async def _next(socket: WebSocketClientConnection) -> Any:
    async with asyncio.timeout(30):
        message = await socket.read_message()
    assert message is not None
    return json.loads(message)


async def test_a_page_that_opens_is_told_everything(server: Server, node: Desk) -> None:
    node.tell(grown(BID))

    socket = await server.listen(f"view?job={JOB}")

    told = await _next(socket)
    assert told["kind"] == "anew"
    assert told["snapshot"]["head"]["job"] == JOB
    assert told["snapshot"]["bids"] == [[2_000, 0, 5]]
    await hang_up(socket)


async def test_of_what_happens_then_only_the_new_is_told(server: Server, node: Desk) -> None:
    node.tell(grown(BID))
    socket = await server.listen(f"view?job={JOB}")
    await _next(socket)

    node.tell(grown(BID, announced(SECOND, 4, 3_000)))
    node.publish("bid")

    told = await _next(socket)
    assert told["kind"] == "delta"
    assert told["delta"]["bids"] == [[3_000, 1, 4]]
    assert told["delta"]["bidders"] == ["lc1secon…cond"]
    await hang_up(socket)


async def test_a_job_that_the_node_does_not_know_is_said_and_shown_once_it_does(
    server: Server, node: Desk
) -> None:
    socket = await server.listen(f"view?job={OTHER_JOB}")
    assert "no job bbbbbbbb on this chain" in (await _next(socket))["problem"]

    story = grown()
    node.desk.stories[OTHER_JOB] = story

    while (told := await _next(socket)).get("kind") != "anew":
        assert told["problem"]
    del node.desk.stories[OTHER_JOB]
    await hang_up(socket)


@pytest.mark.parametrize("path", ["view", "view?job=zz"])
async def test_a_page_of_no_job_is_refused(server: Server, path: str) -> None:
    with pytest.raises(HTTPClientError, match="400"):
        await server.listen(path)


async def test_without_the_token_no_page_is_told(server: Server) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        await server.listen(f"view?job={JOB}", headers={})
