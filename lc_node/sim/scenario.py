"""What a simulated network is made of, and how it is mistreated."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final, Self

from lc_node.chain.codec import Record
from lc_node.chain.types import MillisSpan, Weight
from lc_node.consensus.params import VALIDATORS_MAX, ConsensusParams
from lc_node.sim.faults import ALL_FAULTS, Fault
from lc_node.sim.network import Weather

ANY: Final = "any"
"""In place of a strategy's name: each seed draws one."""

DRIFT_PPM: Final = 500
"""How much too fast or too slow a clock may run: three quarters of a minute a day, a bad quartz."""

_BUSY_NODES: Final = 32
"""So many nodes get a transaction a second, a larger network fewer: the messages of a block grow with
the square of its members."""


class Scenario(Record):
    """The same for all seeds of a campaign; what it leaves open is drawn from the seed."""

    honest: int = 6
    adversaries: tuple[str, ...] = ("equivocator",)
    """Strategies by name, one for each dishonest member; together under a third of the weight."""
    byzantine: float | None = None
    """The share of the weight that the dishonest have; None: as much as keeps under a third."""
    followers: int = 1
    """Nodes outside the set."""
    faults: tuple[Fault, ...] = ALL_FAULTS
    """What may go wrong; how much of each is drawn."""
    heals_at: MillisSpan = MillisSpan(30_000)
    """From then on nothing is lost and nobody crashes."""
    calm_ms: MillisSpan = MillisSpan(300_000)
    """Who makes no progress for this long after the healing has stalled.

    Patience has grown to half a minute by then; a liar with almost a third of the weight leads four
    views in a row every hundredth time, each of which makes it grow by half.
    """
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
    astray: int | None = None
    """Honest members, the last ones, whose clocks are off by seconds until the healing; None: drawn."""
    astray_ms: int = 10_000
    """By at most this much; some are ahead, others behind."""
    forgetful: int = 0
    """Honest members, the first ones, of whom every crash takes the vote store: they sign no more.

    They count against the third of the weight that may fail.
    """
    through_codec: bool = False
    """Whether every message is encoded and decoded on its way."""
    market: bool = False
    """Whether nodes run the real ledger, and people post jobs, bid, lie and evaluate on it."""
    epoch_heights: int = 0
    """Blocks of an epoch, after which members and weights change; 0: they stay. Not for the market."""
    partitions: tuple[tuple[int, ...], ...] = ()
    """Instead of drawn ones: the group of each node, one entry for each slot of time."""
    slot_ms: MillisSpan = MillisSpan(500)
    """How long each of those partitions lasts."""
    params: ConsensusParams = ConsensusParams()

    @classmethod
    def of(
        cls, *, nodes: int, byzantine: float, faults: tuple[Fault, ...], market: bool = False
    ) -> Self:
        """Return the scenario of a size: so many nodes, a share of them and of the weight dishonest.

        At most VALIDATORS_MAX of the nodes vote, the others follow; at least one more follower comes.
        """
        members = min(nodes, VALIDATORS_MAX)
        bad = min(round(members * byzantine), (members - 1) // 3)
        return cls(
            honest=members - bad,
            adversaries=(ANY,) * bad,
            byzantine=byzantine,
            followers=nodes - members + 1 + nodes // 50,
            faults=faults,
            market=market,
            payment_every_ms=MillisSpan(max(400, 1_000 * nodes // _BUSY_NODES)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What one seed drew."""

    weather: Weather
    crash_chance: float
    back_ms: MillisSpan
    """How long a crashed node stays down at most."""
    sync_ms: MillisSpan
    """How slow the slowest disk is."""
    skew_ms: int
    drift_ppm: int
    astray: int
    blackouts: int
    honest_weights: tuple[Weight, ...]
    dishonest_weight: Weight
    """Of each adversary."""
    strategies: tuple[str, ...]
    """Of the adversaries."""
    heals_at: MillisSpan
    calm_ms: MillisSpan

    @property
    def clock_error_ms(self) -> int:
        """How far off a clock may be, the few aside that are wrong by seconds."""
        lasts = self.heals_at + self.calm_ms
        return self.skew_ms + 1 + lasts * self.drift_ppm // 1_000_000


def draw(scenario: Scenario, rng: Random, strategies: tuple[str, ...]) -> Knobs:
    """Draw what a scenario leaves open; ``strategies`` are those to draw from."""
    faults = scenario.faults
    weather = Weather.drawn(rng)
    crash_chance = rng.choice([0.0, 0.001, 0.003, 0.01])
    honest = tuple(Weight(rng.randint(2, 4) * _SCALE) for _ in range(scenario.honest))
    back_ms = MillisSpan(rng.choice([300, 2_000, 8_000]))
    sync_ms = MillisSpan(rng.choice([0, 0, 5, 50]))
    if scenario.crash_chance is not None:
        crash_chance = scenario.crash_chance
    chosen = tuple(
        rng.choice(strategies) if name == ANY else name for name in scenario.adversaries
    )
    astray = rng.choice([0, 1, 1 + scenario.honest // 8])
    if scenario.astray is not None:
        astray = scenario.astray
    weather = replace(weather, swallowing=rng.choice([0.0, 0.0, 0.2, 0.9])).only(faults)
    return Knobs(
        weather=scenario.weather or weather,
        crash_chance=crash_chance if Fault.CRASHES in faults else 0.0,
        back_ms=back_ms,
        sync_ms=sync_ms if Fault.SLOW_DISKS in faults else MillisSpan(0),
        skew_ms=scenario.skew_ms if Fault.SKEW in faults else 0,
        drift_ppm=DRIFT_PPM if Fault.DRIFT in faults else 0,
        blackouts=scenario.blackouts if Fault.BLACKOUTS in faults else 0,
        honest_weights=honest,
        dishonest_weight=_dishonest_weight(scenario, honest),
        strategies=chosen,
        heals_at=scenario.heals_at,
        calm_ms=scenario.calm_ms,
        astray=astray if Fault.WRONG_CLOCKS in faults else 0,
    )


_SCALE: Final = 1_000
"""Weights are thousands, so that a share of them can be met closely."""


def _dishonest_weight(scenario: Scenario, honest: tuple[Weight, ...]) -> Weight:
    """Return the weight of each adversary, so that all together stay below a third, or at a share."""
    bad = len(scenario.adversaries)
    if not bad:
        return Weight(0)
    total = sum(honest[scenario.forgetful :])
    spare = (total - 1) // 2 - sum(honest[: scenario.forgetful])
    if scenario.byzantine is not None:
        spare = min(spare, int(total * scenario.byzantine / (1 - scenario.byzantine)))
    return Weight(max(1, spare // bad))
