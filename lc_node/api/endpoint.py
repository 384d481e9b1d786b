"""Where a node of this machine is found: its home, its folder of sockets, its token.

The folder lies in ``$XDG_RUNTIME_DIR/lc/<8 hex>/`` or ``/tmp/lc-<uid>/<8 hex>/``, the digits being of the
home's path. Others must not be able to enter it, whoever made it: owner and mode are checked on both sides.
"""

import hashlib
import os
import secrets
import socket
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from lc_node.api.errors import NodeSilent, NodeUnreachable, SocketPathTooLong, UnsafeFolder
from lc_node.api.paths import expand

SOCKET_PATH_BYTES_MAX: Final = 107  # sun_path holds 108 with its final zero: unix(7)
CALLS_SOCKET: Final = "calls.sock"
EVENTS_SOCKET: Final = "events.sock"
TOKEN_FILE: Final = "token"  # noqa: S105  # a file's name
ENDPOINT_FILE: Final = "endpoint.json"
_TOKEN_BYTES: Final = 32
_OTHERS: Final = 0o077
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user, group: unix(7)."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The folder through which one node is reached."""

    folder: Path

    @property
    def calls(self) -> str:
        """The ZeroMQ address for calls."""
        return f"ipc://{self.folder / CALLS_SOCKET}"

    @property
    def events(self) -> str:
        """The ZeroMQ address for events."""
        return f"ipc://{self.folder / EVENTS_SOCKET}"


class _Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What a running node writes into its home, so that a client finds the sockets."""

    folder: str
    pid: int


def default_home(environment: Mapping[str, str]) -> Path:
    """Return the home that is meant when none is named: ``$LC_HOME``, else under the data folder.

    Raises:
        UnusablePath: the variable names the home of a user who is not there.
    """
    if home := environment.get("LC_HOME"):
        return expand(home)
    data = environment.get("XDG_DATA_HOME") or "~/.local/share"
    return expand(data) / "learningchain"


def socket_folder(home: Path, environment: Mapping[str, str]) -> Path:
    """Return where the node of a home puts its sockets."""
    name = hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:8]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "lc" / name
    return Path(f"/tmp/lc-{os.geteuid()}") / name  # noqa: S108  # owner and mode are checked


def open_endpoint(home: Path, environment: Mapping[str, str]) -> Endpoint:
    """Make the folder and its token for a node that starts, and announce them in its home.

    Raises:
        UnsafeFolder: somebody else owns the folder, or may enter it.
        SocketPathTooLong: the sockets would have too long a path.
    """
    folder = socket_folder(home, environment)
    _check_length(folder)
    for part in (folder.parent, folder):
        part.mkdir(mode=0o700, exist_ok=True)
        check_private(part)
    _write_private(folder / TOKEN_FILE, secrets.token_hex(_TOKEN_BYTES).encode())
    announcement = _Announcement(folder=str(folder), pid=os.getpid())
    _write_private(home / ENDPOINT_FILE, msgspec.json.encode(announcement))
    return Endpoint(folder=folder)


def close_endpoint(home: Path, endpoint: Endpoint) -> None:
    """Take back what ``open_endpoint`` announced, when the node stops."""
    (home / ENDPOINT_FILE).unlink(missing_ok=True)
    for name in (CALLS_SOCKET, EVENTS_SOCKET, TOKEN_FILE):
        (endpoint.folder / name).unlink(missing_ok=True)


def find_endpoint(where: Path | None, environment: Mapping[str, str]) -> Endpoint:
    """Find a running node: by ``where`` (a home or a folder of sockets), ``$LC_NODE``, or the default home.

    Raises:
        NodeUnreachable: nothing there announces a node, or nobody listens.
        UnsafeFolder: the folder could be somebody else's trap.
        UnusablePath: a variable names the home of a user who is not there.
    """
    if where is None:
        named = environment.get("LC_NODE")
        where = expand(named) if named else default_home(environment)
    try:
        return _found(where)
    except OSError as error:
        message = f"No node runs with home {where} ({error.strerror or error})."
        raise NodeUnreachable(message) from error


def explain_silence(endpoint: Endpoint, seconds: float) -> NodeUnreachable:
    """Return why a node says nothing: it is gone, or it is there and does not speak."""
    try:
        process = _knock(endpoint.folder / CALLS_SOCKET)
    except (FileNotFoundError, ConnectionRefusedError):
        return NodeUnreachable(f"The node of {endpoint.folder} has gone.")
    return NodeSilent(str(endpoint.folder), process, seconds)


def read_token(endpoint: Endpoint) -> bytes:
    """Return what every call must carry.

    Raises:
        NodeUnreachable: the node has gone.
        UnsafeFolder: others could have read or written it.
    """
    path = endpoint.folder / TOKEN_FILE
    try:
        _check_owner(path, path.lstat())
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NodeUnreachable(f"The node of {endpoint.folder} has gone.") from error


def check_private(folder: Path) -> None:
    """Refuse a folder that is not ours alone.

    Raises:
        UnsafeFolder: a link, no folder, of another owner, or open to others.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeFolder(str(folder), "is not a folder")
    _check_owner(folder, status)


def _found(where: Path) -> Endpoint:
    """Return the endpoint of a home, or of a folder of sockets.

    Raises:
        OSError: it cannot be looked at.
    """
    folder = where if (where / TOKEN_FILE).exists() else _announced(where)
    if not folder.is_dir():
        raise NodeUnreachable(f"No node runs with home {where}.")
    check_private(folder)
    _check_listening(folder / CALLS_SOCKET, where)
    return Endpoint(folder=folder)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise UnsafeFolder(str(path), f"belongs to user {status.st_uid}")
    if status.st_mode & _OTHERS:
        why = f"is open to others (mode {stat.S_IMODE(status.st_mode):o})"
        remedy = f"`chmod go= {path}`, and start the node anew: they may have read its token"
        raise UnsafeFolder(str(path), why, remedy)


def _check_length(folder: Path) -> None:
    path = folder / max(CALLS_SOCKET, EVENTS_SOCKET, key=len)
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_BYTES_MAX:
        raise SocketPathTooLong(str(path), length)


def _check_listening(path: Path, where: Path) -> None:
    try:
        _knock(path)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NodeUnreachable(f"The node with home {where} does not run.") from error


def _knock(path: Path) -> int:
    """Return the process that listens at a socket, 0 if that cannot be told.

    Raises:
        FileNotFoundError, ConnectionRefusedError: nobody does; one that a dead node left behind refuses at once.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A stopped node takes nobody in: once its queue is full, a blocking connect would wait for it.
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return 0
        if not hasattr(socket, "SO_PEERCRED"):
            return 0
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process: int = _CREDENTIALS.unpack(credentials)[0]
        return process


def _announced(home: Path) -> Path:
    try:
        text = (home / ENDPOINT_FILE).read_bytes()
        return Path(msgspec.json.decode(text, type=_Announcement).folder)
    except FileNotFoundError as error:
        raise NodeUnreachable(f"No node runs with home {home}.") from error
    except msgspec.DecodeError as error:
        raise NodeUnreachable(f"{home / ENDPOINT_FILE} is damaged ({error}).") from error


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
