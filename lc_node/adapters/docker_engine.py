"""The engine's API, through the ``docker`` package: blocking calls, and one kind of error.

After docs.docker.com/reference/api/engine, version 1.41 (Docker 20.10) and later.
"""

import contextlib
import os
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import docker
import docker.errors
import docker.utils

from lc_node.ports.sandbox import SandboxFailed, SandboxUnavailable

OWNER_LABEL: Final = "learningchain.owner"
LIFE_LABEL: Final = "learningchain.life"
DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
API_MIN: Final = (1, 41)
CALL_SECONDS_MAX: Final = 30
END_SECONDS_MAX: Final = 5
"""How long a container may take to end by itself, once its connection has, before it is killed."""

SETTLE_SECONDS_MAX: Final = 5
_SETTLE_SECONDS: Final = 0.02

NO_GPUS: Final = "it cannot give GPUs; install nvidia-container-toolkit and restart the engine"
_NO_DRIVER: Final = "could not select device driver"
"""What an engine says that is asked for GPUs and has nothing that provides them."""

_STAT: Final = "X-Docker-Container-Path-Stat"
_PIECE_BYTES: Final = 1 << 20
_LOADED: Final = "Loaded image ID: "
_ERRORS: Final = (docker.errors.DockerException, OSError)
"""Those of ``requests``, below the package, are errors of the system too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the engine says of a container that has ended."""

    out_of_memory: bool
    text: str


class ImageGone(SandboxFailed):
    """The engine has no such image any more: somebody has tidied up."""


class DockerEngine:
    """A connection to an engine; calls block, and may be made from several threads."""

    def __init__(self, host: str = "") -> None:
        """Connect.

        Args:
            host: where the engine listens; empty for ``DOCKER_HOST``, or else the usual place.

        Raises:
            SandboxUnavailable: nobody answers there; the message says what to do.
        """
        where = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        if not where.startswith("unix://"):
            raise SandboxUnavailable(
                f"{where}: the engine must be on this machine, at unix:///..."
            )
        try:
            _knock(where.removeprefix("unix://"))
            self._api = docker.APIClient(base_url=where, version="auto", timeout=CALL_SECONDS_MAX)
            self._api.trust_env = (
                False  # no proxy, no netrc: looking for them again took as long as a call
            )
            self.version: Final = str(self._api.version()["Version"])
        except _ERRORS as error:
            raise SandboxUnavailable(f"no engine at {where}: {_remedy(where, error)}") from error
        weakref.finalize(self, self._api.close)
        if _numbers(self._api.api_version) < API_MIN:
            raise SandboxUnavailable(f"the engine at {where} is too old; Docker 20.10 is needed")

    def load(self, archive: bytes) -> str:
        """Load an image without a name, and return its id."""
        with _failing("load an image"):
            for line in self._api.load_image(archive):
                text = str(line.get("stream", ""))
                if text.startswith(_LOADED):
                    return text.removeprefix(_LOADED).strip()
                if "error" in line:
                    raise SandboxFailed(f"the engine cannot load an image: {line['error']}")
        raise SandboxFailed("the engine did not say which image it has loaded")

    def create(self, name: str, words: dict[str, Any]) -> None:
        """Make a container.

        Raises:
            ImageGone: its image must be loaded again.
        """
        with _failing("make a container"):
            try:
                self._api.create_container(name=name, use_config_proxy=False, **words)
            except docker.errors.ImageNotFound as error:
                raise ImageGone(str(error)) from error

    def attach(self, name: str) -> socket.socket:
        """Return a socket to a container's standard streams, the two outputs multiplexed."""
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with _failing("attach to a container"):
            found = self._api.attach_socket(name, params=params)
            # Below a file object and the package's pool; nothing comes before the start, so neither has read ahead.
            theirs: socket.socket = found._sock  # noqa: SLF001 - the package offers no other way
            with found, theirs:
                return theirs.dup()

    def start(self, name: str) -> None:
        """Start a container."""
        with _failing("start a container"):
            self._api.start(name)

    def pid(self, name: str) -> int:
        """Return the id of a container's first process on the host; 0 if it has ended already."""
        with _failing("inspect a container"):
            return int(self._api.inspect_container(name)["State"]["Pid"])

    def kill(self, name: str) -> None:
        """Kill a container and return when nothing of it runs any more."""
        with _failing("kill a container"):
            _is_done(self._api.kill, name)  # else it has ended already
            self._api.wait(name, timeout=CALL_SECONDS_MAX)

    def ended(self, name: str) -> Ended:
        """Say why a container has ended."""
        with _failing("inspect a container"):
            state = self._api.inspect_container(name)["State"]
        text = f"it ended with {state['ExitCode']} {state['Error']}".strip()
        return Ended(out_of_memory=bool(state["OOMKilled"]), text=text)

    def end(self, name: str) -> None:
        """Remove a container whose connection has just ended: so does it, and sooner than an engine could kill it."""
        with contextlib.suppress(*_ERRORS):  # it is not there, or does not end
            self._api.wait(name, timeout=END_SECONDS_MAX)
        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a container, whatever its state, and its volumes."""
        with _failing("remove a container"):
            try:
                self._api.remove_container(name, v=True, force=True)
            except docker.errors.NotFound:
                return

    @contextlib.contextmanager
    def archive(
        self, name: str, path: str
    ) -> Iterator[tuple[Iterator[bytes], dict[str, Any]] | None]:
        """Open a tar stream of one path in a container, with the engine's ``stat`` of it; None if it is not there.

        The engine locks the container until the stream is read or hung up on. The package's own call cannot hang up.
        """
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{name}/archive"
        with _failing("read from a container"):
            answer = self._api.get(
                url, params={"path": path}, stream=True, timeout=CALL_SECONDS_MAX
            )
        with answer:
            if answer.status_code == HTTPStatus.NOT_FOUND:
                yield None
                return
            with _failing("read from a container"):
                answer.raise_for_status()
                status = docker.utils.decode_json_header(answer.headers[_STAT])
            yield _pieces(answer.iter_content(_PIECE_BYTES)), status

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Let nothing in a container run for a while; one that has ended meanwhile, or ends so, is no error."""
        with _failing("pause a container"):
            self._insist(self._api.pause, name)
        try:
            yield
        finally:
            with _failing("let a container go on"):
                self._insist(self._api.unpause, name)

    def _insist(self, change: Callable[[str], object], name: str) -> None:
        """Pause or unpause a container that runs, whatever the engine takes its state for.

        An engine hears afterwards, and on a busy machine late, of what it has done. So it may take one that runs
        for one that is paused since the last time, and the reverse: neither must be believed, so it is asked again.
        """
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while not _is_done(change, name) and self._is_running(name):
            if time.monotonic() > deadline:
                raise SandboxFailed("it contradicts itself on whether the container is paused")
            time.sleep(_SETTLE_SECONDS)

    def _is_running(self, name: str) -> bool:
        """Whether a container is there and has not ended; one that is paused has not."""
        try:
            return bool(self._api.inspect_container(name)["State"]["Running"])
        except docker.errors.NotFound:
            return False

    def owned(self, owner: str, *, but: str) -> list[str]:
        """Return the containers of an owner, those of one life left out."""
        with _failing("list containers"):
            found = self._api.containers(all=True, filters={"label": f"{OWNER_LABEL}={owner}"})
        return [str(one["Id"]) for one in found if one["Labels"].get(LIFE_LABEL) != but]


def _knock(path: str) -> None:
    """Connect once beforehand: the package leaves a socket open where nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CALL_SECONDS_MAX)
        connection.connect(path)


@contextlib.contextmanager
def _failing(what: str) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        why = NO_GPUS if _NO_DRIVER in _short(error) else _short(error)
        raise SandboxFailed(f"the engine cannot {what}: {why}") from error


def _is_done(change: Callable[[str], object], name: str) -> bool:
    """Change a container; False if the engine says that its state, or its end, does not let it."""
    try:
        change(name)
    except docker.errors.APIError as error:
        if error.status_code not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
            raise
        return False
    return True


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with _failing("read from a container"):
        yield from chunks


def _short(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return str(explanation or error)


def _remedy(where: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "this user may not speak to it; as root: usermod -aG docker USER, and log in again"
    if where == DEFAULT_HOST:
        return "as root: apt-get install docker.io && systemctl start docker"
    return f"is it running? ({_short(error)})"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
