"""The main job, end to end: a notebook on a devnet, told as it happens, summed up at the end."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from math import isclose
from pathlib import Path
from typing import Any, Final

from lc_node.api.calls import GetAccount, GetJob, GetStatus
from lc_node.api.client import Client
from lc_node.api.schema import Address, Event
from lc_node.api.schema_jobs import JobStory
from lc_node.chain.errors import LearningChainError
from lc_node.runtime.devnet import Devnet

NOTEBOOK_SECONDS: Final = 240
_MARK: Final = "LC_DEMO "
_MICRO: Final = 1_000_000
_NANO: Final = 1_000_000_000
_LISTEN_SECONDS: Final = 0.2
_MEASURE: Final = f"""
import json
from lc_jupyter import last_job
print({_MARK!r} + json.dumps({{
    "job": last_job().id, "seconds": last_job().seconds,
    "kernel_loss": kernel_loss, "test_loss": test_loss,
}}))
"""
"""Run in the notebook's kernel at the end, to take the figures that only it knows."""

Tell = Callable[[str], None]


class NotebookFailed(LearningChainError):
    """A cell of the demo's notebook raised."""


class NotInstalled(LearningChainError):
    """Executing a notebook needs what the notebook's side installs."""

    def __init__(self) -> None:
        """Name the remedy."""
        super().__init__("the demo runs a notebook: pip install 'learningchain[node,demo]'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """What a node owned before and after, in credits, bonds included."""

    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The demo's outcome; losses as they are, times in seconds, amounts in credits."""

    job_id: str
    winner: str | None
    announced_loss: float | None
    evaluated_losses: tuple[float, ...]
    kernel_loss: float
    test_loss: float
    label: str
    liar: str
    banned: tuple[str, ...]
    credits: Mapping[str, Credits]
    height: int
    engine: str
    seconds: Mapping[str, float]

    @property
    def broken(self) -> tuple[str, ...]:
        """What of the demo's promise did not come true, in words; empty if all did."""
        losses = (self.announced_loss or 0.0, self.kernel_loss)
        promises = (
            (self.winner not in {None, self.liar}, "an honest bid wins"),
            (self.liar in self.banned, "the liar is banned"),
            (self.credits["liar"].after == 0, "the liar's credits are gone"),
            (self.label == "strong", "the label is strong"),
            (isclose(*losses, rel_tol=1e-4, abs_tol=1e-6), "the kernel finds the announced loss"),
        )
        return tuple(words for is_kept, words in promises if not is_kept)


def run_demo(devnet: Devnet, notebook: Path, tell: Tell) -> Summary:
    """Execute ``notebook`` against the devnet's submitter and return what came of it.

    Raises:
        NotebookFailed: a cell raised.
        NotInstalled: the notebook's side is not installed.
    """
    names = {place.identity.address: place.role.name for place in devnet.places}
    before = _credits(devnet)
    with devnet.client("submitter") as client, _telling(client, names, tell):
        measures = _execute(notebook, devnet.place("submitter").home.path, tell)
        story = client.call(GetJob(job=measures["job"]))
    after = _credits(devnet)
    return _summary(devnet, story, measures, before, after)


def find_notebook(name: str) -> Path:
    """Return an example notebook: of the sources, or of the installed package.

    Raises:
        NotInstalled: neither is there.
    """
    here = Path(__file__).parents[1]
    for folder in (here.parent / "examples", here / "examples"):
        if (folder / name).is_file():
            return folder / name
    raise NotInstalled


def _execute(notebook: Path, home: Path, tell: Tell) -> dict[str, Any]:
    """Run every cell and then the measuring one; return what that printed."""
    try:
        nbformat, nbclient = import_module("nbformat"), import_module("nbclient")
    except ImportError as error:
        raise NotInstalled from error
    document = nbformat.read(notebook, as_version=4)
    document.cells.append(nbformat.v4.new_code_cell(_MEASURE))
    runner = nbclient.NotebookClient(
        document,
        timeout=NOTEBOOK_SECONDS,
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_start=lambda cell, **_: _tell_cell(cell, tell),
    )
    os.environ["LC_NODE"] = str(home)
    try:
        runner.execute()
    except nbclient.exceptions.CellExecutionError as error:
        raise NotebookFailed(f"a cell of {notebook.name} failed:\n{error}") from error
    printed = "".join(output.get("text", "") for output in document.cells[-1].outputs)
    measured: dict[str, Any] = json.loads(printed.partition(_MARK)[2])
    return measured


def _tell_cell(cell: Mapping[str, Any], tell: Tell) -> None:
    first = str(cell["source"]).strip().splitlines()[:1]
    if cell["cell_type"] == "code" and first and first[0].startswith("%"):
        tell(f"In: {first[0]}")


@contextmanager
def _telling(client: Client, names: Mapping[str, str], tell: Tell) -> Iterator[None]:
    """Tell the submitter's events while the body runs."""
    done = threading.Event()
    started = time.monotonic()

    def listen() -> None:
        with client.events() as events:
            while not done.is_set():
                event = events.next(_LISTEN_SECONDS)
                if event is not None:
                    tell(f"{time.monotonic() - started:6.1f} s  {_named(event, names)}")

    thread = threading.Thread(target=listen, name="demo-events")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _named(event: Event, names: Mapping[str, str]) -> str:
    """Return an event's sentence with the nodes' names for their addresses."""
    text = event.text
    for address, name in names.items():
        text = text.replace(f"{address[:8]}…{address[-4:]}", name)
    return text


def _credits(devnet: Devnet) -> dict[str, float]:
    """Return what each node owns, bonds included, escrows not, as the submitter's chain has it.

    A banned node's own chain may end before its ban: the others hang up on it with that very block.
    """
    owned = {}
    with devnet.client("submitter") as client:
        for place in devnet.places:
            address = Address(place.identity.address)
            account = client.call(GetAccount(address=address))
            credit = account.balance + account.bonded + account.unbonding
            owned[place.role.name] = credit / _MICRO
    return owned


def _summary(
    devnet: Devnet,
    story: JobStory,
    measures: Mapping[str, Any],
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> Summary:
    job = story.summary
    verdicts = [v.mean for v in story.verdicts if v.candidate == job.winner and v.mean is not None]
    with devnet.client("submitter") as client:
        status = client.call(GetStatus())
    return Summary(
        job_id=job.job,
        winner=job.winner,
        announced_loss=None if job.best_loss is None else job.best_loss / _NANO,
        evaluated_losses=tuple(mean / _NANO for mean in verdicts),
        kernel_loss=measures["kernel_loss"],
        test_loss=measures["test_loss"],
        label=job.label,
        liar=devnet.place("liar").identity.address,
        banned=tuple(e.account for e in story.events if e.code == "banned" and e.account),
        credits={name: Credits(before=before[name], after=after[name]) for name in before},
        height=status.height,
        engine=f"{status.sandbox.engine} {status.sandbox.version}",
        seconds={**measures["seconds"], **_times(story)},
    )


def _times(story: JobStory) -> dict[str, float]:
    job, events = story.summary, story.events
    return {
        "first_bid": _until(events, "bid", job.posted),
        "settlement": _until(events, "settled", job.expiry),
    }


def _until(events: Sequence[Event], code: str, since: int) -> float:
    first = next((event.time for event in events if event.code == code), since)
    return (first - since) / 1000
