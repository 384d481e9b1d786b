"""Questions of the owner that change nothing: the node, its peers, its credits, the jobs."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lc_node import __version__
from lc_node.adapters.machine_memory import look_at_memory
from lc_node.api import calls, schema, schema_jobs
from lc_node.chain.addresses import decode_address
from lc_node.chain.job import Job
from lc_node.chain.types import Height, Millis, PublicKey
from lc_node.chain.validators import is_validator
from lc_node.ports.clock import Clock
from lc_node.ports.sandbox import Capabilities
from lc_node.ports.stores import BlobStore
from lc_node.runtime.event_texts import address, api_phase, job_name
from lc_node.runtime.health import Facts, Finding, explain, remedy_for
from lc_node.runtime.hints import Origin
from lc_node.runtime.history import History
from lc_node.runtime.job_service import JobService
from lc_node.runtime.job_views import Viewer, activity_of, story_of, summary_of
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.network import Network, PeerInfo
from lc_node.runtime.posting import find_job
from lc_node.runtime.vitals import Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the reading calls look at."""

    me: PublicKey
    ledger: Ledger
    network: Network
    jobs: JobService
    history: History
    blobs: BlobStore
    blobs_bytes_max: int
    clock: Clock
    home: Path
    origin: Callable[[PublicKey], Origin]
    """Where a peer is known from that is not listed."""
    capabilities: Callable[[], Capabilities | None]
    sandbox_problem: Callable[[], str]
    vitals: Vitals


class Reading:
    """The calls of ``api.service.Reading``, but for the policy."""

    def __init__(self, view: View) -> None:
        """Serve the owner."""
        self._at = view

    async def hello(self) -> schema.NodeVersion:
        """Say who answers."""
        return schema.NodeVersion(
            api=schema.API_VERSION,
            software=__version__,
            chain_id=self._chain_id,
            address=address(self._at.me),
        )

    async def status(self) -> schema.Status:
        """Return the node at a glance."""
        ledger, account = self._at.ledger, self._at.ledger.state.account(self._at.me)
        facts = self._at.vitals.facts()
        jobs = list(ledger.state.live_jobs())
        return schema.Status(
            address=address(self._at.me),
            chain_id=self._chain_id,
            software=__version__,
            height=ledger.height,
            block_time=schema.Millis(ledger.tip.time),
            clock=schema.Millis(self._at.clock.now()),
            peers=len(facts.up),
            sync=_sync(facts),
            network_height=max(facts.network_height, ledger.height),
            blocks_from=self._at.history.begins_at,
            no_jobs_now=self._at.jobs.no_jobs_now,
            balance=schema.MicroCredits(account.balance),
            bonded=schema.MicroCredits(account.bond),
            unbonding=schema.MicroCredits(account.slashable - account.bond),
            is_validator=is_validator(ledger.state.validators, self._at.me),
            is_banned=account.is_banned,
            is_working=self._at.jobs.policy is not None,
            sandbox=self._sandbox(),
            activities=self._activities(jobs),
            jobs_open=len(jobs),
            findings=tuple(_shown(finding) for finding in explain(facts)),
        )

    async def peers(self) -> tuple[schema.Peer, ...]:
        """Return the connected nodes, and those that this one tries to reach."""
        ledger = self._at.ledger
        validators = ledger.state.validators
        return tuple(
            schema.Peer(
                address=address(peer.peer),
                endpoint=peer.address,
                height=peer.height or 0,
                is_validator=is_validator(validators, peer.peer),
                is_outbound=peer.is_outbound,
                since=schema.Millis(peer.since),
                latency_ms=None,
                software=_state(peer),
                ahead=0 if peer.height is None else peer.height - ledger.height,
                heard=None if peer.heard is None else schema.Millis(peer.heard),
                remedy="" if peer.is_up or peer.refusal is None else remedy_for(peer.refusal),
                known_from=Origin.LISTED.value
                if peer.is_listed
                else self._at.origin(peer.peer).value,
                score=peer.score,
            )
            for peer in self._at.network.peers()
        )

    async def wallet(self, call: calls.GetWallet) -> schema.Wallet:
        """Return the own credits and their latest changes."""
        state, me = self._at.ledger.state, self._at.me
        account = state.account(me)
        mine = [job for job in state.live_jobs() if job.submitter == me]
        held = sum(job.escrow + job.fee_held for job in mine)  # the bonds in it are the bidders'
        bonds = sum(bid.bond for job in state.live_jobs() for bid in job.bids if bid.bidder == me)
        return schema.Wallet(
            address=address(me),
            balance=schema.MicroCredits(account.balance),
            bonded=schema.MicroCredits(account.bond),
            unbonding=schema.MicroCredits(account.slashable - account.bond),
            escrowed=schema.MicroCredits(held + bonds),
            changes=self._at.history.changes(call.changes_max),
        )

    async def account(self, call: calls.GetAccount) -> schema.Account:
        """Return an account as the chain has it; one that nobody has used yet owns nothing.

        Raises:
            BadAddress: it is mistyped.
        """
        state, key = self._at.ledger.state, decode_address(call.address)
        found = state.account(key)
        return schema.Account(
            address=address(key),
            balance=schema.MicroCredits(found.balance),
            bonded=schema.MicroCredits(found.bond),
            unbonding=schema.MicroCredits(found.slashable - found.bond),
            is_validator=is_validator(state.validators, key),
            is_banned=found.is_banned,
        )

    async def machine(self) -> schema.Machine:
        """Return the load of this machine."""
        memory = look_at_memory()
        return schema.Machine(
            cpus=os.cpu_count() or 1,
            load_permille=int(os.getloadavg()[0] * 1000),
            memory_bytes=memory.total,
            memory_used_bytes=memory.used,
            disk_free_bytes=shutil.disk_usage(self._at.home).free,
            blobs_bytes=self._at.blobs.used,
            blobs_bytes_max=self._at.blobs_bytes_max,
            node_memory_bytes=memory.own,
            activities=self._activities(list(self._at.ledger.state.live_jobs())),
        )

    async def jobs(self, call: calls.GetJobs) -> tuple[schema_jobs.JobSummary, ...]:
        """Return the jobs that match, newest first."""
        viewer, history = self._viewer(()), self._at.history
        found = [
            summary_of(job, viewer, history.posted_at(job.id))
            for job in self._at.ledger.state.jobs()
            if (not call.mine or job.submitter == self._at.me)
            and (not call.phases or api_phase(job.phase) in call.phases)
            and job_name(job.id).startswith(call.prefix)
        ]
        newest = sorted(found, key=lambda one: (-one.posted, one.job))
        return tuple(newest[: call.jobs_max])

    async def job(self, call: calls.GetJob) -> schema_jobs.JobStory:
        """Return one job's story."""
        job = find_job(self._at.ledger, call.job)
        viewer = self._viewer((job,))
        history = self._at.history
        return story_of(job, viewer, history.posted_at(job.id), history.events_of(job.id))

    @property
    def _chain_id(self) -> schema.Digest:
        return schema.Digest(self._at.ledger.root.chain_id.hex())

    def _viewer(self, jobs: tuple[Job, ...]) -> Viewer:
        heights = {bid.height for job in jobs for bid in job.bids}
        times: dict[Height, Millis] = {h: self._at.history.time_of(h) for h in sorted(heights)}
        return Viewer(me=self._at.me, desks=self._at.jobs.desks, times=times)

    def _activities(self, jobs: list[Job]) -> tuple[schema.Activity, ...]:
        viewer = self._viewer(())
        found = (activity_of(job, viewer) for job in jobs)
        return tuple(activity for activity in found if activity is not None)

    def _sandbox(self) -> schema.SandboxState:
        found = self._at.capabilities()
        if found is None:
            return schema.SandboxState(
                engine="", version="", enforced=(), problem=self._at.sandbox_problem()
            )
        return schema.SandboxState(
            engine=found.engine,
            version=found.version,
            enforced=tuple(sorted(str(one) for one in found.enforced)),
            gpus=found.gpus,
            gpu_problem=found.gpu_problem,
        )


def _sync(facts: Facts) -> schema.SyncState:
    if not facts.up:
        return schema.SyncState.ALONE
    if facts.is_behind:
        return schema.SyncState.CATCHING_UP
    return schema.SyncState.HALTED if facts.is_silent else schema.SyncState.FOLLOWING


def _shown(finding: Finding) -> schema.Finding:
    return schema.Finding(
        code=finding.code,
        level=schema.Level[finding.level.name],
        text=finding.text,
        remedy=finding.remedy,
    )


def _state(peer: PeerInfo) -> str:
    """Return why a listed peer is not connected; nothing if it is."""
    if peer.is_up:
        return ""
    return "not reached yet" if peer.refusal is None else peer.refusal.words
