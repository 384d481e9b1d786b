"""chain.faulty: submit to final on a graph of four of which one is dead, against all four alive."""

import tempfile
from pathlib import Path
from typing import Final

from bench.bench_chain_finality import submit
from bench.harness import PAIRS_MIN, Measured, Target, from_samples, percentile
from lc_node.api.schema import Address
from lc_node.runtime.devnet import Role, running

TRANSFERS: Final = 40
"""In each half of a pair: enough that each validator would lead ten times."""

MEDIAN: Final = Target(name="chain.faulty.p50", unit="ms", limit=4, at_least=False)
SLOWEST: Final = Target(name="chain.faulty.max", unit="s", limit=6, at_least=False)
_ROLES: Final = tuple(Role(name=f"validator-{n}", bonded=100, votes=True) for n in range(4))
_VICTIM: Final = _ROLES[3].name


def run() -> list[Measured]:
    """Measure."""
    alive: list[list[float]] = []
    bereft: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "net", _ROLES) as devnet:
        to = Address(devnet.places[1].identity.address)
        with devnet.client(_ROLES[0].name) as client:
            submit(client, to, 10)  # the first ones load what nodes load once
            for _ in range(PAIRS_MIN):
                alive.append(submit(client, to, TRANSFERS))
                devnet.kill(_VICTIM)
                bereft.append(submit(client, to, TRANSFERS))
                devnet.start(_VICTIM)
                devnet.wait_ready()
    return [
        from_samples(
            MEDIAN,
            [1000 * percentile(times, 50) for times in bereft],
            [1000 * percentile(times, 50) for times in alive],
        ),
        from_samples(SLOWEST, [max(times) for times in bereft], [1.0] * PAIRS_MIN),
    ]
