"""A node that is killed while it fetches a blob goes on with what it had, in its next life."""

import asyncio
import hashlib
import signal
import sys
from pathlib import Path

from lc_node.chain.types import ByteCount
from lc_node.ports.stores import Naming
from tests.peer_nodes import node, people
from tests.runtime.test_network import connected

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
SIZE = ByteCount(64 * MIB)
SEEN = 8 * MIB
FETCHER = """
import asyncio, sys
from pathlib import Path
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.stores import Naming
from lc_node.ports.transport import PeerAddress
from tests.peer_nodes import node, people, until

async def main(folder, key, transport_key, port, digest, size):
    seed = PeerAddress(public_key=bytes.fromhex(key), transport_key=bytes.fromhex(transport_key),
        host="127.0.0.1", port=int(port))
    async with node(people(2)[1], Path(folder), peers=[seed], port=None) as me:
        await until(lambda: bool(me.network.connected))
        await me.network.fetch_blob(Digest(bytes.fromhex(digest)), naming=Naming.SHA256,
            size_max=ByteCount(int(size)), progress=lambda here, _whole: print(here, flush=True))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_killed_download_goes_on_where_it_was(tmp_path: Path) -> None:
    ann, bob = people(2)
    data = hashlib.shake_128(b"content").digest(SIZE)
    source = tmp_path / "source"
    source.write_bytes(data)
    async with node(ann, tmp_path) as a:
        digest, _size = a.blobs.put_file(source, Naming.SHA256)
        seed = a.address
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FETCHER, tmp_path, ann.key.hex(), seed.transport_key.hex()),
            *(str(seed.port), digest.hex(), str(SIZE)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        while int(await process.stdout.readline()) < SEEN:
            continue
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        here: list[int] = []

        async with node(bob, tmp_path, peers=[a.address], port=None) as b:
            await connected(a, b)
            assert b.blobs.path_of(digest) is None
            path = await b.network.fetch_blob(
                digest,
                naming=Naming.SHA256,
                size_max=SIZE,
                progress=lambda done, _size: here.append(done),
            )

    assert here[0] > SEEN
    assert path.read_bytes() == data
