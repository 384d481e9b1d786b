"""What came of a number of simulated runs."""

from dataclasses import dataclass, field
from statistics import median

from lc_node.chain.types import MillisSpan


@dataclass(slots=True, kw_only=True)
class Run:
    """What came of one seed."""

    seed: int
    fingerprint: str = ""
    """A hash over everything that was delivered, when and where: equal runs have equal ones."""
    blocks: int = 0
    """Height of the longest delivered chain."""
    views: int = 0
    """The highest view that an honest node was in."""
    crashes: int = 0
    messages: int = 0
    malformed: int = 0
    """Messages that no node could decode."""
    evidence: int = 0
    """Pairs of votes that convict somebody, as often as a node found one."""
    forks: int = 0
    """Heights at which two honest nodes delivered different blocks."""
    honest_punished: int = 0
    """Convictions of honest nodes."""
    simulated_ms: int = 0
    """Virtual time times nodes."""
    stalled: bool = False
    """Whether somebody made no progress although the network had healed."""
    broken_invariants: list[str] = field(default_factory=list)
    latencies_ms: list[MillisSpan] = field(default_factory=list)
    """Of each block after the healing, from its proposal to the last honest node's delivery."""

    @property
    def wrongs(self) -> tuple[str, ...]:
        """Everything that must not go wrong, and did."""
        counted = {
            "forks": self.forks,
            "convictions of honest nodes": self.honest_punished,
            "stalled: no progress long after the network had healed": int(self.stalled),
        }
        said = (f"{what}: {count}" for what, count in counted.items() if count)
        return (*said, *self.broken_invariants)

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong that must not go wrong."""
        return not self.wrongs


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of many seeds."""

    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were run."""
        return tuple(run.seed for run in self.runs)

    @property
    def failing_seeds(self) -> tuple[int, ...]:
        """The seeds to look at: each reproduces its failure."""
        return tuple(run.seed for run in self.runs if not run.is_good)

    @property
    def blocks(self) -> int:
        """Blocks finalised."""
        return sum(run.blocks for run in self.runs)

    @property
    def crashes(self) -> int:
        """Nodes killed."""
        return sum(run.crashes for run in self.runs)

    @property
    def messages(self) -> int:
        """Messages sent."""
        return sum(run.messages for run in self.runs)

    @property
    def malformed(self) -> int:
        """Messages that no node could decode."""
        return sum(run.malformed for run in self.runs)

    @property
    def evidence(self) -> int:
        """Pairs of votes found that convict somebody."""
        return sum(run.evidence for run in self.runs)

    @property
    def forks(self) -> int:
        """Heights with two final blocks."""
        return sum(run.forks for run in self.runs)

    @property
    def stalls(self) -> int:
        """Seeds without progress."""
        return sum(run.stalled for run in self.runs)

    @property
    def honest_punished(self) -> int:
        """Convictions of honest nodes."""
        return sum(run.honest_punished for run in self.runs)

    @property
    def simulated_ms(self) -> int:
        """Virtual time times nodes."""
        return sum(run.simulated_ms for run in self.runs)

    @property
    def broken_invariants(self) -> tuple[str, ...]:
        """What else must never happen, and did."""
        return tuple(
            f"seed {run.seed}: {what}" for run in self.runs for what in run.broken_invariants
        )

    @property
    def latency_ms(self) -> float:
        """Median time from a block's proposal until every honest node had it, once healed."""
        return median([span for run in self.runs for span in run.latencies_ms] or [0])

    def __str__(self) -> str:
        run = f"{len(self.runs)} seeds {self.seeds}: {self.blocks} blocks, {self.crashes} crashes"
        sent = f"{self.messages} messages, median latency {self.latency_ms} ms"
        wrong = f"forks {self.forks}, stalls {self.stalls}, punished {self.honest_punished}"
        failing = f"broken {len(self.broken_invariants)}, failing seeds {self.failing_seeds}"
        return "\n".join((f"{run}, {sent}", f"{wrong}, {failing}", *self.broken_invariants))
