"""Nodes that die at any moment of a job's life: the job ends as it should, and nothing is lost."""

import os
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from lc_node.api.calls import GetJob, GetStatus
from lc_node.api.client import Client
from lc_node.api.schema import JobId, Phase
from lc_node.api.schema_jobs import JobStory
from lc_node.runtime.devnet import Devnet
from tests.e2e.graphs import (
    EVALUATORS,
    LIAR,
    SUBMITTER,
    TRAINER,
    living,
    patient_client,
    wait_for,
    wait_for_job,
    wait_until_over,
)
from tests.e2e.ledgers import block_ids, credits_created_or_lost, final_state, votes_signed
from tests.e2e.light_job import light_request, post_light_job

pytestmark = pytest.mark.slow

ROLES: Final = (SUBMITTER, TRAINER, *EVALUATORS, LIAR)
EVENTS_LET_PASS_MAX: Final = 3
DOWN_SECONDS_MAX: Final = 3.0
BACK_SECONDS_MAX: Final = 60
"""What a trainer needs to be back and to have tried its sandbox, on a busy machine."""
SEED_VARIABLE: Final = "LC_KILLS_SEED"


def _is_past(phase: Phase) -> Callable[[JobStory], bool]:
    """Tell whether a job has come as far as a phase."""
    order = list(Phase)
    return lambda story: order.index(story.summary.phase) >= order.index(phase)


MOMENTS: Final = (
    ("bidding", _is_past(Phase.OPEN)),
    ("opening", _is_past(Phase.OPENING)),
    ("judging", _is_past(Phase.COMMIT)),
    ("after the end", lambda story: story.summary.phase.is_over),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended, and who was killed when."""

    story: JobStory
    killed: dict[str, str]


class Killer:
    """Kills a node at each moment of a job, and starts it again."""

    def __init__(self, devnet: Devnet, seed: int) -> None:
        self._devnet = devnet
        self._random = random.Random(seed)  # noqa: S311 (repeats a test, guards nothing)
        self._names = [role.name for role in ROLES]

    def run_job(self) -> Ended:
        """Post a job, kill at every moment of it, and return its end as the submitter sees it."""
        first = self._random.choice(self._names)
        request = light_request()
        if first == TRAINER.name:  # it may not have bid yet
            more = request.expiry_seconds + BACK_SECONDS_MAX
            request = light_request(expiry_seconds=more)
        with patient_client(self._devnet, "submitter") as client:
            job = post_light_job(client, request)
        killed = {
            name: self._kill_when(job, is_there, first if number == 0 else None)
            for number, (name, is_there) in enumerate(MOMENTS)
        }
        print(f"killed: {killed}")  # noqa: T201 (pytest shows it if the test fails)
        with patient_client(self._devnet, "submitter") as client:
            return Ended(story=wait_until_over(client, job), killed=killed)

    def _kill_when(
        self, job: JobId, is_there: Callable[[JobStory], bool], victim: str | None
    ) -> str:
        victim = victim or self._random.choice(self._names)
        witness = "evaluator-1" if victim == "submitter" else "submitter"
        with patient_client(self._devnet, witness) as client:
            wait_for_job(client, job, is_there, 240)
            with client.events(job=job) as events:
                for _ in range(self._random.randint(0, EVENTS_LET_PASS_MAX)):
                    events.next(1.0)
                self._devnet.kill(victim)
                events.next(self._random.uniform(0, DOWN_SECONDS_MAX))
            self._devnet.start(victim)
            self._wait_until_back(victim, client, job)
        return victim

    def _wait_until_back(self, victim: str, witness: Client, job: JobId) -> None:
        """Wait until a victim has what it missed; a banned one is hung up on, and never will."""
        self._devnet.wait_ready([victim])
        height = witness.call(GetStatus()).height
        with patient_client(self._devnet, victim) as client:
            wait_for(
                witness,
                lambda: client.call(GetStatus()).height >= height or self._is_banned(witness, job),
                bool,
                60,
            )
        if self._is_banned(witness, job):
            self._names = [name for name in self._names if name != "liar"]

    def _is_banned(self, witness: Client, job: JobId) -> bool:
        """Tell whether the liar is banned, the only one who may ever be."""
        return any(event.code == "banned" for event in witness.call(GetJob(job=job)).events)


def _seed() -> int:
    found = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(10**6))
    print(f"{SEED_VARIABLE}={found}")  # noqa: T201 (whoever repeats a failure needs it)
    return found


def _jobs_among_kills(count: int) -> None:
    """Live through jobs with four kills each, and look at everything that is left."""
    with living(ROLES) as devnet:
        killer = Killer(devnet, _seed())
        for _ in range(count):
            _assert_ended_well(killer.run_job(), devnet)
        devnet.stop()
        _assert_nothing_lost(devnet)


def _assert_ended_well(ended: Ended, devnet: Devnet) -> None:
    """Check that the honest bidder was paid; a bidder that was dead when it had to open was not."""
    summary, trainer = ended.story.summary, devnet.place("trainer").identity.address
    if ended.killed["opening"] == "trainer" and summary.phase is Phase.REFUNDED:
        own = next(bid for bid in ended.story.bids if bid.bidder == trainer)
        assert own.standing == "never opened", ended.story
        return
    assert summary.winner == trainer, ended.story
    paid = [e.amount for e in ended.story.events if e.code == "paid" and e.account == trainer]
    assert summary.bounty in paid


def _assert_nothing_lost(devnet: Devnet) -> None:
    """Check chains, credits and votes as they lie on disk."""
    chains = [block_ids(place) for place in devnet.places]
    shortest = min(len(chain) for chain in chains)
    assert shortest > 1, "every node has seen the chain grow"
    for chain in chains:
        longest = max(chains, key=len)
        assert chain == longest[: len(chain)]
    for place in devnet.places:
        state = final_state(place)
        assert credits_created_or_lost(state) == 0
        assert _banned(devnet, state_of=place.role.name) <= {"liar"}
        signed = votes_signed(place)
        assert len(signed) == len(set(signed))
        assert bool(signed) == place.role.votes


def _banned(devnet: Devnet, *, state_of: str) -> set[str]:
    state = final_state(devnet.place(state_of))
    return {p.role.name for p in devnet.places if state.account(p.identity.key).is_banned}


def test_a_job_survives_a_kill_in_each_of_its_phases() -> None:
    _jobs_among_kills(1)


@pytest.mark.soak
def test_five_jobs_survive_twenty_kills() -> None:
    _jobs_among_kills(5)
