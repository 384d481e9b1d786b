"""Does what the chain expects of this node, and what its policy wants: jobs, from look to verdict."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from lc_node.chain.errors import LearningChainError
from lc_node.chain.job import Job, Phase, Verdict
from lc_node.chain.transactions import JobSpec, Resources
from lc_node.chain.types import Digest, JobId, Millis, PublicKey
from lc_node.ports.images import ImageRefused
from lc_node.runtime.desk import Desk
from lc_node.runtime.office import Office, body_of, note_opening, note_verdict
from lc_node.runtime.training import NANO, Hearers, TrainingRun
from lc_node.worker.company import get_company
from lc_node.worker.duties import (
    Action,
    AnnounceBid,
    CommitVerdict,
    Evaluate,
    FetchImage,
    FetchModel,
    Mine,
    OpenBid,
    RevealVerdict,
    Solution,
    StopTraining,
    Train,
    get_bar,
)
from lc_node.worker.exchange import Leader
from lc_node.worker.keeping import get_kept_models
from lc_node.worker.policy import JobPolicy, Reason, reason_to_decline, reason_to_pause
from lc_node.worker.prefetch import get_prefetch_time, may_judge

_log = logging.getLogger(__name__)

LOOK_MS: Final = 500
"""Besides every block, time itself may make something due: so the service looks this often."""

PREFETCHES_MAX: Final = 2
"""Images that are fetched at once only because a committee may draw us."""


class JobService:
    """Keeps a desk for each job of the chain and begins what the rules of duty ask for."""

    def __init__(self, office: Office, policy: JobPolicy | None) -> None:
        """Serve under a policy; None: begin no training, but still evaluate when drawn."""
        self._office = office
        self.policy = policy
        self._desks: dict[JobId, Desk] = {}
        self._prefetching: set[JobId] = set()
        self._wake = asyncio.Event()
        self._pausing: Reason | None = None
        self._most: Resources | None = None

    @property
    def policy(self) -> JobPolicy | None:
        """The owner's terms; None: begin no training."""
        return self._policy

    @policy.setter
    def policy(self, policy: JobPolicy | None) -> None:
        """Serve under other terms from the next look on."""
        self._policy = policy
        if policy is not None:
            self._office.workshop.evaluations.limit = policy.offer.memory_bytes

    @property
    def no_jobs_now(self) -> str:
        """Why no job is taken at the moment, whichever it is; empty if one would be."""
        if self.policy is None:
            return "no: `lc-node policy set --work` changes it"
        is_busy = len(self._running()) >= self.policy.jobs_at_once_max
        return str(self._pausing or (Reason.BUSY if is_busy else ""))

    @property
    def desks(self) -> Mapping[JobId, Desk]:
        """What is being done for which job."""
        return self._desks

    def wake(self) -> None:
        """Look again: a block was finalised, or something was finished."""
        self._wake.set()

    def stop(self, job: JobId) -> None:
        """End what runs for a job, and take it no more."""
        why = "stopped by the owner"
        self._office.work.put_choice(job, wanted=False, why=why)
        desk = self._desks.get(job)
        if desk is not None:
            desk.wanted, desk.is_decided, desk.why_not = False, True, why
            desk.stop.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        self._tidy()
        async with asyncio.TaskGroup() as group:
            while True:
                self._look(group)
                self._wake.clear()
                try:
                    async with asyncio.timeout(LOOK_MS / 1000):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    # Looking.

    def _tidy(self) -> None:
        """Forget what an earlier life of this node kept of jobs that the chain has forgotten since."""
        jobs = {job.id for job in self._office.chain.state.jobs()}
        for job_id in self._office.work.jobs():
            if job_id not in jobs:
                self._office.work.forget(job_id)
        self._office.workshop.tidy(jobs)

    def _look(self, group: asyncio.TaskGroup) -> None:
        now, circumstances = self._office.clock.now(), self._office.surroundings.look()
        self._most = circumstances.most
        self._pausing = (
            None if self.policy is None else reason_to_pause(self.policy, circumstances)
        )
        jobs = {job.id: job for job in self._office.chain.state.jobs()}
        for job in jobs.values():
            desk = self._desks.get(job.id) or self._open_desk(job, now)
            desk.phase = job.phase
            if job.bids and desk.contested_since is None:
                desk.contested_since = now
        for job in jobs.values():
            desk = self._desks[job.id]
            if not desk.is_cleared:
                self._attend(group, desk, job, now)
        for gone in [job_id for job_id in self._desks if job_id not in jobs]:
            self._close_desk(gone)
        self._office.seek(frozenset().union(*map(self._company, jobs.values())))

    def _company(self, job: Job) -> frozenset[PublicKey]:
        fetches = any(isinstance(one, FetchImage) for one in self._desks[job.id].under_way)
        return get_company(job, self._office.me, fetches_image=fetches)

    def _attend(self, group: asyncio.TaskGroup, desk: Desk, job: Job, now: Millis) -> None:
        """Begin what a job asks for now; clear up once it is over."""
        if not job.phase.is_over:
            self._choose(desk, job, now)
        for action in self._office.decide(job, self._office.me, self._mine(desk, job), now):
            desk.under_way.add(action)
            if isinstance(action, StopTraining):
                desk.stop.set()  # under way until the training has ended
                continue
            if isinstance(action, FetchImage) and not _is_needed(desk):
                self._prefetching.add(job.id)
            group.create_task(self._carry_out(desk, job, action))
        if job.phase.is_over and not desk.under_way:
            self._office.workshop.clear(job.id)
            desk.image, desk.step, desk.is_cleared = None, "", True
        self._hold(desk, job)

    def _open_desk(self, job: Job, now: Millis) -> Desk:
        work = self._office.work
        desk = Desk(job=job.id, since=now)
        choice = work.choice(job.id)
        if choice is not None:
            desk.wanted, desk.why_not = choice
            desk.is_decided = True
        for solution in work.solutions(job.id):
            desk.solutions.append(solution)
            note_opening(self._office, desk, solution)
        desk.verdicts.update(work.verdicts(job.id))
        if job.submitter == self._office.me:
            desk.image_blobs = self._office.workshop.blobs_of_image(job.spec.image.manifest)
        self._desks[job.id] = desk
        return desk

    def _close_desk(self, job: JobId) -> None:
        """Forget a job that the chain has forgotten."""
        if not self._desks[job].under_way:
            self._office.workshop.clear(job)
            self._office.workshop.hold(job, frozenset())
            self._office.work.forget(job)
            del self._desks[job]

    def _choose(self, desk: Desk, job: Job, now: Millis) -> None:
        desk.paused = str(self._pausing or "") if desk.wanted else ""
        if desk.is_decided or self.policy is None:
            return
        running, me = self._running(), self._office.me
        reason = reason_to_decline(
            self.policy,
            job,
            me=me,
            now=now,
            running=running,
            in_reach=self._office.workshop.in_reach(job.spec.image),
            most=self._most,
        )
        reason = reason or self._pausing
        desk.why_not = "" if reason is None else str(reason)
        if reason is None:
            desk.wanted = desk.is_decided = True
            self._office.work.put_choice(job.id, wanted=True, why="")
            _log.info("job %s: taken: %s", _short(job.id), job.spec.title, extra=_of(job.id))

    def _running(self) -> list[JobSpec]:
        """Return the jobs that take a place here."""
        job_of = self._office.chain.state.job
        taking = (job_of(desk.job) for desk in self._desks.values() if desk.is_taking_a_place)
        return [job.spec for job in taking if job is not None]

    def _mine(self, desk: Desk, job: Job) -> Mine:
        trains = self.policy is not None and self._pausing is None  # what is under way goes on
        return desk.mine(trains=trains, prefetch_at=self._prefetch_time(desk, job))

    def _prefetch_time(self, desk: Desk, job: Job) -> Millis | None:
        """Return when to fetch the image for a committee that may draw us; None: never, or done."""
        office, since = self._office, desk.contested_since
        if since is None or desk.is_prefetched or job.phase >= Phase.COMMIT:
            return None
        if job.id not in self._prefetching and len(self._prefetching) >= PREFETCHES_MAX:
            return None
        if not may_judge(office.params, office.chain.state.account(office.me), job, office.me):
            return None
        return get_prefetch_time(job, office.me, since)

    def _hold(self, desk: Desk, job: Job) -> None:
        """Keep from eviction what others will ask us for, or what we still need."""
        models = get_kept_models(job, self._office.me, desk.mine())
        image = frozenset[Digest]() if job.phase.is_over else desk.image_blobs
        self._office.workshop.hold(job.id, image | models)

    # Doing.

    async def _carry_out(self, desk: Desk, job: Job, action: Action) -> None:
        """Do something; whatever fails is tried again after a pause, while the chain expects it."""
        try:
            await self._do(desk, job, action)
            desk.complaints.pop(type(action).__name__, None)
        except (LearningChainError, OSError) as error:
            self._complain(desk, action, str(error))
            await asyncio.sleep(self._office.retry_seconds)
        except Exception as error:  # noqa: BLE001  # one job's surprise is logged, and must not end the node
            if self._complain(desk, action, repr(error)):
                _log.exception("job %s: a mistake of this node", _short(job.id), extra=_of(job.id))
            await asyncio.sleep(self._office.retry_seconds)
        finally:
            desk.under_way.discard(action)
            if isinstance(action, Train):
                desk.under_way.discard(StopTraining())
            self._wake.set()

    def _complain(self, desk: Desk, action: Action, why: str) -> bool:
        """Warn of a failure, but of the same one once; return whether it is a new one."""
        kind = type(action).__name__
        is_new = desk.complaints.get(kind) != why
        desk.complaints[kind] = why
        if is_new:
            extra = {**_of(desk.job), "duty": kind}
            _log.warning("job %s: %s failed: %s", _short(desk.job), kind, why, extra=extra)
        return is_new

    async def _do(self, desk: Desk, job: Job, action: Action) -> None:
        match action:
            case FetchImage():
                await self._fetch_image(desk, job, action)
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
                height = await self._office.send(body_of(self._office, desk, job, action))
                what, extra = _WORDS[type(action)], {**_of(job.id), "height": height}
                _log.info(
                    "job %s: %s final at height %d", _short(job.id), what, height, extra=extra
                )

    async def _fetch_image(self, desk: Desk, job: Job, action: FetchImage) -> None:
        def progress(here: int, whole: int) -> None:
            desk.step = f"pulling {100 * here // max(1, whole)} %"

        office, start = self._office, self._office.clock.now()
        desk.since = start
        try:
            image = await office.workshop.image(job.spec.image, progress)
        except ImageRefused as error:
            desk.image_refused = str(error)
            _log.warning("job %s: image refused: %s", _short(desk.job), error, extra=_of(desk.job))
            return
        finally:
            desk.step = ""
            self._prefetching.discard(job.id)
        seconds = (office.clock.now() - start) / 1000
        _log.info("job %s: image ready in %.1f s", _short(desk.job), seconds, extra=_of(desk.job))
        if _is_needed(desk):
            desk.image, desk.image_blobs = image, office.workshop.blobs_of_image(action.manifest)
        # Else nobody holds it: it stays unpacked as long as there is room.
        desk.is_prefetched = True

    async def _train(self, desk: Desk, job: Job) -> None:
        assert desk.image is not None, "duties train only with an image"
        hearers = Hearers(
            on_taken=lambda: self._on_taken(desk),
            on_solution=lambda solution: self._on_solution(desk, solution),
            on_fault=lambda evaluation: _log.warning(
                "job %s: its evaluation gave no losses: %s",
                *(_short(job.id), evaluation.text),
                extra=_of(job.id),
            ),
        )
        run = TrainingRun(self._office.workshop, job, desk.image, hearers)
        start = self._office.clock.now()
        desk.step, desk.since = "training", start
        try:
            training = await run.run(
                desk.stop,
                leader=lambda: self._leader(job.id),
                is_paused=lambda: self._pausing is not None,
            )
        finally:
            desk.step = ""
        end = self._office.clock.now()
        # One that its time ended goes on if the job was extended meanwhile.
        desk.trained = end < job.expiry or desk.stop.is_set()
        why = f": {training.text}" if training.text else ""
        _log.info(
            "job %s: training ended after %.1f s with %d models%s",
            *(_short(job.id), (end - start) / 1000, training.models, why),
            extra={**_of(job.id), "models": training.models},
        )

    def _on_taken(self, desk: Desk) -> None:
        desk.models_taken += 1
        desk.step = f"training, {desk.models_taken} models"

    def _on_solution(self, desk: Desk, solution: Solution) -> None:
        self._office.work.put_solution(desk.job, solution)
        desk.solutions.append(solution)
        note_opening(self._office, desk, solution)
        job = self._office.chain.state.job(desk.job)
        if job is not None:
            self._hold(desk, job)
        self._wake.set()

    def _leader(self, job_id: JobId) -> Leader:
        job = self._office.chain.state.job(job_id)
        if job is None or not job.bids:
            return Leader(best=None, bar=None)
        params = self._office.params
        bar = get_bar(job, self._office.me, params.finalists_max + params.reserves_max)
        return Leader(best=job.bids[0].loss, bar=bar)

    async def _evaluate(self, desk: Desk, job: Job, action: Evaluate) -> None:
        assert desk.image is not None, "duties evaluate only with an image"
        size = next(o[1] for b in job.bids for o in b.opening if o[0] == action.model_root)
        path = await self._office.workshop.model(action.model_root, size)
        desk.step, desk.since = "evaluating", self._office.clock.now()
        try:
            found = await self._office.workshop.evaluate(job, desk.image, path)
        finally:
            desk.step = ""
        said = str(found.fault) if found.loss is None else f"{found.loss / NANO:.6f}"
        seconds = found.outcome.wall / 1000
        _log.info(
            "job %s: candidate evaluated: %s in %.1f s",
            *(_short(job.id), said, seconds),
            extra=_of(job.id),
        )
        verdict = Verdict(losses=found.losses, fault=found.fault)
        note_verdict(self._office, desk, action.candidate, verdict)


def _is_needed(desk: Desk) -> bool:
    """Return whether the image is to be run, rather than perhaps needed later."""
    return desk.wanted or desk.phase is Phase.COMMIT


def _short(job: JobId) -> str:
    return job.hex()[:8]


def _of(job: JobId) -> dict[str, object]:
    """Return the fields of a record about a job."""
    return {"job": job.hex()}


_WORDS: Final = {
    AnnounceBid: "bid",
    OpenBid: "opening",
    CommitVerdict: "hidden verdict",
    RevealVerdict: "verdict",
}
