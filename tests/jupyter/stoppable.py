"""A node in a process of its own, so that it can be stopped in the middle, let go on, and killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from lc_node.api.schema import Phase
from tests.api.sample_service import OTHER_JOB
from tests.jupyter.desk import Desk, story_of

ROOT = Path(__file__).parents[2]


class StoppableNode:
    """A desk with one open job and one that is over."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.jupyter.stoppable", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.home = Path(self._process.stdout.readline().decode().strip())

    @property
    def number(self) -> int:
        """Of its process."""
        return self._process.pid

    def stop(self) -> None:
        """Let it do nothing any more, though it is there; returns when it does not."""
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)
        os.waitid(os.P_PID, self._process.pid, os.WCONTINUED)

    def kill(self) -> None:
        """End it as a power cut would; a second call changes nothing."""
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Be a node until stdin ends."""
    desk = Desk(Path(sys.argv[1]))
    desk.tell(story_of())
    desk.tell(story_of(Phase.SETTLED, job=OTHER_JOB))
    print(desk.home, flush=True)  # noqa: T201  # its parent reads it
    sys.stdin.read()
    desk.stop()


if __name__ == "__main__":
    main()
