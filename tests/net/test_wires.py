"""Seven nodes on hosts of their own, whose network is parted, cut, slow and lossy: what is final stays so."""

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.net.graphs import NAMES, PATIENCE_SECONDS, Graph, soon_seconds
from tests.net.lan import what_is_missing
from tests.net.lines import Line
from tests.net.payments import Payments

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
]

PAYERS: Final = (NAMES[0], NAMES[6])
"""One on each side of every cut."""

SETTLED_SECONDS: Final = 2.0
"""What was under way when a wire was cut has been taken up by then, on a machine that is not busy."""

PARTED_SECONDS: Final = 8.0
"""Long enough for TCP to wait seconds before it tries again."""

BAD: Final = Line(loss=0.1, delay_seconds=0.1)


@pytest.fixture
def payments(graph: Graph) -> Iterator[Payments]:
    """The same seven nodes, two of which pay all the time, once the first payments are final."""
    made = Payments(graph.devnet, PAYERS)
    with made.running():
        graph.seconds_until(lambda: len(made.paid) >= 10, PATIENCE_SECONDS)
        yield made
    graph.assert_final(made)


def test_without_a_quorum_on_either_side_nothing_is_final_until_healing(
    graph: Graph, payments: Payments
) -> None:
    graph.switch.part(NAMES[:3], NAMES[3:])
    before = _settled(graph, NAMES)
    time.sleep(PARTED_SECONDS)
    assert graph.heights() == before

    graph.switch.heal()

    _assert_soon(graph, payments, "parted 3 from 4, healed")


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [7, 13, 30, 60, 75])
def test_however_long_it_was_parted_the_graph_goes_on_soon(
    graph: Graph, payments: Payments, seconds: int
) -> None:
    graph.switch.part(NAMES[:3], NAMES[3:])
    time.sleep(seconds)

    graph.switch.heal()

    _assert_soon(graph, payments, f"parted for {seconds} s, healed")


def test_the_side_with_a_quorum_goes_on_and_the_other_catches_up(
    graph: Graph, payments: Payments
) -> None:
    graph.switch.part(NAMES[:2], NAMES[2:])
    before = _settled(graph, NAMES[:2])
    _wait_for_blocks(graph, NAMES[2:], 10)
    assert graph.heights(NAMES[:2]) == before

    graph.switch.heal()

    _assert_soon(graph, payments, "parted 2 from 5, healed")


def test_a_node_that_hears_but_is_not_heard_holds_nobody_up(
    graph: Graph, payments: Payments
) -> None:
    graph.switch.cut(NAMES[:1], NAMES[1:])
    _wait_for_blocks(graph, NAMES[1:], 10)

    graph.switch.heal()

    _assert_soon(graph, payments, "one not heard, healed")


def test_a_ring_of_nodes_each_deaf_to_the_next_goes_on(graph: Graph, payments: Payments) -> None:
    for one, following in zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True):
        graph.switch.cut({following}, {one})
    time.sleep(SETTLED_SECONDS)  # what is final by then may have been under way before

    seconds = graph.seconds_until_all_go_on(PATIENCE_SECONDS)
    graph.switch.heal()

    print(f"each deaf to the next: a block everywhere after {seconds:.2f} s")  # noqa: T201
    _assert_soon(graph, payments, "each deaf to the next, healed")


def test_payments_become_final_although_frames_are_lost_and_late(
    graph: Graph, payments: Payments
) -> None:
    graph.switch.set_all_lines(BAD)
    since = time.monotonic()

    graph.seconds_until(lambda: len(payments.seconds_since(since)) >= 20, PATIENCE_SECONDS)

    taken = payments.seconds_since(since)
    print(f"10 % lost, 100 ms late: {len(taken)} payments, {_spread(taken)}")  # noqa: T201


def _assert_soon(graph: Graph, payments: Payments, what: str) -> None:
    """Check that every node soon has a block from after this moment; on a busy machine "soon" takes longer."""
    usual = payments.usual_seconds()
    seconds = graph.seconds_until_all_go_on(soon_seconds(usual))
    print(f"{what}: goes on after {seconds:.2f} s; a payment usually takes {usual:.3f} s")  # noqa: T201


def _settled(graph: Graph, names: Sequence[str]) -> list[int]:
    """Return the heights of nodes without a quorum, once what they had received is taken up."""
    seen: list[list[int]] = []

    def is_settled() -> bool:
        seen.append(graph.heights(names))
        time.sleep(SETTLED_SECONDS)
        return graph.heights(names) == seen[-1]

    graph.seconds_until(is_settled, PATIENCE_SECONDS)
    return seen[-1]


def _wait_for_blocks(graph: Graph, names: Sequence[str], count: int) -> None:
    goal = max(graph.heights(names)) + count
    graph.seconds_until(lambda: min(graph.heights(names)) >= goal, PATIENCE_SECONDS)


def _spread(seconds: Sequence[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s"
