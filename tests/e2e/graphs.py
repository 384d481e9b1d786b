"""Devnets of real processes for tests, and how a test waits for what happens on them."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from lc_node.api.calls import GetAccount, GetJob, GetStatus
from lc_node.api.client import Client
from lc_node.api.schema import Account, Address, JobId
from lc_node.api.schema_jobs import JobStory
from lc_node.runtime.devnet import Devnet, Role, log_of, prepare

SILENCE_SECONDS: Final = 60.0
"""On a machine that does much else a node may be late with a sign of life."""

LOOK_SECONDS: Final = 1.0
"""Without an event a condition is looked at again after this long."""

LOG_SHOWN: Final = 3000

Known = TypeVar("Known")

SUBMITTER: Final = Role(name="submitter", bonded=100, votes=True)
TRAINER: Final = Role(name="trainer", bonded=20, trains=True)
EVALUATORS: Final = tuple(
    Role(name=f"evaluator-{number}", bonded=100, votes=True) for number in (1, 2, 3)
)
LIAR: Final = Role(name="liar", trains=True, conduct="liar")


def unhurried(seconds: int, *, most: int) -> int:
    """Return for how long to let people bid: longer, up to ``most``, on a machine that others keep busy."""
    queue_per_processor = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(most, round(seconds * max(1.0, queue_per_processor)))


@contextmanager
def short_folder() -> Iterator[Path]:
    """Lend a folder with a short path: sockets are found below it."""
    folder = Path(tempfile.mkdtemp(prefix="lce"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def living(roles: Sequence[Role], kind: type[Devnet] = Devnet) -> Iterator[Devnet]:
    """Run a devnet in a folder of its own; what its nodes logged is printed at the end."""
    with short_folder() as folder:
        devnet = kind(prepare(folder, roles))
        try:
            devnet.start_all()
            devnet.wait_ready()
            yield devnet
        finally:
            devnet.stop()
            for place in devnet.places:
                words = log_of(place).read_text(errors="replace")
                print(f"--- {place.role.name}\n{words[-LOG_SHOWN:]}")  # noqa: T201 (pytest shows it if a test fails)


def patient_client(devnet: Devnet, name: str) -> Client:
    """Connect to a node that may be slow to answer."""
    return Client(devnet.place(name).home.path, silence_seconds=SILENCE_SECONDS)


def wait_for_job(
    client: Client, job: JobId, is_there: Callable[[JobStory], bool], seconds: float
) -> JobStory:
    """Return a job's story as soon as it is as wished; the test fails if it never is."""
    return wait_for(client, lambda: client.call(GetJob(job=job)), is_there, seconds)


def wait_until_over(client: Client, job: JobId, seconds: float = 240) -> JobStory:
    """Return a job's story once nothing more can happen to it."""
    return wait_for_job(client, job, lambda story: story.summary.phase.is_over, seconds)


def wait_for_height(client: Client, height: int, seconds: float = 60) -> None:
    """Return when a node's chain has reached a height."""
    wait_for(
        client, lambda: client.call(GetStatus()).height, lambda found: found >= height, seconds
    )


def account_of(client: Client, devnet: Devnet, name: str) -> Account:
    """Return the account of a node of the devnet, as another one's chain has it."""
    address = Address(devnet.place(name).identity.address)
    return client.call(GetAccount(address=address))


def wait_for(
    client: Client,
    look: Callable[[], Known],
    is_there: Callable[[Known], bool],
    seconds: float,
) -> Known:
    """Return what ``look`` finds once it is as wished, looking after every event of a node."""
    deadline = time.monotonic() + seconds
    with client.events() as events:
        while not is_there(found := look()):
            assert time.monotonic() < deadline, f"still {found} after {seconds:g} s"
            events.next(LOOK_SECONDS)
    return found
