"""Gossip among simulated nodes: everybody is reached, whoever is silent or lies, at a price that does not grow."""

from statistics import fmean

import pytest

from lc_node.chain.types import MillisSpan
from lc_node.sim.gossip import OUTBOUND, GossipScenario, draw_graph, run_gossip
from lc_node.sim.randomness import stream
from lc_node.wire.limits import PEERS_MAX
from lc_node.wire.score import Offence
from tests.sim.seeds import fresh

UNSETTLED = MillisSpan(60_000)
"""Milliseconds for which transactions wait for a block in a network with faults."""


def small_graphs(seed: int) -> range:
    """Seeds of enough graphs of ten nodes that their mean is no matter of chance, as that of one is."""
    return range(seed, seed + 20)


def bad_weather(nodes: int, *, silent: float = 0, boasting: float = 0) -> GossipScenario:
    return GossipScenario(
        nodes=nodes,
        transactions=3,
        loss=0.1,
        silent=silent,
        boasting=boasting,
        final_after=UNSETTLED,
    )


@pytest.mark.parametrize("seed", fresh(3))
@pytest.mark.parametrize("nodes", [10, 100])
@pytest.mark.parametrize("silent", [0.2, 0.3])
def test_every_honest_node_is_reached_under_loss_past_silent_peers(
    nodes: int, silent: float, seed: int
) -> None:
    run = run_gossip(bad_weather(nodes, silent=silent), seed)

    assert run.unreached == 0, f"seed {seed}"


@pytest.mark.parametrize("seed", fresh(3))
def test_every_honest_node_is_reached_past_peers_that_announce_and_do_not_deliver(
    seed: int,
) -> None:
    run = run_gossip(bad_weather(100, boasting=0.3), seed)

    assert run.unreached == 0, f"seed {seed}"
    assert run.offences[Offence.BROKEN_PROMISE, False] > 0, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", fresh(1))
def test_a_thousand_nodes_are_reached_under_loss_past_silent_peers(seed: int) -> None:
    run = run_gossip(bad_weather(1_000, silent=0.3), seed)

    assert run.unreached == 0, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", fresh(1))
def test_what_a_node_sends_hardly_grows_from_ten_nodes_to_a_thousand(seed: int) -> None:
    few = [run_gossip(GossipScenario(nodes=10, transactions=4), one) for one in small_graphs(seed)]
    many = run_gossip(GossipScenario(nodes=1_000, transactions=4), seed)

    assert many.unreached == sum(run.unreached for run in few) == 0, f"seed {seed}"
    assert many.frames_per_transaction <= 1.5 * fmean(run.frames_per_transaction for run in few), (
        f"seed {seed}"
    )


@pytest.mark.parametrize("seed", fresh(3))
def test_where_nothing_is_lost_no_honest_node_is_blamed(seed: int) -> None:
    run = run_gossip(GossipScenario(nodes=60, final_after=UNSETTLED), seed)

    assert run.offences.total() == 0, f"seed {seed}"


@pytest.mark.parametrize("seed", fresh(2))
def test_only_who_announces_and_does_not_deliver_is_blamed_for_it(seed: int) -> None:
    run = run_gossip(GossipScenario(nodes=30, transactions=30, boasting=0.2), seed)

    assert run.unreached == 0, f"seed {seed}"
    assert len(run.blamed) == 6, f"seed {seed}"
    assert run.offences[Offence.BROKEN_PROMISE, True] == 0, f"seed {seed}"


@pytest.mark.parametrize("seed", fresh(2))
def test_the_mesh_sends_less_than_flooding(seed: int) -> None:
    mesh, flood = (
        run_gossip(GossipScenario(nodes=100, transactions=4, is_flood=is_flood), seed)
        for is_flood in (False, True)
    )

    assert mesh.frames_per_transaction < 0.7 * flood.frames_per_transaction, f"seed {seed}"


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (run_gossip(bad_weather(50, silent=0.2), 7) for _ in range(2))

    assert (first.frames, first.delays) == (second.frames, second.delays)


@pytest.mark.parametrize("nodes", [10, 100, 1_000])
def test_every_node_dials_enough_others_and_has_no_more_peers_than_it_may(nodes: int) -> None:
    dialed = draw_graph(nodes, stream(1, "graph"))
    linked = [{*one} for one in dialed]
    for node, others in enumerate(dialed):
        for other in others:
            linked[other].add(node)

    assert min(map(len, linked)) >= min(OUTBOUND, nodes - 1)
    assert max(map(len, linked)) <= PEERS_MAX
