"""chain.finality: submit to final on an idle graph of four, against a bare three-phase agreement."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import three_phase
from bench.harness import PAIRS_MIN, Measured, Series, Target, from_samples, percentile
from lc_node.api.calls import Transfer
from lc_node.api.client import Client
from lc_node.api.schema import Address, MicroCredits
from lc_node.runtime.devnet import Role, running

TRANSFERS: Final = 100
"""In each pair; the 99th percentile of fewer would be the slowest of them."""

PAUSE_SECONDS: Final = 0.13
"""Between two submissions: longer than a leader waits after a block, so that nothing is in their way."""

MEDIAN: Final = Target(name="chain.finality.p50", unit="ms", limit=3, at_least=False)
SLOWEST: Final = Target(name="chain.finality.p99", unit="ms", limit=4, at_least=False)
_PERCENTILES: Final = range(1, 100)
_ROLES: Final = tuple(Role(name=f"validator-{n}", bonded=100, votes=True) for n in range(4))


def run() -> list[Measured]:
    """Measure."""
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "net", _ROLES) as devnet:
        to = Address(devnet.places[1].identity.address)
        with devnet.client(_ROLES[0].name) as client:
            submit(client, to, 10)  # the first ones load what nodes load once
            for pair in range(PAIRS_MIN):
                yard = Path(folder) / f"yard-{pair}"
                yard.mkdir()
                bare.append(
                    three_phase.measure(yard, rounds=TRANSFERS, pause_seconds=PAUSE_SECONDS)
                )
                ours.append(submit(client, to, TRANSFERS))
    median, slowest = (
        from_samples(
            target,
            [1000 * percentile(times, percent) for times in ours],
            [1000 * percentile(times, percent) for times in bare],
        )
        for target, percent in ((MEDIAN, 50), (SLOWEST, 99))
    )
    return [replace(median, series=(_spread("a node", ours), _spread("bare", bare))), slowest]


def _spread(name: str, pairs: list[list[float]]) -> Series:
    """Return the times of all pairs together, in ms, by percentile."""
    times = [one for pair in pairs for one in pair]
    return Series(
        name=name,
        x=tuple(_PERCENTILES),
        y=tuple(round(1000 * percentile(times, percent), 2) for percent in _PERCENTILES),
    )


def submit(client: Client, to: Address, count: int) -> list[float]:
    """Return the seconds that each of some transfers took, as the caller of the API sees it."""
    times: list[float] = []
    for _ in range(count):
        time.sleep(PAUSE_SECONDS)
        since = time.perf_counter()
        client.call(Transfer(to=to, amount=MicroCredits(1)))
        times.append(time.perf_counter() - since)
    return times
