"""The simulator bites: each deliberate defect is noticed within a stated number of seeds."""

import pytest

from lc_node.sim.scenario import Scenario
from tests.sim.defects import DEFECTS, Defect, first_failure

SOUND = {str(defect.scenario): defect.scenario for defect in DEFECTS}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_is_noticed(defect: Defect) -> None:
    failure = first_failure(defect)

    assert failure is not None
    print(f"by seed {failure.seed}: {'; '.join(failure.wrongs)}")  # noqa: T201 - says by what


@pytest.mark.parametrize("scenario", SOUND.values(), ids=range(len(SOUND)))
def test_nothing_is_noticed_where_there_is_no_defect(scenario: Scenario) -> None:
    assert first_failure(Defect("none", scenario, 6)) is None
