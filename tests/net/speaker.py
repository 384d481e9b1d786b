"""A program that announces itself by multicast and prints whom it hears: ``python -m tests.net.speaker PORT``."""

import asyncio
import sys

from lc_node.adapters.mdns import MulticastNeighbours
from lc_node.chain.crypto import sha256
from lc_node.chain.types import PublicKey
from lc_node.ports.neighbours import Presence
from lc_node.wire.session import TransportKey


async def _speak(port: int) -> None:
    key = PublicKey(sha256(port.to_bytes(2, "big")))
    neighbours = MulticastNeighbours(key)
    neighbours.announce(
        Presence(
            graph="lab", chain_id=None, key=key, transport_key=TransportKey(bytes(32)), port=port
        )
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(neighbours.run())
        while True:
            for one in neighbours.heard:
                print(one.presence.port, one.host, flush=True)  # noqa: T201  # what the test reads
            await neighbours.changed()


if __name__ == "__main__":
    asyncio.run(_speak(int(sys.argv[1])))
