"""Which tests a parallel run keeps together, by their files, and with which it begins.

The mark ``xdist_group`` does nothing under pytest 9.2: github.com/pytest-dev/pytest-xdist/issues/1386.
"""

from typing import Final

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

JOBS: Final = "whole graphs that do jobs"
OTHERS: Final = "whole graphs in networks, and all others"
SNAPSHOTS: Final = "Pythons of every kind as images"
FIRST: Final = (JOBS, OTHERS, SNAPSHOTS)
"""What takes longest. Graphs mostly wait for clocks, and leave the processors to the third worker's tests."""

GRAPHS: Final = ("tests/e2e/", "tests/net/", "tests/notebooks/")
"""Whose files start whole graphs; they are among the others unless told otherwise."""

TOGETHER: Final = {
    "tests/e2e/test_cluster.py": JOBS,
    "tests/e2e/test_demo.py": JOBS,
    "tests/e2e/test_docker_job.py": JOBS,
    "tests/e2e/test_kills.py": JOBS,
    "tests/e2e/test_light_client.py": JOBS,
    "tests/e2e/test_pickle_liar.py": JOBS,
    "tests/e2e/test_plain_programs.py": JOBS,
    "tests/jupyter/mistakes/test_mistakes.py": OTHERS,
    "tests/jupyter/test_real_node.py": OTHERS,
    "tests/jupyter/snapshots/test_environments.py": SNAPSHOTS,
    "tests/jupyter/snapshots/test_projects.py": SNAPSHOTS,
    "tests/e2e/test_refusals.py": "nodes",
    "tests/e2e/test_cannot_start.py": "nodes",
    "tests/e2e/test_full_disk.py": "nodes",
    "tests/dask/test_docker.py": "cluster",
    "tests/dask/test_executors.py": "cluster",
    "tests/dask/test_misfits.py": "cluster",
    "tests/dask/test_workers.py": "cluster",
    "tests/net/test_lan.py": "lan",
    "tests/net/test_multicast.py": "lan",
}
"""Of whole graphs two at once are enough: more would starve each other."""


class TogetherScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Sends tests that belong together to one worker: what a module has started serves all its tests."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return TOGETHER.get(file, OTHERS if file.startswith(GRAPHS) else file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Begin with what takes longest, so that nobody waits for it alone at the end."""
        for scope in reversed(FIRST):
            if scope in self.workqueue:
                self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)
