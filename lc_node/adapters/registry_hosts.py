"""With which hosts a node speaks, and how: registries that the owner names, and public addresses that these name."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from lc_node.oci.references import DOCKER_HUB
from lc_node.ports.registry import RegistryNotAllowed

_DOCKER_HUB_API: Final = "registry-1.docker.io"
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Hosts:
    """The registries that the owner lists: ``ghcr.io``, ``registry.lab:5000``, ``http://10.0.0.7:5000``."""

    listed: frozenset[str]
    plain: frozenset[str]
    """Those of them that are spoken with in the clear."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Hosts":
        """Return what a list in the settings means."""
        urls = [text.rstrip("/").lower() for text in texts]
        plain = {url.removeprefix("http://") for url in urls if url.startswith("http://")}
        return cls(frozenset({url.rpartition("//")[2] for url in urls}), frozenset(plain))

    def url(self, host: str) -> URL:
        """Return where a registry's API begins; only loopback and who is so listed is spoken with in the clear."""
        is_plain = host in self.plain or (host not in self.listed and is_loopback(host))
        where = _DOCKER_HUB_API if host == DOCKER_HUB else host
        return URL(f"{'http' if is_plain else 'https'}://{where}/v2/")

    def validate(self, url: URL, registry: str) -> None:
        """Refuse an address to which a registry sends us, unless it is its own, listed, or perhaps public.

        Where a name leads to is looked at when it is resolved, see ``Resolver``.

        Raises:
            RegistryNotAllowed: it is in the clear, or at an address of this machine or its networks.
        """
        place = authority(url)
        own = self.url(registry)
        if (url.scheme, place) == (own.scheme, authority(own)):
            return
        is_plain_too = place in self.plain and url.scheme == "http"
        if url.scheme != "https" and not is_plain_too:
            raise RegistryNotAllowed(
                registry,
                f"it sends us to {place} in the clear, which is not in [images] registries",
            )
        if place not in self.listed and _is_private(url.host or ""):
            raise RegistryNotAllowed(registry, _sent_inside(place))

    def trusts(self, name: str, port: int, registry: str) -> bool:
        """Tell whether a name may lead to an address of this machine or its networks, at one port."""
        urls = map(self.url, (registry, *self.listed))
        return any((url.host, url.port) == (name, port) for url in urls)


class Resolver(AbstractResolver):
    """Finds addresses, and refuses those of this machine and its networks unless the owner named the host.

    The check is on the addresses that are then connected to: a name that leads elsewhere a moment later gains nothing.
    """

    def __init__(self, hosts: Hosts, registry: str) -> None:
        """Resolve for requests to one registry and whereto it sends us."""
        self._hosts = hosts
        self._registry = registry
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            RegistryNotAllowed: it leads inside.
        """
        found = await self._resolver.resolve(host, port, family)
        if not self._hosts.trusts(host, port, self._registry) and any(
            _is_private(each["host"]) for each in found
        ):
            raise RegistryNotAllowed(self._registry, _sent_inside(host))
        return found

    async def close(self) -> None:
        """Let go of nothing."""
        await self._resolver.close()


def authority(url: URL) -> str:
    """Return host and, unless it is the scheme's own, port, as references write them."""
    host = url.host or ""
    shown = f"[{host}]" if ":" in host else host
    return shown if url.is_default_port() else f"{shown}:{url.port}"


def is_loopback(host: str) -> bool:
    """Tell whether a registry is written as one on this machine."""
    name = URL(f"//{host}").host or ""
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def is_public(address: _Address) -> bool:
    """Tell whether an address is one of the public network, also inside of one that embeds another."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if embedded is not None:
            return is_public(embedded)
    return address.is_global and not address.is_multicast


def _is_private(host: str) -> bool:
    """Tell whether a host is written as an address that is not public."""
    address = _address(host)
    return address is not None and not is_public(address)


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _sent_inside(place: str) -> str:
    return f"it sends us to {place}, an address of this machine or its networks that is not in [images] registries"
