"""Which tests a parallel run keeps together, by their files.

The mark ``xdist_group`` does nothing under pytest 9.2: github.com/pytest-dev/pytest-xdist/issues/1386.
"""

from typing import Final

from xdist.scheduler.loadscope import LoadScopeScheduling

TOGETHER: Final = {
    "tests/e2e/test_demo.py": "graphs",
    "tests/e2e/test_kills.py": "graphs",
    "tests/e2e/test_pickle_liar.py": "graphs",
    "tests/adapters/test_mdns.py": "room",
    "tests/jupyter/test_kernel.py": "kernel",
    "tests/jupyter/snapshots/test_environments.py": "snapshots",
    "tests/jupyter/snapshots/test_projects.py": "snapshots",
    "tests/e2e/test_refusals.py": "nodes",
    "tests/e2e/test_cannot_start.py": "nodes",
    "tests/e2e/test_full_disk.py": "nodes",
    "tests/net/test_lan.py": "lan",
    "tests/net/test_faults.py": "graphs",
    "tests/net/test_joining.py": "graphs",
    "tests/net/test_multicast.py": "lan",
    "tests/net/test_storm.py": "graphs",
    "tests/net/test_wires.py": "graphs",
}
"""Two whole graphs at once would starve each other; and what a module has started serves all its tests."""


class TogetherScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Sends tests that belong together to one worker, and any other to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0], nodeid)
