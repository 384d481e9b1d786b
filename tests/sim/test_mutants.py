"""The simulator bites: each deliberate defect is noticed within a stated number of seeds."""

import pytest

from lc_node.consensus.core import Core
from lc_node.sim.scenario import Scenario
from tests.sim.defects import DEFECTS, EQUIVOCATION, HISTORY, SILENCE, Defect, first_failure


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.core.__name__)
def test_a_defect_is_noticed(defect: Defect) -> None:
    failure = first_failure(defect.core, defect.scenario, range(defect.seeds))

    assert failure is not None
    print(f"by seed {failure.seed}: {'; '.join(failure.wrongs)}")  # noqa: T201 - says by what


@pytest.mark.parametrize(
    "scenario", [EQUIVOCATION, HISTORY, SILENCE], ids=["equivocation", "history", "silence"]
)
def test_nothing_is_noticed_where_there_is_no_defect(scenario: Scenario) -> None:
    assert first_failure(Core, scenario, range(6)) is None
