"""Multicast DNS (RFC 6762, 6763): how machines in one room hear of each other."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Interface
from typing import Annotated, Final, Literal, TypeAlias

import ifaddr
import msgspec
from zeroconf import Error, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from lc_node.chain.types import ChainId, Digest, PublicKey
from lc_node.ports.neighbours import Neighbour, Presence
from lc_node.wire.limits import NEIGHBOURS_MAX
from lc_node.wire.session import TransportKey

SERVICE: Final = "_learningchain._tcp.local."
_RESCAN_SECONDS: Final = 10.0
"""How often the machine's interfaces are looked at: a cable may come in later."""
_LIFE_SECONDS: Final = 120
"""Who has died without a word is forgotten after this long; who lives is asked again before."""
_RESOLVE_MS: Final = 3_000
_RESOLVERS: Final = 4
_EVERYWHERE: Final = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104  # what owners write for "all"
_NAMES_MAX: Final = 2 * NEIGHBOURS_MAX
_GRAPH_BYTES_MAX: Final = 200  # an entry of a TXT record holds 255 bytes

_Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Network: TypeAlias = IPv4Interface

_log = logging.getLogger(__name__)


class _Text(msgspec.Struct, frozen=True):
    """The entries of our TXT record; those of later versions are passed over."""

    v: Literal["1"]
    graph: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    key: _Hex32
    transport: _Hex32
    chain: _Hex32 | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What the room has been told; two services compare equal by their name alone."""

    presence: Presence
    networks: tuple[_Network, ...]
    service: AsyncServiceInfo


class MulticastNeighbours:
    """Implements ``ports.neighbours.Neighbours``; everything that is heard is bounded and doubted."""

    def __init__(self, own_key: PublicKey, *, host: str = "*") -> None:
        """Speak on the interface of an address, or (``*``) on all but the loopback."""
        self._own_key = own_key
        self._host = host
        self._presence: Presence | None = None
        self._is_news = asyncio.Event()
        self._changed = asyncio.Event()
        self._heard: dict[str, Neighbour] = {}
        self._names: asyncio.Queue[str] = asyncio.Queue(_NAMES_MAX)
        self._networks: tuple[_Network, ...] = ()
        self._told: _Told | None = None
        self._problem = ""

    @property
    def heard(self) -> tuple[Neighbour, ...]:
        """Who is in the room now, sorted by key."""
        by_key = {one.presence.key: one for _name, one in sorted(self._heard.items())}
        return tuple(by_key[key] for key in sorted(by_key))

    def announce(self, presence: Presence | None) -> None:
        """Say this from now on; None: say nothing."""
        if presence != self._presence:
            self._presence = presence
            self._is_news.set()

    async def changed(self) -> None:
        """Return when ``heard`` has changed since the last return."""
        await self._changed.wait()
        self._changed.clear()

    async def run(self) -> None:
        """Speak and listen until cancelled; what goes wrong is logged, and tried again."""
        while True:
            try:
                await self._speak_and_listen()
            except* (
                OSError,
                RuntimeError,
                Error,
            ) as errors:  # in the group of its tasks, or alone
                self._complain(_first_of(errors))
            self._forget_all()
            await asyncio.sleep(_RESCAN_SECONDS)

    async def _speak_and_listen(self) -> None:
        """Return when there is no interface left; raise what the sockets raise."""
        self._networks = _networks(self._host)
        if not self._networks:
            self._complain("no network interface has an IPv4 address")
            return
        zeroconf = AsyncZeroconf(
            interfaces=_addresses(self._networks), ip_version=IPVersion.V4Only
        )
        try:
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[self._on_change])
            async with asyncio.TaskGroup() as tasks:
                resolvers = [tasks.create_task(self._resolve(zeroconf)) for _ in range(_RESOLVERS)]
                await self._keep_up(zeroconf)
                for resolver in resolvers:
                    resolver.cancel()
            await browser.async_cancel()
        finally:
            self._told = None
            # Shielded, so that the room hears that we leave also when we are cancelled.
            await asyncio.shield(zeroconf.async_close())

    async def _keep_up(self, zeroconf: AsyncZeroconf) -> None:
        """Say what is to be said, on the interfaces that there are, for as long as there are any."""
        while self._networks:
            self._is_news.clear()
            await self._tell(zeroconf)
            self._problem = ""
            try:
                async with asyncio.timeout(_RESCAN_SECONDS):
                    await self._is_news.wait()
            except TimeoutError:
                await self._look_at_interfaces(zeroconf)

    async def _look_at_interfaces(self, zeroconf: AsyncZeroconf) -> None:
        networks = _networks(self._host)
        if networks != self._networks:
            self._networks = networks
            await zeroconf.async_update_interfaces(_addresses(networks))

    async def _tell(self, zeroconf: AsyncZeroconf) -> None:
        """Register, change or withdraw our service."""
        told, self._told = self._told, None
        if self._presence is None:
            if told is not None:
                await (await zeroconf.async_unregister_service(told.service))
            return
        wished = _Told(self._presence, self._networks, _service(self._presence, self._networks))
        if told is None:
            # Somebody may hold our name to silence us: a name means nothing, so we take another.
            await (await zeroconf.async_register_service(wished.service, allow_name_change=True))
        elif (told.presence, told.networks) != (wished.presence, wished.networks):
            wished.service.name = told.service.name
            await (await zeroconf.async_update_service(wished.service))
        self._told = wished

    def _on_change(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        """Take note of a name; who announces faster than we look at it is passed over."""
        del zeroconf, service_type
        if state_change is ServiceStateChange.Removed:
            if self._heard.pop(name, None) is not None:
                self._changed.set()
        elif not self._names.full():
            self._names.put_nowait(name)

    async def _resolve(self, zeroconf: AsyncZeroconf) -> None:
        while True:
            name = await self._names.get()
            # Whoever is in the room may announce a name that is none.
            with suppress(Error):
                info = AsyncServiceInfo(SERVICE, name)
                is_known = info.load_from_cache(zeroconf.zeroconf)
                if is_known or await info.async_request(zeroconf.zeroconf, _RESOLVE_MS):
                    self._note(name, info)

    def _note(self, name: str, info: AsyncServiceInfo) -> None:
        neighbour = _neighbour(info, self._networks)
        if neighbour is None or neighbour.presence.key == self._own_key:
            return
        is_room = name in self._heard or len(self._heard) < NEIGHBOURS_MAX
        if is_room and self._heard.get(name) != neighbour:
            self._heard[name] = neighbour
            self._changed.set()

    def _forget_all(self) -> None:
        if self._heard:
            self._heard.clear()
            self._changed.set()

    def _complain(self, problem: str) -> None:
        """Log a problem once, not every ten seconds."""
        if problem != self._problem:
            self._problem = problem
            _log.warning("machines in this room cannot be heard by multicast: %s", problem)


def _first_of(errors: BaseExceptionGroup[Exception]) -> str:
    """Return what went wrong first, out of the groups that tasks wrap it in."""
    error = errors.exceptions[0]
    if isinstance(error, BaseExceptionGroup):
        return _first_of(error)
    return str(error) or type(error).__name__


def _networks(host: str) -> tuple[_Network, ...]:
    """Return our address on each network, sorted; for ``*`` on all networks but the loopback."""
    found = [
        IPv4Interface(f"{ip.ip}/{ip.network_prefix}")
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if ip.is_IPv4
    ]
    if host in _EVERYWHERE:
        return tuple(sorted(one for one in found if not one.ip.is_loopback))
    return tuple(sorted(one for one in found if str(one.ip) == host))


def _addresses(networks: Sequence[_Network]) -> list[str]:
    return [str(network.ip) for network in networks]


def _service(presence: Presence, networks: Sequence[_Network]) -> AsyncServiceInfo:
    """Return what is announced: each instance under its key's digits, which nobody else has."""
    digits = presence.key.hex()[:32]
    graph = presence.graph.encode()[:_GRAPH_BYTES_MAX].decode(errors="ignore")
    return AsyncServiceInfo(
        SERVICE,
        f"{digits}.{SERVICE}",
        server=f"{digits}.local.",
        host_ttl=_LIFE_SECONDS,
        other_ttl=_LIFE_SECONDS,
        port=presence.port,
        parsed_addresses=_addresses(networks),
        properties={
            "v": "1",
            "graph": graph,
            "key": presence.key.hex(),
            "transport": presence.transport_key.hex(),
            **({} if presence.chain_id is None else {"chain": presence.chain_id.hex()}),
        },
    )


def _neighbour(info: AsyncServiceInfo, networks: Sequence[_Network]) -> Neighbour | None:
    """Return who announces this; None if it is not one of ours, or not on a network of ours."""
    try:
        text = msgspec.convert(info.decoded_properties, _Text)
        claimed = [IPv4Address(one) for one in info.parsed_addresses(IPVersion.V4Only)]
    except (msgspec.ValidationError, UnicodeDecodeError, AddressValueError):
        return None
    near = [one for one in claimed if any(one in network.network for network in networks)]
    if not near or not info.port:
        return None
    presence = Presence(
        graph=text.graph,
        chain_id=ChainId(Digest(bytes.fromhex(text.chain))) if text.chain else None,
        key=PublicKey(bytes.fromhex(text.key)),
        transport_key=TransportKey(bytes.fromhex(text.transport)),
        port=info.port,
    )
    return Neighbour(presence=presence, host=str(near[0]))
