"""Many seeds of one scenario."""

from collections.abc import Iterable

from lc_node.consensus.core import Core
from lc_node.sim.report import Report
from lc_node.sim.scenario import Scenario
from lc_node.sim.world import World

_DEFAULT = Scenario()


def simulate(
    seeds: Iterable[int], scenario: Scenario = _DEFAULT, core: type[Core] = Core
) -> Report:
    """Run a scenario once for each seed; ``core`` is what honest nodes run.

    The same seed and scenario give the same run, message by message.
    """
    return Report(runs=tuple(World(seed, scenario, core).run() for seed in seeds))
