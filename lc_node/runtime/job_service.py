"""Does what the chain expects of this node, and what its policy wants: jobs, from look to verdict."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from lc_node.chain.commitments import (
    Announcement,
    SeatName,
    compute_bid_commitment,
    compute_verdict_commitment,
)
from lc_node.chain.errors import LearningChainError
from lc_node.chain.job import Job, Verdict
from lc_node.chain.state import State
from lc_node.chain.transactions import Bid, Body, Open, VerdictCommit, VerdictReveal
from lc_node.chain.types import ChainId, Digest, JobId, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.images import ImageRefused
from lc_node.ports.work import WorkStore
from lc_node.runtime.desk import Desk
from lc_node.runtime.salts import Salts
from lc_node.runtime.training import Hearers, TrainingRun
from lc_node.runtime.workshop import Workshop
from lc_node.worker.duties import (
    Action,
    AnnounceBid,
    CommitVerdict,
    Evaluate,
    FetchImage,
    FetchModel,
    Mine,
    OpenBid,
    Opening,
    RevealVerdict,
    Solution,
    StopTraining,
    Train,
    get_bar,
    next_actions,
)
from lc_node.worker.exchange import Leader
from lc_node.worker.policy import JobPolicy, reason_to_decline

_log = logging.getLogger(__name__)

LOOK_MS: Final = 500
"""Besides every block, time itself may make something due: so the service looks this often."""

RETRY_SECONDS: Final = 1.0
"""An action that failed is tried again after this long, while the chain still expects it."""

Decide = Callable[[Job, PublicKey, Mine, Millis], tuple[Action, ...]]
"""The rules of conduct; an adversary of the demo has others."""


class ChainView(Protocol):
    """What the service sees of the chain."""

    @property
    def state(self) -> State:
        """The last finalised state."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What the service works with."""

    me: PublicKey
    chain_id: ChainId
    chain: ChainView
    send: Callable[[Body], Awaitable[None]]
    """Returns when the transaction is final; raises InvalidTransaction when it cannot become so."""
    workshop: Workshop
    work: WorkStore
    salts: Salts
    clock: Clock
    bids_max: int
    """Places in a job's ranking."""
    decide: Decide = next_actions


class JobService:
    """Keeps a desk for each job of the chain and begins what the rules of duty ask for."""

    def __init__(self, office: Office, policy: JobPolicy | None) -> None:
        """Serve under a policy; None: take no jobs, but still evaluate when drawn."""
        self.policy = policy
        self._office = office
        self._desks: dict[JobId, Desk] = {}
        self._wake = asyncio.Event()

    @property
    def desks(self) -> Mapping[JobId, Desk]:
        """What is being done for which job."""
        return self._desks

    def wake(self) -> None:
        """Look again: a block was finalised, or something was finished."""
        self._wake.set()

    def stop(self, job: JobId) -> None:
        """End what runs for a job, and take it no more."""
        desk = self._desks.get(job)
        if desk is not None:
            desk.wanted, desk.why_not = False, "stopped by the owner"
            self._office.work.put_choice(job, wanted=False, why=desk.why_not)
            desk.stop.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._look(group)
                self._wake.clear()
                try:
                    async with asyncio.timeout(LOOK_MS / 1000):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def _look(self, group: asyncio.TaskGroup) -> None:
        office, now = self._office, self._office.clock.now()
        jobs = {job.id: job for job in office.chain.state.jobs()}
        for job in jobs.values():
            desk = self._desks.get(job.id) or self._open_desk(job)
            if not job.phase.is_over:
                self._choose(desk, job, now)
            elif not desk.under_way:
                office.workshop.clear(job.id)
            for action in office.decide(job, office.me, desk.mine(), now):
                desk.under_way.add(action)
                group.create_task(self._carry_out(desk, job, action))
        for gone in [job_id for job_id in self._desks if job_id not in jobs]:
            if not self._desks[gone].under_way:
                office.work.forget(gone)
                del self._desks[gone]

    def _open_desk(self, job: Job) -> Desk:
        work = self._office.work
        desk = Desk(job=job.id, since=self._office.clock.now())
        choice = work.choice(job.id)
        if choice is not None:
            desk.wanted, desk.why_not = choice
        for solution in work.solutions(job.id):
            desk.solutions.append(solution)
            self._note_opening(desk, solution)
        desk.verdicts.update(work.verdicts(job.id))
        self._desks[job.id] = desk
        return desk

    def _choose(self, desk: Desk, job: Job, now: Millis) -> None:
        if desk.wanted or self.policy is None:
            return
        running = sum(1 for other in self._desks.values() if _is_training(other))
        reason = reason_to_decline(self.policy, job, me=self._office.me, now=now, running=running)
        if reason is None and self._office.work.choice(job.id) is None:
            desk.wanted, desk.why_not = True, ""
            self._office.work.put_choice(job.id, wanted=True, why="")
        elif reason is not None:
            desk.why_not = str(reason)

    async def _carry_out(self, desk: Desk, job: Job, action: Action) -> None:
        try:
            await self._do(desk, job, action)
        except (LearningChainError, OSError) as error:
            _log.warning("job %s: %s failed: %s", job.id.hex()[:8], type(action).__name__, error)
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            desk.under_way.discard(action)
            self._wake.set()

    async def _do(self, desk: Desk, job: Job, action: Action) -> None:
        match action:
            case FetchImage():
                await self._fetch_image(desk, action)
            case Train():
                await self._train(desk, job)
            case StopTraining():
                desk.stop.set()
            case FetchModel():
                await self._office.workshop.model(action.model_root, action.model_bytes)
                desk.models.add(action.model_root)
            case Evaluate():
                await self._evaluate(desk, job, action)
            case AnnounceBid() | OpenBid() | CommitVerdict() | RevealVerdict():
                await self._office.send(self._body(desk, job, action))

    async def _fetch_image(self, desk: Desk, action: FetchImage) -> None:
        def progress(here: int, whole: int) -> None:
            desk.step = f"pulling {100 * here // max(1, whole)} %"

        try:
            desk.image = await self._office.workshop.image(
                action.manifest, action.total_bytes, progress
            )
        except ImageRefused as error:
            desk.image_refused = str(error)
            _log.warning("job %s: image refused: %s", desk.job.hex()[:8], error)
        desk.step = ""

    async def _train(self, desk: Desk, job: Job) -> None:
        assert desk.image is not None, "duties train only with an image"
        hearers = Hearers(
            on_taken=lambda: self._on_taken(desk),
            on_solution=lambda solution: self._on_solution(desk, solution),
            on_fault=lambda evaluation: _log.warning(
                "job %s: its evaluation gave no losses: %s", job.id.hex()[:8], evaluation.text
            ),
        )
        run = TrainingRun(self._office.workshop, job, desk.image, hearers)
        desk.step, desk.since = "training", self._office.clock.now()
        training = await run.run(desk.stop, lambda: self._leader(job.id))
        desk.trained, desk.step = True, ""
        if training.text:
            _log.info("job %s: training ended: %s", job.id.hex()[:8], training.text)

    def _on_taken(self, desk: Desk) -> None:
        desk.models_taken += 1
        desk.step = f"training, {desk.models_taken} models"

    def _on_solution(self, desk: Desk, solution: Solution) -> None:
        self._office.work.put_solution(desk.job, solution)
        desk.solutions.append(solution)
        self._note_opening(desk, solution)
        self._wake.set()

    def _leader(self, job_id: JobId) -> Leader:
        job = self._office.chain.state.job(job_id)
        if job is None or not job.bids:
            return Leader(best=None, bar=None)
        bar = get_bar(job, self._office.me, self._office.bids_max)
        return Leader(best=job.bids[0].loss, bar=bar)

    async def _evaluate(self, desk: Desk, job: Job, action: Evaluate) -> None:
        assert desk.image is not None, "duties evaluate only with an image"
        size = next(o[1] for b in job.bids for o in b.opening if o[0] == action.model_root)
        path = await self._office.workshop.model(action.model_root, size)
        desk.step = "evaluating"
        found = await self._office.workshop.evaluate(job, desk.image, path)
        verdict = Verdict(losses=found.losses, fault=found.fault)
        self._note_verdict(desk, action.candidate, verdict)
        desk.step = ""

    def _body(
        self, desk: Desk, job: Job, action: AnnounceBid | OpenBid | CommitVerdict | RevealVerdict
    ) -> Body:
        office = self._office
        match action:
            case AnnounceBid(solution=solution):
                return Bid(
                    job=job.id,
                    loss=solution.loss,
                    commitment=self._note_opening(desk, solution),
                )
            case OpenBid(opening=opening):
                return Open(
                    job=job.id,
                    model_root=opening.solution.model_root,
                    model_bytes=opening.solution.model_bytes,
                    salt=opening.salt,
                )
            case CommitVerdict(candidate=candidate, size=size, verdict=verdict):
                verdict = self._note_verdict(desk, candidate, verdict)
                salt = office.salts.of_verdict(job.id, candidate)
                seat = SeatName(job=job.id, candidate=candidate, size=size, member=office.me)
                commitment = compute_verdict_commitment(office.chain_id, seat, verdict, salt)
                return VerdictCommit(job=job.id, candidate=candidate, commitment=commitment)
            case RevealVerdict(candidate=candidate, verdict=verdict):
                return VerdictReveal(
                    job=job.id,
                    candidate=candidate,
                    losses=verdict.losses,
                    fault=verdict.fault,
                    salt=office.salts.of_verdict(job.id, candidate),
                )

    def _note_opening(self, desk: Desk, solution: Solution) -> Digest:
        """Remember what a bid on this solution commits to, and return the commitment."""
        office = self._office
        salt = office.salts.of_bid(desk.job, solution.model_root)
        announcement = Announcement(
            job=desk.job,
            bidder=office.me,
            loss=solution.loss,
            model_root=solution.model_root,
            model_bytes=solution.model_bytes,
        )
        commitment = compute_bid_commitment(office.chain_id, announcement, salt)
        desk.openings[commitment] = Opening(solution=solution, salt=salt)
        return commitment

    def _note_verdict(self, desk: Desk, candidate: PublicKey, verdict: Verdict) -> Verdict:
        """Remember a verdict before it is told; the first one on a candidate stays."""
        self._office.work.put_verdict(desk.job, candidate, verdict)
        return desk.verdicts.setdefault(candidate, verdict)


def _is_training(desk: Desk) -> bool:
    return any(isinstance(action, Train | FetchImage) for action in desk.under_way) and desk.wanted
