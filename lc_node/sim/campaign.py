"""Many seeds of one scenario."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from lc_node.consensus.core import Core
from lc_node.sim.report import Report, Run
from lc_node.sim.scenario import Scenario
from lc_node.sim.world import World

_DEFAULT = Scenario()


def simulate(
    seeds: Iterable[int],
    scenario: Scenario = _DEFAULT,
    core: type[Core] = Core,
    *,
    processes: int = 1,
    hear: Callable[[Run], None] | None = None,
) -> Report:
    """Run a scenario once for each seed; ``core`` is what honest nodes run.

    The same seed and scenario give the same run, message by message, however many ``processes``
    share the seeds. ``hear`` is called with each run, in the order of the seeds.
    """
    runs: list[Run] = []
    for run in _runs(list(seeds), partial(_run, scenario, core), processes):
        runs.append(run)
        if hear is not None:
            hear(run)
    return Report(runs=tuple(runs))


def _runs(seeds: list[int], run: Callable[[int], Run], processes: int) -> Iterator[Run]:
    if processes <= 1 or len(seeds) <= 1:
        yield from map(run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(min(processes, len(seeds))) as pool:
        yield from pool.imap(run, seeds)


def _run(scenario: Scenario, core: type[Core], seed: int) -> Run:
    return World(seed, scenario, core).run()
