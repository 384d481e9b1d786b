"""What a simulated network is made of, and how it is mistreated."""

from dataclasses import dataclass
from random import Random

from lc_node.chain.codec import Record
from lc_node.chain.types import MillisSpan, Weight
from lc_node.consensus.params import ConsensusParams
from lc_node.sim.network import Weather


class Scenario(Record):
    """The same for all seeds of a campaign; what it leaves open is drawn from the seed."""

    honest: int = 6
    adversaries: tuple[str, ...] = ("equivocator",)
    """Strategies by name, one for each dishonest member; together under a third of the weight."""
    followers: int = 1
    """Nodes outside the set."""
    heals_at: MillisSpan = MillisSpan(30_000)
    """From then on nothing is lost and nobody crashes."""
    calm_ms: MillisSpan = MillisSpan(60_000)
    """Who makes no progress for this long after the healing has stalled."""
    goal: int = 5
    """Blocks proposed after the healing that every honest node is to deliver."""
    payment_every_ms: MillisSpan = MillisSpan(400)
    """The mean time between two transactions."""
    weather: Weather | None = None
    """None: drawn."""
    crash_chance: float | None = None
    """The chance of a power failure before any one output; None: drawn."""
    blackouts: int = 1
    """How often the power fails everywhere at once."""
    skew_ms: int = 200
    """Clocks are off by at most this much."""
    forgetful: int = 0
    """Honest members, the first ones, of whom every crash takes the vote store: they sign no more.

    They count against the third of the weight that may fail.
    """
    through_codec: bool = False
    """Whether every message is encoded and decoded on its way."""
    params: ConsensusParams = ConsensusParams()


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What one seed drew."""

    weather: Weather
    crash_chance: float
    back_ms: MillisSpan
    """How long a crashed node stays down at most."""
    sync_ms: MillisSpan
    """How slow the slowest disk is."""
    honest_weights: tuple[Weight, ...]
    dishonest_weight: Weight
    """Of each adversary."""


def draw(scenario: Scenario, rng: Random) -> Knobs:
    """Draw what a scenario leaves open."""
    weather = Weather.drawn(rng)
    crash_chance = rng.choice([0.0, 0.001, 0.003, 0.01])
    honest = tuple(Weight(rng.randint(2, 4)) for _ in range(scenario.honest))
    bad = len(scenario.adversaries)
    spare = (sum(honest[scenario.forgetful :]) - 1) // 2 - sum(honest[: scenario.forgetful])
    share = spare // bad if bad else 0
    return Knobs(
        weather=scenario.weather or weather,
        crash_chance=crash_chance if scenario.crash_chance is None else scenario.crash_chance,
        back_ms=MillisSpan(rng.choice([300, 2_000, 8_000])),
        sync_ms=MillisSpan(rng.choice([0, 0, 5, 50])),
        honest_weights=honest,
        dishonest_weight=Weight(max(1, share)),
    )
