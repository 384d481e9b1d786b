"""Whom we dial: the listed peers for ever, others as long as they are wanted; a task each for every channel."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from lc_node.chain.types import PublicKey
from lc_node.ports.transport import Channel, PeerAddress
from lc_node.wire.limits import DIALED_MAX


class Runs(Protocol):
    """A dialer for one channel."""

    async def run(self) -> None:
        """Dial until there is no more to be done."""
        ...


Kept: TypeAlias = Callable[[], bool]
"""Whether to dial again after a failure."""


@dataclass(slots=True, kw_only=True)
class Dialed:
    """A peer that is being dialed."""

    address: PeerAddress
    keep: bool
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Dialing(AbstractSet[PublicKey]):
    """The peers that are dialed, as a set of keys; their tasks live in the transport's group."""

    def __init__(
        self,
        listed: Mapping[PublicKey, PeerAddress],
        dialer: Callable[[PeerAddress, Channel, Kept], Runs],
    ) -> None:
        """Dial the ``listed`` for ever, once ``start`` says where tasks run."""
        self.listed: Final = MappingProxyType(dict(listed))
        self._dialer = dialer
        self._dialed: dict[PublicKey, Dialed] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def __contains__(self, peer: object) -> bool:
        return peer in self.listed or peer in self._dialed

    def __iter__(self) -> Iterator[PublicKey]:
        yield from self.listed
        yield from self._dialed

    def __len__(self) -> int:
        return len(self.listed) + len(self._dialed)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Dial everybody that is known so far, and from now on whoever is added."""
        self._tasks = tasks
        for address in self.listed.values():
            for channel in Channel:
                tasks.create_task(self._dialer(address, channel, lambda: True).run())
        for one in self._dialed.values():
            self._begin(one)

    def stop(self) -> None:
        """Forget the group, which has ended."""
        self._tasks = None

    def address(self, peer: PublicKey) -> PeerAddress | None:
        """Return where a peer is dialed."""
        listed, dialed = self.listed.get(peer), self._dialed.get(peer)
        return listed or (dialed.address if dialed else None)

    def add(self, address: PeerAddress, *, keep: bool) -> bool:
        """Dial a peer; False if there is no room. Listed ones stay as the owner has written them."""
        peer = address.public_key
        if peer in self.listed:
            return True
        known = self._dialed.get(peer)
        if known is not None and known.address == address:
            known.keep = keep
            return True
        self.remove(peer)
        if len(self._dialed) >= DIALED_MAX:
            return False
        self._dialed[peer] = one = Dialed(address=address, keep=keep)
        self._begin(one)
        return True

    def remove(self, peer: PublicKey) -> None:
        """Dial a peer no more; a listed one stays."""
        one = self._dialed.pop(peer, None)
        for task in one.tasks if one else ():
            task.cancel()

    def _begin(self, one: Dialed) -> None:
        if self._tasks is None:
            return
        for channel in Channel:
            dialer = self._dialer(one.address, channel, lambda: one.keep)
            task = self._tasks.create_task(dialer.run())
            one.tasks.add(task)
            task.add_done_callback(lambda done: self._ended(one, done))

    def _ended(self, one: Dialed, task: asyncio.Task[None]) -> None:
        """Give a peer up with the first of its dialers that does."""
        one.tasks.discard(task)
        peer = one.address.public_key
        if self._dialed.get(peer) is one:
            self.remove(peer)
