"""Links between simulated nodes: slow, lossy, doubling, partitioned, and one day healed."""

from dataclasses import dataclass
from random import Random

from lc_node.chain.types import Millis, MillisSpan

FAST_MS = (10, 100)
"""One-way delay of a healthy link, drawn uniformly."""


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
        )


class Network:
    """Decides for each message when, how often and whether it arrives; nodes go by their number."""

    def __init__(self, nodes: int, weather: Weather, heals_at: Millis, rng: Random) -> None:
        """Start with the first partition."""
        self._nodes = nodes
        self._weather = weather
        self._heals_at = heals_at
        self._rng = rng
        self._groups = [0] * nodes
        self._deaf: dict[tuple[int, int], bool] = {}
        self.turn()

    def turn(self) -> MillisSpan:
        """Draw new partitions, and return how long they last."""
        rng, links = self._rng, range(self._nodes)
        self._groups = [rng.randrange(self._weather.groups) for _ in links]
        self._deaf = {(a, b): rng.random() < self._weather.deafness for a in links for b in links}
        return MillisSpan(rng.randrange(1_000, 8_000))

    def delays(self, sender: int, receiver: int, now: Millis) -> list[MillisSpan]:
        """Return after how long a message arrives, once for each time that it does."""
        rng, weather = self._rng, self._weather
        usual = MillisSpan(rng.randint(*FAST_MS))
        if now >= self._heals_at:
            return [usual]
        is_cut = self._groups[sender] != self._groups[receiver] or self._deaf[sender, receiver]
        if is_cut or rng.random() < weather.loss:
            return []
        if rng.random() < weather.straggling:
            usual = MillisSpan(usual + int(rng.expovariate(1 / weather.straggle_ms)))
        return [usual, usual] if rng.random() < weather.doubling else [usual]
