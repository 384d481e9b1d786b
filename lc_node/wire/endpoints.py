"""Where a node is reached: a host and a port, how far such a host reaches, and which hosts stand together."""

import re
from enum import IntEnum
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import MappingProxyType
from typing import Annotated, Final, NewType, TypeAlias

import msgspec

from lc_node.chain.codec import Record

HOST_LENGTH_MAX: Final = 253
"""The longest name that the DNS has (RFC 1035, 2.3.4)."""

Host = NewType("Host", Annotated[str, msgspec.Meta(min_length=1, max_length=HOST_LENGTH_MAX)])
"""An IPv4 or IPv6 address without zone, or a DNS name."""

Port = NewType("Port", Annotated[int, msgspec.Meta(ge=1, le=65535)])

Group = NewType("Group", bytes)
"""What hosts have in common whom one owner may easily have all of: the /16 of IPv4, the /32 of IPv6."""


class Reach(IntEnum):
    """From how far away a host can be dialed: the larger, the farther."""

    NOWHERE = 0
    """Nobody's: unspecified, multicast, reserved, or good only with a zone."""
    MACHINE = 1
    """The loopback."""
    SITE = 2
    """Private networks, which exist many times."""
    WORLD = 3
    """Everywhere; so is a name, as far as we can tell."""


class Endpoint(Record):
    """A host and a port where a node listens."""

    host: Host
    port: Port


_Address: TypeAlias = IPv4Address | IPv6Address

_LABEL: Final = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?!-)[a-z][a-z0-9-]{{0,62}}(?<!-)")
"""Small letters; the last label begins with one, so that no way to write an address passes for a name."""

_NAMES: Final = Group(b"names")
_CACHED_MAX: Final = 8_192
"""Hosts whose text need not be read again: a flood of records names the same tellers over and over."""
_PREFIX_BYTES: Final = MappingProxyType({4: 2, 6: 4})

_REACHES: Final[tuple[tuple[IPv4Network | IPv6Network, Reach], ...]] = (
    *(
        (IPv4Network(network), reach)
        for network, reach in (
            ("0.0.0.0/8", Reach.NOWHERE),  # RFC 1122, 3.2.1.3
            ("224.0.0.0/3", Reach.NOWHERE),  # RFC 5771, multicast; RFC 1112, 4: reserved
            ("127.0.0.0/8", Reach.MACHINE),
            ("10.0.0.0/8", Reach.SITE),  # RFC 1918
            ("172.16.0.0/12", Reach.SITE),
            ("192.168.0.0/16", Reach.SITE),
            ("100.64.0.0/10", Reach.SITE),  # RFC 6598, between a provider and its customers
            ("169.254.0.0/16", Reach.SITE),  # RFC 3927
        )
    ),
    *(
        (IPv6Network(network), reach)
        for network, reach in (
            ("::1/128", Reach.MACHINE),
            ("::/96", Reach.NOWHERE),  # unspecified, and RFC 4291, 2.5.5.1
            ("::ffff:0:0/96", Reach.NOWHERE),  # IPv4, which is written as such
            ("ff00::/8", Reach.NOWHERE),  # multicast
            ("fe80::/10", Reach.NOWHERE),  # link-local: no use without a zone
            ("fc00::/7", Reach.SITE),  # RFC 4193
        )
    ),
)


def is_host(host: str) -> bool:
    """Return whether this is a host as we write it: one text for each address or name."""
    address = _address(host)
    if address is not None:
        return str(address) == host
    return len(host) <= HOST_LENGTH_MAX and _NAME.fullmatch(host) is not None


@lru_cache(maxsize=_CACHED_MAX)
def reach_of(host: str) -> Reach:
    """Return from how far away a host can be dialed."""
    address = _address(host)
    if address is None:
        return Reach.WORLD
    within = (reach for network, reach in _REACHES if address in network)
    return next(within, Reach.WORLD)


@lru_cache(maxsize=_CACHED_MAX)
def group_of(host: str) -> Group:
    """Return what a host has in common with others; all names are one group, for names cost nothing."""
    address = _address(host)
    if address is None:
        return _NAMES
    return Group(bytes((address.version,)) + address.packed[: _PREFIX_BYTES[address.version]])


def is_told_in_earnest(host: str, teller: str) -> bool:
    """Return whether a host is of use to us that somebody at ``teller`` has told us.

    What reaches less far than the teller itself is reached by the teller alone: the loopback of another
    machine is ours here, and a private network of another site may be ours too, with other machines in it.
    """
    # A teller whose address is good only with a zone is on a network of ours.
    return Reach.NOWHERE < reach_of(host) >= (reach_of(teller) or Reach.SITE)


def _address(host: str) -> _Address | None:
    if "%" in host:
        return None
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except AddressValueError:
        return None
