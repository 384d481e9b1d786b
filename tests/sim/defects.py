"""The list of deliberate defects: where each one shows, and within how many seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from lc_node.chain.types import MillisSpan
from lc_node.consensus.core import Core
from lc_node.sim.campaign import simulate
from lc_node.sim.report import Run
from lc_node.sim.scenario import Scenario
from tests.sim import mutants
from tests.sim.mutants import Patch, patched

EQUIVOCATION: Final = Scenario(adversaries=("equivocator",))
HISTORY: Final = Scenario(honest=5, adversaries=("revisionist", "revisionist"))
OUTAGES: Final = replace(HISTORY, crash_chance=0.01)
SILENCE: Final = Scenario(honest=5, adversaries=("silent", "silent"), blackouts=3)
COUNTERFEIT: Final = Scenario(honest=5, adversaries=("counterfeiter", "counterfeiter"))
FORGERY: Final = Scenario(
    honest=5, adversaries=("forger", "equivocator"), calm_ms=MillisSpan(60_000)
)
SPAM: Final = Scenario(honest=5, adversaries=("spammer", "spammer"))
EPOCHS: Final = Scenario(
    honest=5, followers=2, epoch_heights=4, goal=10, calm_ms=MillisSpan(120_000)
)
CHANGE: Final = replace(EPOCHS, adversaries=("equivocator", "revisionist"), epoch_heights=1)
ECHOES: Final = replace(EPOCHS, adversaries=("replayer", "replayer"))


@dataclass(frozen=True, slots=True)
class Defect:
    """A rule left out of the core or of what it calls, the scenario that shows it, and in how many seeds."""

    name: str
    scenario: Scenario
    seeds: int
    core: type[Core] = Core
    patches: tuple[Patch, ...] = ()


def _core(core: type[Core], scenario: Scenario, seeds: int) -> Defect:
    return Defect(core.__name__, scenario, seeds, core)


DEFECTS: Final[Sequence[Defect]] = (
    _core(mutants.NullifiesAndFinalizes, EQUIVOCATION, 8),
    _core(mutants.FinalizesAfterNullifying, EQUIVOCATION, 8),
    _core(mutants.SkipsUncheckedViews, HISTORY, 16),
    _core(mutants.BuildsOnAnything, HISTORY, 16),
    _core(mutants.NotarizesEveryProposal, EQUIVOCATION, 16),
    _core(mutants.VotesWithoutExecuting, COUNTERFEIT, 8),
    _core(mutants.IgnoresTheTime, COUNTERFEIT, 16),
    _core(mutants.CountsHalfAsQuorum, EQUIVOCATION, 16),
    _core(mutants.ForgetsItsVotes, HISTORY, 16),
    _core(mutants.ForgetsWhatItSigned, HISTORY, 8),
    _core(mutants.SendsBeforeItStores, OUTAGES, 16),
    _core(mutants.ForgetsCertificates, SILENCE, 8),
    _core(mutants.DoesNotRecountItsVotes, SILENCE, 8),
    _core(mutants.SaysNothingTwice, SILENCE, 8),
    _core(mutants.NeverGivesUp, EQUIVOCATION, 4),
    _core(mutants.BuildsPastTheEnd, CHANGE, 16),
    _core(mutants.VotesWithTheOldSet, EPOCHS, 8),
    Defect("TrustsVotes", SPAM, 8, patches=mutants.TRUSTS_VOTES),
    Defect("TrustsCertificates", FORGERY, 8, patches=mutants.TRUSTS_CERTIFICATES),
    Defect("IgnoresThePlace", COUNTERFEIT, 8, patches=mutants.IGNORES_THE_PLACE),
    Defect("SignsNoEpoch", ECHOES, 8, patches=mutants.SIGNS_NO_EPOCH),
    Defect("ConvictsBothKinds", SILENCE, 8, patches=mutants.CONVICTS_BOTH_KINDS),
    Defect("StaysBehind", EPOCHS, 8, patches=mutants.STAYS_BEHIND),
)


def first_failure(defect: Defect) -> Run | None:
    """Return the first run in which something goes wrong, None if nothing does."""
    with patched(defect.patches):
        runs = (
            simulate([seed], defect.scenario, defect.core).runs[0] for seed in range(defect.seeds)
        )
        return next((run for run in runs if not run.is_good), None)
