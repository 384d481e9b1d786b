"""A node without root, as a program: it probes its sandbox, runs two jobs and says what it saw."""

import asyncio
import json
import sys
from pathlib import Path

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import SandboxUnavailable
from tests.adapters.jobs import MIB, Workshop

JOB = """
import os
open('/lc/out/model', 'w').write('trained')
print(os.getuid(), input(), flush=True)
input()
"""


async def main(rootfs: Path, folder: Path) -> dict[str, object]:
    """Return what a test compares."""
    sandbox = BubblewrapSandbox("plain")
    workshop = Workshop(sandbox=sandbox, rootfs=rootfs)
    try:
        capabilities = await sandbox.probe()
    except SandboxUnavailable as error:
        return {"unavailable": str(error)}
    async with workshop.start(JOB) as run:
        await run.write_line(b"hello")
        line = await run.read_line()
        taken = await run.take("model", folder / "model", bytes_max=ByteCount(100))
    hog = await workshop.outcome(
        "b = bytearray(300 << 20); input()", memory_bytes=ByteCount(64 * MIB)
    )
    bomb = await workshop.outcome(
        "import os\nwhile True:\n try: os.fork()\n except OSError: pass", wall=500
    )
    return {
        "enforced": sorted(capabilities.enforced),
        "line": (line or b"").decode(),
        "taken": taken.path.read_text(),
        "hog": hog.status,
        "bomb": bomb.status,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))))  # noqa: T201 - its answer
