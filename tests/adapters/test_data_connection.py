"""One data connection: what waits for a slow end is bounded."""

import asyncio
import threading
import time

from lc_node.adapters.data_connection import DataConnection
from tests.adapters.data_ends import ANNA, BERT, both, chunk
from tests.peer_nodes import PATIENCE_SECONDS

MIB = 1024 * 1024


def wait_without_a_turn_for_others(connection: DataConnection) -> None:
    """Return when no more frames may wait for the event loop, which stands still meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while connection._room._value:
        assert time.monotonic() < end, "it takes frames without end"
        threading.Event().wait(0.005)


async def test_a_peer_waits_while_the_event_loop_does_not_take_its_frames_and_no_end_hangs() -> (
    None
):
    async with both() as (anna, bert), asyncio.timeout(PATIENCE_SECONDS):
        to_bert, to_anna = anna.data.of(BERT), bert.data.of(ANNA)
        assert to_bert is not None
        assert to_anna is not None
        for index in range(8):
            to_bert.send(chunk(index, MIB))
        wait_without_a_turn_for_others(to_anna)

        await to_anna.closed()
