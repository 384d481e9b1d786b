"""The list of deliberate defects: where each one shows, and within how many seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lc_node.consensus.core import Core
from lc_node.sim.campaign import simulate
from lc_node.sim.report import Run
from lc_node.sim.scenario import Scenario
from tests.sim import mutants

EQUIVOCATION: Final = Scenario(adversaries=("equivocator",))
HISTORY: Final = Scenario(honest=5, adversaries=("revisionist", "revisionist"))
SILENCE: Final = Scenario(honest=5, adversaries=("silent", "silent"), blackouts=3)


@dataclass(frozen=True, slots=True)
class Defect:
    """A core with one rule left out, the scenario that shows it, and how many seeds that takes."""

    core: type[Core]
    scenario: Scenario
    seeds: int


DEFECTS: Final[Sequence[Defect]] = (
    Defect(mutants.NullifiesAndFinalizes, EQUIVOCATION, 8),
    Defect(mutants.SkipsUncheckedViews, HISTORY, 16),
    Defect(mutants.NotarizesEveryProposal, EQUIVOCATION, 16),
    Defect(mutants.CountsHalfAsQuorum, EQUIVOCATION, 16),
    Defect(mutants.ForgetsItsVotes, HISTORY, 16),
    Defect(mutants.SendsBeforeItStores, HISTORY, 32),
    Defect(mutants.ForgetsCertificates, SILENCE, 8),
    Defect(mutants.DoesNotRecountItsVotes, SILENCE, 8),
    Defect(mutants.SaysNothingTwice, SILENCE, 8),
    Defect(mutants.NeverGivesUp, EQUIVOCATION, 4),
)


def first_failure(core: type[Core], scenario: Scenario, seeds: Sequence[int]) -> Run | None:
    """Return the first run in which something goes wrong, None if nothing does."""
    runs = (simulate([seed], scenario, core).runs[0] for seed in seeds)
    return next((run for run in runs if not run.is_good), None)
