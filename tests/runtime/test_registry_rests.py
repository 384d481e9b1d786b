"""A repository that fails is asked less and less often."""

import pytest

from lc_node.oci.references import Reference
from lc_node.ports.registry import RegistryUnreachable
from lc_node.runtime.registry_rests import REMEMBERED_MAX, RegistryRests
from tests.runtime.bench import HandClock

ONE = Reference(host="ghcr.io", name="one", tag="1")
OTHER = Reference(host="ghcr.io", name="other", tag="1")


def rests(name: Reference, among: RegistryRests) -> bool:
    try:
        among.validate(name)
    except RegistryUnreachable:
        return True
    return False


def test_each_rest_is_twice_as_long_up_to_ten_minutes() -> None:
    clock = HandClock()
    among, spans = RegistryRests(clock), []
    for _ in range(9):
        among.failed(ONE)
        begun = clock.time
        while rests(ONE, among):
            clock.time += 1_000
        spans.append((clock.time - begun) // 1_000)

    assert spans == [5, 10, 20, 40, 80, 160, 320, 640, 640]


def test_a_repository_that_works_again_is_forgiven() -> None:
    clock = HandClock()
    among = RegistryRests(clock)
    for _ in range(3):
        among.failed(ONE)
    among.succeeded(ONE)
    assert not rests(ONE, among)

    among.failed(ONE)
    clock.time += 5_000

    assert not rests(ONE, among)


def test_another_repository_is_not_kept_from_being_asked() -> None:
    among = RegistryRests(HandClock())
    among.failed(ONE)

    assert not rests(OTHER, among)
    with pytest.raises(RegistryUnreachable, match="asked again in 5 s"):
        among.validate(ONE)


def test_so_many_are_remembered_and_no_more() -> None:
    among = RegistryRests(HandClock())
    among.failed(ONE)
    for number in range(REMEMBERED_MAX):
        among.failed(Reference(host="ghcr.io", name=f"n{number}"))

    assert not rests(ONE, among)
    assert len(among._rests) == REMEMBERED_MAX
