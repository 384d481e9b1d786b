"""Links between simulated nodes: slow, lossy, doubling, partitioned, and one day healed."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeAlias

from lc_node.chain.types import Millis, MillisSpan
from lc_node.sim.faults import Fault

FAST_MS: Final = (10, 100)
"""One-way delay of a healthy link, drawn uniformly."""

TAIL: Final = 1.5
"""The shape of slow links' delays: a Pareto distribution, of finite mean and infinite variance."""

TAIL_MS_MAX: Final = 10_000
"""No delay is longer: the far end of the tail is as good as loss."""

Link: TypeAlias = tuple[int, int]
"""From one node to another, by number."""

Groups = tuple[int, ...]
"""The partition that each node, by number, is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad the network is until it heals."""

    loss: float
    """Share of messages lost."""
    doubling: float
    """Share of messages that come twice."""
    straggling: float
    """Share of messages that take much longer than others."""
    straggle_ms: MillisSpan
    """How much longer, on average."""
    groups: int
    """Partitions at a time; 1: none."""
    deafness: float
    """Share of links that carry nothing, in one direction, until the next change."""
    far_ms: MillisSpan
    """Scale of the long tail of every delay; 0: links are healthy."""
    swallowing: float = 0.0
    """Share of links that swallow proposals and blocks, in one direction, until the next change."""

    @classmethod
    def drawn(cls, rng: Random) -> "Weather":
        """Draw a kind of weather."""
        return cls(
            loss=rng.choice([0.0, 0.05, 0.2, 0.4]),
            doubling=rng.choice([0.0, 0.1]),
            straggling=rng.choice([0.0, 0.3]),
            straggle_ms=MillisSpan(rng.choice([200, 1_000, 4_000])),
            groups=rng.choice([1, 2, 3]),
            deafness=rng.choice([0.0, 0.1]),
            far_ms=MillisSpan(rng.choice([0, 0, 50, 150])),
        )

    def only(self, faults: Collection[Fault]) -> "Weather":
        """Return this weather without what is not among the faults."""
        return replace(
            self,
            far_ms=self.far_ms if Fault.LATENCY in faults else MillisSpan(0),
            loss=self.loss if Fault.LOSS in faults else 0.0,
            doubling=self.doubling if Fault.DUPLICATION in faults else 0.0,
            straggling=self.straggling if Fault.REORDERING in faults else 0.0,
            groups=self.groups if Fault.PARTITIONS in faults else 1,
            deafness=self.deafness if Fault.ONE_WAY in faults else 0.0,
            swallowing=self.swallowing if Fault.BLACK_HOLES in faults else 0.0,
        )


class Network:
    """Decides for each message when, how often and whether it arrives; nodes go by their number."""

    def __init__(
        self,
        weather: Weather,
        heals_at: Millis,
        rng: Random,
        schedule: tuple[Groups, ...],
        nodes: int,
    ) -> None:
        """Start whole; ``schedule`` holds the partitions of the next turns, in place of drawn ones."""
        self._nodes = nodes
        self._weather = weather
        self._heals_at = heals_at
        self._rng = rng
        self._schedule = list(reversed(schedule))
        self._groups: Groups = (0,) * nodes
        self._deaf: frozenset[Link] = frozenset()
        self._swallowing: frozenset[Link] = frozenset()

    def turn(self) -> MillisSpan:
        """Draw new partitions, or take the next scheduled ones; return how long drawn ones last."""
        rng, links = self._rng, range(self._nodes)
        if self._schedule:
            self._groups = self._schedule.pop()
        else:
            self._groups = tuple(rng.randrange(self._weather.groups) for _ in links)
        self._deaf = self._drawn(self._weather.deafness)
        self._swallowing = self._drawn(self._weather.swallowing)
        return MillisSpan(rng.randrange(1_000, 8_000))

    def _drawn(self, chance: float) -> frozenset[Link]:
        """Return a share of all links."""
        rng, links = self._rng, range(self._nodes)
        return frozenset((a, b) for a in links for b in links if chance and rng.random() < chance)

    def delays(self, sender: int, receiver: int, now: Millis, *, is_long: bool) -> tuple[int, ...]:
        """Return after how many milliseconds a message arrives, once for each time that it does."""
        draw, weather = self._rng.random, self._weather
        usual = FAST_MS[0] + int(draw() * (FAST_MS[1] - FAST_MS[0]))
        if now >= self._heals_at:
            return (usual,)
        is_cut = self._groups[sender] != self._groups[receiver] or (sender, receiver) in self._deaf
        is_swallowed = is_long and (sender, receiver) in self._swallowing
        if is_cut or is_swallowed or draw() < weather.loss:
            return ()
        if weather.far_ms:
            tail = weather.far_ms * (self._rng.paretovariate(TAIL) - 1)
            usual += min(TAIL_MS_MAX, int(tail))
        if draw() < weather.straggling:
            usual += int(self._rng.expovariate(1 / weather.straggle_ms))
        return (usual, usual) if draw() < weather.doubling else (usual,)
