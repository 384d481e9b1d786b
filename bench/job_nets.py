"""Graphs of real nodes on which a benchmark's jobs run, and how long their steps take."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from bench.bench_chain_finality import PAUSE_SECONDS
from lc_node.api.calls import GetJob, GetPolicy, SetPolicy, Submit, Transfer
from lc_node.api.client import Client
from lc_node.api.schema import Address, Event, MicroCredits
from lc_node.api.schema_jobs import JobRequest, JobStory
from lc_node.chain.params import DEVNET, ProtocolParams
from lc_node.chain.types import MillisSpan
from lc_node.runtime.devnet import Devnet, Role, prepare
from tests.e2e.graphs import short_folder

SUBMITTER: Final = Role(name="submitter", balance=100_000, bonded=100, votes=True)
TRAINER: Final = Role(name="trainer", bonded=20, trains=True)
EVALUATORS: Final = tuple(
    Role(name=f"evaluator-{number}", bonded=100, votes=True) for number in (1, 2, 3)
)
FIVE: Final = (SUBMITTER, TRAINER, *EVALUATORS)
"""Of whom four vote; the three evaluators and the trainer may be drawn, but nobody judges what is its own."""

EXPIRY_SECONDS: Final = 3
"""The shortest that our graphs allow; a trainer must have bid by then."""
UNHURRIED_SECONDS: Final = 8
"""For a trainer on a container engine."""
PARAMS: Final = replace(DEVNET, expiry_min_ms=MillisSpan(1000))
"""Those of a devnet, but that bidding may be short: nobody learns from waiting for it."""

_SILENCE_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 120.0


class JobFailed(Exception):
    """A job of the benchmark did not end as it must; what its story says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event, and when this process heard of it."""

    event: Event
    wall: float
    """Unix time in seconds."""


@dataclass(slots=True, kw_only=True)
class Played:
    """What became of one job, and when; times are this machine's, in Unix seconds."""

    asked: float
    """When the job was given to the node."""
    posted: float
    """When its being posted was final."""
    expiry: float
    story: JobStory
    told: list[Told] = field(default_factory=list)

    def at(self, code: str) -> float:
        """Return when an event was first heard of.

        Raises:
            JobFailed: there was none.
        """
        found = next((one.wall for one in self.told if one.event.code == code), None)
        if found is None:
            raise JobFailed(f"no {code!r}: {[one.event.text for one in self.told]}")
        return found

    @property
    def first_bid_seconds(self) -> float:
        """From giving the job to the node until the first bid is final, as the poster hears of it."""
        return self.at("bid") - self.asked

    @property
    def settle_seconds(self) -> float:
        """From the expiry until the job is settled, as the poster hears of it."""
        return self.at("settled") - self.expiry


@contextmanager
def graph(
    roles: Sequence[Role] = FIVE,
    *,
    params: ProtocolParams = PARAMS,
    settings: Mapping[str, str] | None = None,
    jobs_at_once: int = 1,
) -> Iterator[Devnet]:
    """Run a graph whose trainers take also what expires soon; ``settings`` go to the end of every node's file."""
    with short_folder() as folder:
        devnet = Devnet(prepare(folder, roles, params=params))
        for place in devnet.places:
            with place.home.config_path.open("a") as config:
                config.write((settings or {}).get(place.role.name, ""))
        try:
            if settings:
                _start_in_turn(devnet)
            else:
                devnet.start_all()
            devnet.wait_ready()
            for role in roles:
                if role.trains:
                    _take_all(devnet, role.name, jobs_at_once)
            yield devnet
        finally:
            devnet.stop()


def client_of(devnet: Devnet, name: str = SUBMITTER.name) -> Client:
    """Connect to a node that may be slow to answer."""
    return Client(devnet.place(name).home.path, silence_seconds=_SILENCE_SECONDS)


def play(client: Client, request: JobRequest) -> Played:
    """Post a job and follow it until it is settled.

    Raises:
        JobFailed: it ended without a winner, or did not end.
    """
    with client.events() as events:
        asked = time.time()
        submitted = client.call(Submit(request=request))
        posted, told = time.time(), list[Told]()
        deadline = posted + request.expiry_seconds + _PATIENCE_SECONDS
        while time.time() < deadline:
            event = events.next(1.0)
            if event is None or event.job != submitted.job:
                continue
            told.append(Told(event=event, wall=time.time()))
            if event.code in {"settled", "refunded", "cancelled"}:
                break
    story = client.call(GetJob(job=submitted.job))
    if story.summary.winner is None:
        raise JobFailed(f"{story.reason_text}: {[one.event.text for one in told]}")
    return Played(
        asked=asked, posted=posted, expiry=submitted.expiry / 1000, story=story, told=told
    )


def finality_seconds(client: Client, to: Address, count: int, *, pause: float) -> float:
    """Return the median seconds until a transfer is final; ``pause`` lies between two."""
    seen = []
    for _ in range(count):
        time.sleep(pause)
        since = time.perf_counter()
        client.call(Transfer(to=to, amount=MicroCredits(1)))
        seen.append(time.perf_counter() - since)
    return sorted(seen)[count // 2]


def idle_finality(devnet: Devnet, client: Client, count: int = 20) -> float:
    """Return the finality of transfers that find the graph idle, as chain.finality does."""
    return finality_seconds(client, _other(devnet), count, pause=PAUSE_SECONDS)


def paced_finality(devnet: Devnet, client: Client, count: int = 20) -> float:
    """Return that of transfers of which each begins when the one before is final: a leader's pause is in it."""
    return finality_seconds(client, _other(devnet), count, pause=0)


def _start_in_turn(devnet: Devnet) -> None:
    """Start one node after the other: each tries out a container engine, which is slow with several at a time."""
    names = [place.role.name for place in devnet.places]
    for count, name in enumerate(names, 1):
        devnet.start(name)
        devnet.wait_ready(names[:count])


def _other(devnet: Devnet) -> Address:
    return Address(devnet.places[-1].identity.address)


def _take_all(devnet: Devnet, name: str, jobs_at_once: int) -> None:
    with client_of(devnet, name) as client:
        policy = client.call(GetPolicy())
        client.call(
            SetPolicy(policy=replace(policy, time_left_min_seconds=1, jobs_at_once=jobs_at_once))
        )
