"""When a registry that failed is asked again: a job names it for hours, and every node looks every second."""

from dataclasses import dataclass
from typing import Final

from lc_node.chain.types import Millis
from lc_node.oci.references import Reference
from lc_node.ports.clock import Clock
from lc_node.ports.registry import RegistryUnreachable

FIRST_REST_SECONDS: Final = 5
LONGEST_REST_SECONDS: Final = 640
REMEMBERED_MAX: Final = 1_024
_SECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Rest:
    seconds: int
    until: Millis


class RegistryRests:
    """After each failure a repository is left alone for twice as long; its images may come from peers meanwhile."""

    def __init__(self, clock: Clock) -> None:
        """Rest by this clock."""
        self._clock = clock
        self._rests: dict[tuple[str, str], _Rest] = {}

    def validate(self, reference: Reference) -> None:
        """Refuse to ask a repository that rests.

        Raises:
            RegistryUnreachable: it does; the message says for how long.
        """
        rest = self._rests.get(_key(reference))
        left = 0 if rest is None else rest.until - self._clock.now()
        if left > 0:
            why = f"it has failed, and is asked again in {-(-left // _SECOND)} s"
            raise RegistryUnreachable(reference.host, why)

    def failed(self, reference: Reference) -> None:
        """Let a repository rest, longer than the last time."""
        before = self._rests.pop(_key(reference), None)
        seconds = (
            FIRST_REST_SECONDS if before is None else min(2 * before.seconds, LONGEST_REST_SECONDS)
        )
        until = Millis(self._clock.now() + seconds * _SECOND)
        self._rests[_key(reference)] = _Rest(seconds, until)
        if len(self._rests) > REMEMBERED_MAX:
            del self._rests[next(iter(self._rests))]

    def succeeded(self, reference: Reference) -> None:
        """Forget that a repository ever failed."""
        self._rests.pop(_key(reference), None)


def _key(reference: Reference) -> tuple[str, str]:
    return reference.host, reference.name
