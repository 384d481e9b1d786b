"""A node whose owner may post what others cannot use: it does not look at the images of its jobs.

Run as a program, with the node's home as its argument; it ends with its stdin.
"""

import sys
from pathlib import Path

from lc_node.chain.transactions import JobSpec
from lc_node.runtime.doors import NodeService
from lc_node.runtime.home import Home
from lc_node.worker.duties import next_actions
from tests.e2e.programs import run_until_eof


def _look_away(_service: NodeService, _spec: JobSpec) -> None:
    """Find every image fit to be posted."""


if __name__ == "__main__":
    setattr(NodeService, "_validate_image", _look_away)  # noqa: B010 (mypy, rightly, forbids the plain assignment)
    run_until_eof(Home(Path(sys.argv[1])), next_actions)
