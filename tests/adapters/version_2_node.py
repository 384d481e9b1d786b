"""A node on a machine with control groups of version 2 alone, as its only program: it says what holds there."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from lc_node.adapters import sandbox_canary
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.cgroups import find_tree
from lc_node.chain.types import ByteCount, MillisSpan
from lc_node.ports.sandbox import SandboxUnavailable
from tests.adapters.jobs import LIMITS, MIB, Workshop, pids_with

SPIN = "import os\nos.fork()\nos.fork()\nwhile True: pass"
BOMB = "import os\nwhile True:\n try: os.fork()\n except OSError: pass"
FULL = "f = open('/lc/out/x', 'wb')\nwhile True: f.write(bytes(1 << 20))"


async def main(rootfs: Path) -> dict[str, object]:
    """Return what the test compares."""
    tree = find_tree("node", Path("/proc/self/mounts").read_text())  # noqa: ASYNC240 - of the kernel
    (folder,) = tree.folders()
    tree.make("an-earlier-life", LIMITS)
    sandbox = BubblewrapSandbox("node", probe_seconds_max=120)
    await sandbox.reap()
    workshop = Workshop(sandbox=sandbox, rootfs=rootfs)
    try:
        enforced = sorted(str(one) for one in (await sandbox.probe()).enforced)
    except SandboxUnavailable as error:
        enforced = [str(error)]
    patiently = MillisSpan(60_000)
    hog = await workshop.outcome(
        "b = bytearray(200 << 20)", memory_bytes=ByteCount(64 * MIB), wall=patiently
    )
    stored = await workshop.outcome(
        FULL, memory_bytes=ByteCount(48 * MIB), out_bytes=ByteCount(60 * MIB), wall=patiently
    )
    bomb = await workshop.outcome(BOMB, wall=MillisSpan(1500))
    spin = await workshop.outcome(SPIN, wall=MillisSpan(3000), millicpus=300)
    return {
        "tree": type(tree).__name__,
        "enforced": enforced,
        "hog": hog.status,
        "hog_peak_mib": hog.memory_peak_bytes // MIB,
        "stored": stored.status,
        "bomb": bomb.status,
        "spin_cpu_ms": spin.cpu,
        "groups_left": sorted(child.name for child in folder.iterdir() if child.is_dir()),
        "processes_left": len(pids_with("while True")),
    }


if __name__ == "__main__":
    # Such a machine is slow, and so may be the one below it.
    sandbox_canary._LIMITS = replace(sandbox_canary._LIMITS, wall=MillisSpan(30_000))  # type: ignore[misc]
    print(f"\nFOUND {json.dumps(asyncio.run(main(Path(sys.argv[1]))))}\n", flush=True)  # noqa: T201 - its answer
