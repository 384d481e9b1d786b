"""One run of ``echo`` in a sandbox, as the benchmarks of every sandbox time it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import tiny_root
from lc_node.chain.types import ByteCount, MillisSpan, Seconds
from lc_node.ports.sandbox import Limits, RunRequest, Sandbox

WORD: Final = "started"
"""What it prints."""

_MIB: Final = 1024 * 1024
LIMITS: Final = Limits(
    millicpus=1000,
    memory_bytes=ByteCount(256 * _MIB),
    pids=32,
    out_bytes=ByteCount(8 * _MIB),
    scratch_bytes=ByteCount(8 * _MIB),
    inodes=64,
    wall=MillisSpan(30_000),
    log_bytes=ByteCount(_MIB),
    line_bytes=ByteCount(4096),
    grace=Seconds(1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """A root file system with the program in it."""

    root: Path
    program: Path

    @classmethod
    def below(cls, folder: Path) -> "Echo":
        """Lay it out in a folder, which others must be able to enter.

        Raises:
            NothingMeasured: there is no such program here.
        """
        folder.chmod(0o755)
        program = tiny_root.find("echo")
        return cls(root=tiny_root.build(folder / "root", program), program=program)

    @property
    def words(self) -> tuple[str, ...]:
        """The command."""
        return str(self.program), WORD

    async def first_line_seconds(self, sandbox: Sandbox) -> float:
        """Run it, and return the seconds until its first line; nothing is left of it by then."""
        request = RunRequest(
            rootfs=self.root, argv=self.words, environment={}, inputs={}, limits=LIMITS
        )
        since = time.perf_counter()
        async with sandbox.open(request) as running:
            line = await running.read_line()
            seconds = time.perf_counter() - since
            outcome = await running.wait()
        assert line == WORD.encode(), outcome.log_tail
        return seconds
