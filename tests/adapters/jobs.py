"""Running small Python programs in a sandbox, as the tests of every sandbox do."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.docker_sandbox import DockerSandbox
from lc_node.chain.types import ByteCount, MillisSpan, Seconds
from lc_node.ports.sandbox import Layout, Limits, Outcome, Run, RunRequest, Sandbox
from tests.adapters.rootfs import ENVIRONMENT, PYTHON

SANDBOXES = ("bubblewrap-root", "bubblewrap-user", "docker")
"""Every sandbox that the contract's tests run in; bubblewrap as root with control groups, as a plain user without."""

DOCKER_HOST = Path(__file__).parents[2] / ".cache" / "docker-host"
MIB = 1024 * 1024
LIMITS = Limits(
    millicpus=1000,
    memory_bytes=ByteCount(256 * MIB),
    pids=32,
    out_bytes=ByteCount(8 * MIB),
    scratch_bytes=ByteCount(4 * MIB),
    inodes=64,
    wall=MillisSpan(10_000),
    log_bytes=ByteCount(MIB),
    line_bytes=ByteCount(4096),
    grace=Seconds(1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A sandbox and a root file system with an interpreter in it."""

    sandbox: Sandbox
    rootfs: Path
    name: str = ""
    """One of ``SANDBOXES``."""

    def start(
        self,
        code: str,
        *words: str,
        limits: Limits = LIMITS,
        inputs: Mapping[str, Path] | None = None,
        is_background: bool = False,
        layout: Layout = Layout.APART,
    ) -> AbstractAsyncContextManager[Run]:
        """Start a program."""
        argv = (PYTHON, "-I", "-S", "-c", code, *words)
        return self.start_argv(
            argv, limits, inputs or {}, is_background=is_background, layout=layout
        )

    def start_argv(
        self,
        argv: tuple[str, ...],
        limits: Limits,
        inputs: Mapping[str, Path],
        *,
        is_background: bool = False,
        layout: Layout = Layout.APART,
        working_folder: str = "/lc/work",
    ) -> AbstractAsyncContextManager[Run]:
        """Start any command."""
        return self.sandbox.open(
            RunRequest(
                rootfs=self.rootfs,
                argv=argv,
                environment=ENVIRONMENT,
                inputs=inputs,
                limits=limits,
                is_background=is_background,
                layout=layout,
                working_folder=working_folder,
            )
        )

    async def lines(
        self,
        code: str,
        inputs: Mapping[str, Path] | None = None,
        layout: Layout = Layout.APART,
    ) -> list[str]:
        """Run a program to its end and return what it printed; it must succeed."""
        async with self.start(code, inputs=inputs, layout=layout) as run:
            found = [line.decode() for line in await all_lines(run)]
            outcome = await run.wait()
        assert outcome.exit_code == 0, outcome.log_tail
        return found

    async def outcome(self, code: str, **changes: Any) -> Outcome:
        """Run a program under changed limits and return how it ended."""
        async with self.start(code, limits=replace(LIMITS, **changes)) as run:
            await all_lines(run)
            return await run.wait()


def sandbox_called(name: str, owner: str) -> Sandbox:
    """Return one of ``SANDBOXES``; who is asking decides what it can enforce."""
    assert name in SANDBOXES
    if name == "docker":
        return DockerSandbox(owner, host=docker_host())
    return BubblewrapSandbox(owner)


def docker_host() -> str:
    """Return where the engine listens that ``scripts/ensure-docker`` has started; empty without one."""
    try:
        return DOCKER_HOST.read_text().strip()
    except FileNotFoundError:
        return ""


async def all_lines(run: Run) -> list[bytes]:
    """Read stdout to its end."""
    lines = []
    while (line := await run.read_line()) is not None:
        lines.append(line)
    return lines


def pids_with(marker: str) -> list[int]:
    """Return the processes whose command line has a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in words:
                found.append(int(folder.name))
    return found
