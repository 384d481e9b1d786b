"""A Dask cluster as a node sees it: its scheduler, the workers that may be used, and questions to them."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
from distributed import Client, Future
from distributed.security import Security

from lc_node import __version__
from lc_node.adapters.dask_member import Member
from lc_node.adapters.dask_messages import (
    OPERATION,
    Failed,
    Greeting,
    Message,
    decode_answer,
    encode,
)
from lc_node.adapters.dask_worker import Settings, hold, install
from lc_node.chain.errors import LearningChainError
from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import (
    BadOutputFile,
    SandboxFailed,
    SandboxUnavailable,
    WorkerLost,
)

CONNECT_SECONDS_MAX: Final = 10.0
LOOK_SECONDS: Final = 1.0
"""How often a node looks who is there."""

SILENCE_SECONDS_MAX: Final = 10.0
"""A scheduler that does not answer for so long is lost, as is a worker to which no question comes through."""

GREETING_SECONDS_MAX: Final = 30.0
"""How long a worker may take to look at its sandbox; after as long it is asked again, if it had a problem."""

LEASE_SECONDS: Final = 20.0
"""How long a run outlives its node."""

_T = TypeVar("_T", bound=Message)
_R = TypeVar("_R")
_log = logging.getLogger(__name__)


class ClusterUnreachable(LearningChainError):
    """No scheduler answers."""

    def __init__(self, address: str, why: str) -> None:
        """Name the address, and what was tried."""
        super().__init__(
            f"no Dask scheduler answers at {address} ({why}); start it with `dask scheduler`, or "
            "look at the address in --executor and at [dask] in config.toml"
        )
        self.address = address


class _Seen(NamedTuple):
    """A worker that the scheduler knows."""

    address: str
    name: str
    resources: Mapping[str, float]


class DaskCluster:
    """Keeps up with a scheduler and its workers, and asks them."""

    def __init__(
        self, address: str, security: Security, settings: Settings, *, lease_seconds: float
    ) -> None:
        """Prepare to connect to ``address``, such as ``tcp://host:8786``."""
        self.address: Final = address
        self.lease_seconds: Final = lease_seconds
        self.members: Final[dict[str, Member]] = {}
        self._security = security
        self._settings = msgspec.msgpack.encode(settings)
        self._topic = f"{OPERATION}-{secrets.token_hex(8)}"
        self._client: Client | None = None
        self._greet_again_at = 0.0
        self._lost: dict[str, asyncio.Event] = {}
        self._placed: dict[str, asyncio.Future[str]] = {}

    @property
    def usable(self) -> list[str]:
        """The addresses of the workers that may be given work, in a fixed order."""
        return sorted(name for name, member in self.members.items() if not member.problem)

    @property
    def problem(self) -> str:
        """Why nothing can be run now, with the remedy; empty if something can."""
        if self._client is None:
            return f"the Dask scheduler at {self.address} does not answer; trying again"
        if self.usable:
            return ""
        for _, member in sorted(self.members.items()):
            return f"no worker of the Dask cluster can be used; {member.name}: {member.problem}"
        return (
            f"no worker has joined the Dask cluster at {self.address}; start some with "
            f'`dask worker {self.address} --resources "CPU=4 MEMORY=16e9"`'
        )

    async def connect(self) -> None:
        """Connect, and look at the workers that are there.

        Raises:
            ClusterUnreachable: no scheduler answers.
        """
        _join_logs()
        try:
            await _knock(self.address)
        except (OSError, TimeoutError) as error:
            raise ClusterUnreachable(self.address, _words(error)) from error
        client = Client(
            self.address,
            security=self._security,
            asynchronous=True,
            timeout=CONNECT_SECONDS_MAX,
            set_as_default=False,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX + 1):
                await client
        except _TROUBLES as error:
            await _closed(client)
            raise ClusterUnreachable(self.address, _words(error)) from error
        client.subscribe_topic(self._topic, self._on_placed)
        self._client = client
        try:
            async with asyncio.TaskGroup() as greetings:
                for seen in await self._look(client):
                    greetings.create_task(self._greet(client, seen))
        except* _TROUBLES as errors:
            await self._lose(errors)
            raise ClusterUnreachable(self.address, "it went away") from errors

    async def keep_up(self) -> None:
        """See who comes and goes, and connect again whenever the scheduler was lost; until cancelled."""
        async with asyncio.TaskGroup() as greetings:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if self._client is None:
                    await self._connect_again()
                    continue
                try:
                    new = await self._look(self._client)
                    for seen in (*new, *self._to_greet_again()):
                        greetings.create_task(self._greet(self._client, seen))
                except _TROUBLES as error:
                    await self._lose(error)

    async def close(self) -> None:
        """Leave the cluster."""
        client, self._client = self._client, None
        if client is not None:
            await _closed(client)

    async def ask(
        self,
        worker: str,
        question: Message,
        wanted: type[_T],
        *,
        lost: asyncio.Event | None = None,
    ) -> _T:
        """Put a question to a worker through the scheduler, again if need be, and return the answer.

        Args:
            worker: its address.
            question: what to ask.
            wanted: the kind of its answer.
            lost: when it is set the worker counts as gone, besides when the cluster says so.

        Raises:
            WorkerLost: it is gone, or the scheduler is.
            BadOutputFile, ImageRefused, SandboxUnavailable, SandboxFailed: what it answered.
        """
        lost = lost or self.lost(worker)
        deadline = asyncio.get_running_loop().time() + SILENCE_SECONDS_MAX
        data = encode(question)
        while not lost.is_set() and self._client is not None:
            answer = await _unless(lost, _broadcast(self._client, worker, data))
            if answer is not None:
                return _understood(answer, wanted)
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(LOOK_SECONDS / 4)
        raise WorkerLost(f"the Dask worker {worker} is gone")

    @contextlib.asynccontextmanager
    async def room(
        self, run: str, needs: Mapping[str, float], workers: list[str], *, priority: int
    ) -> AsyncIterator["asyncio.Future[str]"]:
        """Ask for room of the cluster; gives what will be the worker's address, once there is room."""
        if self._client is None:
            raise WorkerLost(self.problem)
        placed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._placed[run] = placed
        task: Future[None] = self._client.submit(
            hold,
            run,
            self._topic,
            self.lease_seconds,
            key=f"{OPERATION}-{run}",
            pure=False,
            workers=workers,
            allow_other_workers=False,
            resources=dict(needs),
            priority=priority,
        )
        try:
            yield placed
        finally:
            del self._placed[run]
            placed.cancel()
            task.release()

    def lost(self, worker: str) -> asyncio.Event:
        """Return what is set once a worker is gone."""
        return self._lost.get(worker) or _set_event()

    async def _connect_again(self) -> None:
        try:
            await self.connect()
        except ClusterUnreachable:
            return
        _log.info("the Dask scheduler at %s answers again", self.address)

    async def _look(self, client: Client) -> list[_Seen]:
        """Learn who is there; return who is new."""
        assert client.scheduler is not None, "it is connected"
        async with asyncio.timeout(SILENCE_SECONDS_MAX):
            found: Mapping[str, Any] = (await client.scheduler.identity())["workers"]
        for gone in [name for name in self._lost if name not in found]:
            self.members.pop(gone, None)
            self._lost.pop(gone).set()
            _log.warning("the worker %s has left the Dask cluster", gone)
        new = [name for name in sorted(found) if name not in self._lost]
        for name in new:
            self._lost[name] = asyncio.Event()
        return [_Seen(one, str(found[one]["name"]), found[one]["resources"]) for one in new]

    def _to_greet_again(self) -> list[_Seen]:
        """Return the workers that had a problem, now and then: it may have passed, or been solved."""
        now = asyncio.get_running_loop().time()
        if now < self._greet_again_at:
            return []
        self._greet_again_at = now + GREETING_SECONDS_MAX
        return [
            _Seen(address, member.name, member.resources)
            for address, member in self.members.items()
            if member.greeting.problem
        ]

    async def _greet(self, client: Client, seen: _Seen) -> None:
        """Make a worker ours too, if it can be, and note what it is."""
        try:
            async with asyncio.timeout(GREETING_SECONDS_MAX):
                answers = await client.run(install, self._settings, workers=[seen.address])
            greeting = decode_answer(answers[seen.address])
            assert isinstance(greeting, Greeting), "that is what it answers"
        except TimeoutError:
            greeting = Greeting(software=__version__, problem=_SLOW)
        except Exception as error:  # noqa: BLE001  # whatever a foreign machine's installation raises
            problem = f"learningchain cannot be used there ({_words(error)}); {_INSTALL}"
            greeting = Greeting(software="", problem=problem)
        member = Member(name=seen.name, greeting=greeting, resources=dict(seen.resources))
        if seen.address in self._lost and self.members.get(seen.address) != member:
            self.members[seen.address] = member
            _say_who_came(seen.address, member)

    async def _lose(self, error: Exception) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        _log.warning("the Dask scheduler at %s is lost: %s", self.address, _words(error))
        self.members.clear()
        for lost in self._lost.values():
            lost.set()
        self._lost.clear()
        await _closed(client)

    def _on_placed(self, event: tuple[float, Mapping[str, str]]) -> None:
        """Hear where room was found."""
        told = event[1]
        placed = self._placed.get(told["run"])
        if placed is not None and not placed.done():
            placed.set_result(told["worker"])


_TROUBLES: Final = (OSError, TimeoutError, ValueError, TypeError, AttributeError)
"""What Dask raises where a scheduler is not there, or not any more."""

_SLOW: Final = f"after {GREETING_SECONDS_MAX:.0f} s it has not said what its sandbox can do; it is asked again"
_INSTALL: Final = f"on every worker: pip install 'learningchain[node,dask]=={__version__}'"


async def _knock(address: str) -> None:
    """Return if somebody listens there; Dask itself would go on trying for as long as it may take."""
    where = urlsplit(address)
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _broadcast(client: Client, worker: str, data: bytes) -> bytes | None:
    """Return a worker's answer, None if none came: it may be gone, or have just begun anew."""
    assert client.scheduler is not None, "it is connected"
    try:
        answers = await client.scheduler.broadcast(
            msg={"op": OPERATION, "data": data}, workers=[worker], on_error="ignore"
        )
    except _TROUBLES:
        return None
    answer = answers.get(worker)
    return answer if isinstance(answer, bytes) else None


async def _unless(event: asyncio.Event, asking: Awaitable[_R]) -> _R | None:
    """Return what is awaited, or None as soon as an event is set."""
    loop = asyncio.get_running_loop()
    asked, waited = asyncio.ensure_future(asking), loop.create_task(event.wait())  # noqa: TID251  # both end here
    try:
        await asyncio.wait({asked, waited}, return_when=asyncio.FIRST_COMPLETED)
        return asked.result() if asked.done() else None
    finally:
        asked.cancel()
        waited.cancel()
        await asyncio.wait({asked, waited})


def _understood(data: bytes, wanted: type[_T]) -> _T:
    try:
        answer = decode_answer(data)
    except msgspec.MsgspecError as error:
        raise SandboxFailed(f"a worker answered what is not understood: {error}") from error
    if isinstance(answer, Failed):
        known = {one.__name__: one for one in (BadOutputFile, ImageRefused, SandboxUnavailable)}
        raise known.get(answer.kind, SandboxFailed)(answer.text)
    if not isinstance(answer, wanted):
        raise SandboxFailed(f"a worker answered {type(answer).__name__}")
    return answer


def _say_who_came(address: str, member: Member) -> None:
    """Log it."""
    if member.problem:
        _log.warning("the worker %s is not used: %s", member.name, member.problem)
    else:
        _log.info("the worker %s at %s has joined", member.name, address)


def _join_logs() -> None:
    """Let what Dask says pass through our own log, as everything else does."""
    logger = logging.getLogger("distributed")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True
    logger.setLevel(logging.ERROR)


async def _closed(client: Client) -> None:
    with contextlib.suppress(*_TROUBLES):
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await client.close(timeout=2)


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
