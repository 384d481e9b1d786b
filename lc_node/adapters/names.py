"""Names of machines and their addresses, looked up apart from everything else.

libzmq would look a name up in the thread that serves all connections: a stranger whose name server never answers
could stop them all.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

from lc_node.wire.limits import GREETING_MAX

_THREADS: Final = 2
_SECONDS: Final = GREETING_MAX / 1_000


class Names:
    """Looks up names in threads of its own, a few at a time."""

    def __init__(self) -> None:
        """Start no thread before there is a name."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    async def address(self, host: str, turn: int) -> str | None:
        """Return an address of a host, each turn another of those that it has; None if there is none."""
        if _is_address(host):
            return host
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_SECONDS):
                found = await loop.run_in_executor(self._threads, _look_up, host)
        except (OSError, TimeoutError, UnicodeError):
            return None
        return found[turn % len(found)] if found else None

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(host: str) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(place[0]) for *_kind, place in found))
