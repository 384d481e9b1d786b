"""Machines for tests: network namespaces on one switch, some behind a router that translates addresses."""

import ctypes
import fcntl
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

from tests.net.switch import Switch, open_tap

PROGRAMS: Final = ("ip", "iptables", "nsenter", "faketime")
REMEDY: Final = "run scripts/ensure-network as root"

_NAMESPACES: Final = Path("/run/netns")
_OURS: Final = re.compile(r"lcn(\d+)x\d+")
"""Names carry the process that made them, so that the next run can tell what a killed one left."""

_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
"""Debian's system programs are not always on root's own path."""

_LOCK: Final = Path("/run/lock/lc-namespaces")
_CLONE_NEWNET: Final = 0x40000000
_numbers: Final = count()


@cache
def what_is_missing() -> str:
    """Return why namespaces cannot be made here, with the remedy; empty if they can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if lacking := [name for name in PROGRAMS if not shutil.which(name, path=_PATH)]:
        return f"missing here: {', '.join(lacking)}; {REMEDY}"
    try:
        os.close(open_tap(f"lcp{os.getpid()}"))
    except OSError as error:
        return f"no TAP device can be made ({error}); load the module tun, or allow CAP_NET_ADMIN"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A namespace with an address of its own, where programs run as on a machine of their own."""

    name: str
    """Its port of the switch."""
    address: str
    namespace: str

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return a command line that runs a program here; the process becomes that program."""
        return ["/usr/bin/nsenter", f"--net={_NAMESPACES / self.namespace}", *arguments]

    def open_socket(self, kind: socket.SocketKind) -> socket.socket:
        """Open an IPv4 socket of this host, which the calling process may use."""
        made: list[socket.socket] = []
        # The thread moves into the namespace, and ends there; a socket stays where it was made.
        thread = threading.Thread(target=lambda: made.append(self._opened(kind)))
        thread.start()
        thread.join()
        return made[0]

    def _opened(self, kind: socket.SocketKind) -> socket.socket:
        libc = ctypes.CDLL(None, use_errno=True)
        with (_NAMESPACES / self.namespace).open() as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.socket(socket.AF_INET, kind)


class Lan:
    """Hosts on one switch; see ``lan``."""

    def __init__(self, switch: Switch, undo: ExitStack) -> None:
        """Begin with none; what is made is undone by ``undo``."""
        self.switch = switch
        self.hosts: dict[str, Host] = {}
        self._undo = undo
        self._inner = count(1)
        self._outer = count(1)

    def add(self, name: str) -> Host:
        """Add a host that all others reach."""
        host = self._make(name, f"10.77.0.{next(self._outer)}")
        device = f"lct{os.getpid()}x{next(_numbers)}"
        self.switch.plug(name, open_tap(device))
        _run("ip", "link", "set", device, "netns", host.namespace, "name", "eth0")
        _set_up(host, host.address, "eth0")
        # As on a machine with a router; it also tells the kernel where multicast goes.
        _ip(host, "route", "add", "default", "dev", "eth0")
        return host

    def add_behind_nat(self, name: str) -> Host:
        """Add a host that can dial out through a router of its own, and cannot be dialed.

        The router is on the switch as ``NAME-router``; that is the port to cut or to slow down.
        """
        router = self.add(f"{name}-router")
        net = f"192.168.{next(self._inner)}"
        host = self._make(name, f"{net}.2")
        device = f"lcv{os.getpid()}x{next(_numbers)}"
        _run(
            *("ip", "link", "add", "inside", "netns", router.namespace, "type", "veth"),
            *("peer", "name", device),
        )
        _run("ip", "link", "set", device, "netns", host.namespace, "name", "eth0")
        _set_up(router, f"{net}.1", "inside")
        _set_up(host, host.address, "eth0")
        _ip(host, "route", "add", "default", "via", f"{net}.1")
        _translate(router)
        return host

    def _make(self, name: str, address: str) -> Host:
        namespace = f"lcn{os.getpid()}x{next(_numbers)}"
        _run("ip", "netns", "add", namespace)
        self._undo.callback(_run, "ip", "netns", "delete", namespace)
        host = Host(name=name, address=address, namespace=namespace)
        self.hosts[name] = host
        _ip(host, "link", "set", "lo", "up")
        return host


@contextmanager
def lan(names: Sequence[str] = (), *, seed: int = 1) -> Iterator[Lan]:
    """Lend hosts by these names on one switch; everything is gone at the end."""
    _remove_leftovers()
    switch = Switch(seed)
    with ExitStack() as undo:
        made = Lan(switch, undo)
        undo.enter_context(switch.running())
        for name in names:
            made.add(name)
        yield made


def _remove_leftovers() -> None:
    """Remove the namespaces of runs that were killed; two runs do not do so at once."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _NAMESPACES.iterdir() if _NAMESPACES.exists() else ()
        for path in sorted(found):
            owner = _OURS.fullmatch(path.name)
            if owner and not Path("/proc", owner[1]).exists():
                _run("ip", "netns", "delete", path.name)


def _set_up(host: Host, address: str, device: str) -> None:
    _ip(host, "address", "add", f"{address}/24", "dev", device)
    _ip(host, "link", "set", device, "up")


def _translate(router: Host) -> None:
    """Make a host a router as people have at home: out under its own address, in only what was asked for."""
    forwarding = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    _run(*router.command(["sh", "-c", forwarding]))
    for rule in (
        "-t nat -A POSTROUTING -o eth0 -j MASQUERADE",
        "-P FORWARD DROP",
        "-A FORWARD -i inside -o eth0 -j ACCEPT",
        "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    ):
        _run(*router.command(["iptables", "-w", *rule.split()]))


def _ip(host: Host, *arguments: str) -> None:
    _run("ip", "-n", host.namespace, *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": _PATH}
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
