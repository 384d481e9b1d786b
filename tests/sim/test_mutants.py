"""The simulator bites: each deliberate defect is noticed within a stated number of seeds."""

from typing import Final

import pytest

from lc_node.consensus.core import Core
from lc_node.sim.campaign import simulate
from lc_node.sim.report import Run
from lc_node.sim.scenario import Scenario
from tests.sim import mutants

TWINS: Final = Scenario(adversaries=("equivocator",))
HISTORY: Final = Scenario(honest=5, adversaries=("revisionist", "revisionist"))
SILENCE: Final = Scenario(honest=5, adversaries=("silent", "silent"), blackouts=3)

DEFECTS: Final = [
    (mutants.NullifiesAndFinalizes, TWINS, 8),
    (mutants.SkipsUncheckedViews, HISTORY, 16),
    (mutants.NotarizesEveryProposal, TWINS, 16),
    (mutants.CountsHalfAsQuorum, TWINS, 16),
    (mutants.ForgetsItsVotes, HISTORY, 16),
    (mutants.SendsBeforeItStores, HISTORY, 32),
    (mutants.ForgetsCertificates, SILENCE, 8),
    (mutants.DoesNotRecountItsVotes, SILENCE, 8),
    (mutants.SaysNothingTwice, SILENCE, 8),
    (mutants.NeverGivesUp, TWINS, 4),
]


def first_failure(core: type[Core], scenario: Scenario, seeds: int) -> Run | None:
    runs = (simulate([seed], scenario, core).runs[0] for seed in range(seeds))
    return next((run for run in runs if not run.is_good), None)


@pytest.mark.parametrize(
    ("defect", "scenario", "seeds"), DEFECTS, ids=[defect.__name__ for defect, _, _ in DEFECTS]
)
def test_a_defect_is_noticed(defect: type[Core], scenario: Scenario, seeds: int) -> None:
    failure = first_failure(defect, scenario, seeds)

    print(defect.__name__, failure)  # noqa: T201 - says by what it was noticed
    assert failure is not None


@pytest.mark.parametrize(
    "scenario", [TWINS, HISTORY, SILENCE], ids=["twins", "history", "silence"]
)
def test_nothing_is_noticed_where_there_is_no_defect(scenario: Scenario) -> None:
    assert first_failure(Core, scenario, 8) is None
