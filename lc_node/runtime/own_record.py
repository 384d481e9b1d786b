"""What this node says about itself: its record, signed anew whenever it is reached elsewhere."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from lc_node.chain.crypto import Signer
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ChainId, Millis, MillisSpan
from lc_node.ports.clock import Clock
from lc_node.wire.endpoints import Endpoint, Group, Reach, group_of, reach_of
from lc_node.wire.records import (
    AHEAD_MAX,
    ENDPOINTS_MAX,
    NodeRecord,
    SignedRecord,
    endpoint,
    next_sequence,
    sign_record,
)
from lc_node.wire.session import TransportKey

RENEWAL: Final = MillisSpan(6 * 3_600 * 1_000)
"""How old a record may become before it is signed anew, so that others see that we are still there."""
_LOOK_AGAIN: Final = MillisSpan(30 * 1_000)
"""How long the addresses of the machine are believed."""
_WITNESSES_MIN: Final = 2
"""So many networks must agree on what our address looks like from outside."""
_WITNESSES_MAX: Final = 64


class BadAdvertised(LearningChainError):
    """An entry of ``advertise`` is nothing that others could dial."""

    def __init__(self, text: str) -> None:
        """Show the entry and what one looks like."""
        super().__init__(
            f"`{text}` is no address that others can dial; "
            'write "192.0.2.7", "node.example:4040" or "[2001:db8::7]:4040"'
        )
        self.text = text


def advertised(text: str, port: int) -> Endpoint:
    """Return the endpoint that the owner has written; ``port`` unless there is one in it.

    Raises:
        BadAdvertised: nobody could dial it.
    """
    host, separator, number = text.rpartition(":")
    if not separator or _is_ipv6(text):
        host, number = text, str(port)
    is_number = number.isascii() and number.isdigit()
    found = endpoint(host.strip("[]"), int(number) if is_number else 0)
    if found is None:
        raise BadAdvertised(text)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """Where we listen, as far as it is known here."""

    host: str
    """As in config.toml: an address, or "*"."""
    port: int
    """0 if we only dial out."""
    advertise: Sequence[str] = ()
    """What the owner wants others to dial instead of what we find out."""


class OwnRecord:
    """Signs what others are told; its sequence grows also over restarts."""

    def __init__(  # noqa: PLR0913  # one argument a source of what is signed
        self,
        *,
        signer: Signer,
        chain_id: ChainId,
        transport_key: TransportKey,
        doorway: Doorway,
        hosts: Callable[[], Sequence[str]],
        clock: Clock,
        sequence: Millis,
    ) -> None:
        """Sign with a higher sequence than ``sequence``; ``hosts`` are this machine's addresses."""
        self._signer = signer
        self._chain_id = chain_id
        self._transport_key = transport_key
        self._doorway = doorway
        self._hosts = hosts
        self._clock = clock
        self._sequence = sequence
        self._record: SignedRecord | None = None
        self._looked: Millis | None = None
        self._witnesses: dict[Group, str] = {}

    @property
    def sequence(self) -> Millis:
        """The highest that was signed so far."""
        return self._sequence

    def current(self) -> SignedRecord:
        """Return our record, which may be a new one."""
        now = self._clock.now()
        if self._record is not None and self._looked is not None:
            is_fresh = self._looked <= now < self._looked + _LOOK_AGAIN
            if is_fresh:
                return self._record
        self._looked = now
        endpoints = self._endpoints()
        record = self._record.record if self._record else None
        is_same = record is not None and record.endpoints == endpoints
        if not (is_same and self._sequence - AHEAD_MAX <= now < self._sequence + RENEWAL):
            self._record = self._signed(endpoints, now)
        assert self._record is not None
        return self._record

    def outbid(self, sequence: Millis) -> None:
        """Sign with a higher sequence than one of our own that came back from a peer.

        The home may have been restored from a copy, or a clock set back: others would believe the older one.
        """
        if sequence > self._sequence:
            self._sequence = sequence
            self._record = None

    def seen_as(self, host: str, witness: str) -> None:
        """Hear from a peer that we have dialed, at ``witness``, what our address looks like there."""
        group = group_of(witness)
        self._witnesses.pop(group, None)
        self._witnesses[group] = host
        if len(self._witnesses) > _WITNESSES_MAX:
            del self._witnesses[next(iter(self._witnesses))]

    def _signed(self, endpoints: tuple[Endpoint, ...], now: Millis) -> SignedRecord:
        self._sequence = next_sequence(self._sequence, now)
        record = NodeRecord(
            chain_id=self._chain_id,
            node_key=self._signer.public_key,
            transport_key=self._transport_key,
            endpoints=endpoints,
            sequence=self._sequence,
        )
        return sign_record(record, self._signer)

    def _endpoints(self) -> tuple[Endpoint, ...]:
        if not self._doorway.port:
            return ()
        return endpoints_at(self._doorway, (*self._hosts(), *self._agreed()))

    def _agreed(self) -> Sequence[str]:
        """Return the address that peers in several networks see us at, if it is one of the world's."""
        seen = list(self._witnesses.values())
        return [
            host
            for host in dict.fromkeys(seen)
            if seen.count(host) >= _WITNESSES_MIN and reach_of(host) is Reach.WORLD
        ]


def endpoints_at(door: Doorway, hosts: Iterable[str]) -> tuple[Endpoint, ...]:
    """Return where a node is reached: as its owner says, else at these hosts, what reaches farthest first.

    Raises:
        BadAdvertised: nobody could dial what the owner says.
    """
    if door.advertise:
        # Once each: nobody takes a record that names an endpoint twice.
        said = dict.fromkeys(advertised(text, door.port) for text in door.advertise)
        return tuple(said)[:ENDPOINTS_MAX]
    own = endpoint(door.host, door.port)
    return (own,) if own is not None else _found(hosts, door.port)


def _found(hosts: Iterable[str], port: int) -> tuple[Endpoint, ...]:
    """Return what can be dialed; the loopback only if there is nothing else."""
    found = [one for host in dict.fromkeys(hosts) if (one := endpoint(host, port)) is not None]
    found.sort(key=lambda one: -reach_of(one.host))
    outside = [one for one in found if reach_of(one.host) is not Reach.MACHINE]
    return tuple(outside or found)[:ENDPOINTS_MAX]


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
