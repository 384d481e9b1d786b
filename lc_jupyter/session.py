"""A node as a data scientist sees it: post jobs, look at them, take their models."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Unpack

from lc_jupyter.display import paragraph
from lc_jupyter.functions import Function, JobFunctions, validate_format
from lc_jupyter.jobs import Job, Origin, find_job, get_last_job, note_posted
from lc_jupyter.live import Live
from lc_jupyter.settings import current
from lc_jupyter.stopwatch import Stopwatch
from lc_jupyter.submit import (
    CellOptions,
    PlainChoice,
    Proposal,
    post,
    propose,
    propose_image,
    propose_program,
    snapshot_of,
    validate_terms,
)
from lc_jupyter.terms import Options, Terms, plain_contract, terms_of, with_defaults
from lc_jupyter.units import Written
from lc_node.api.calls import (
    GetAccount,
    GetJobs,
    GetPeers,
    GetPolicy,
    GetStatus,
    GetWallet,
    SetPolicy,
)
from lc_node.api.client import Client
from lc_node.api.paths import expand
from lc_node.api.schema import Account, Address, Peer, Policy, Status, Wallet
from lc_node.api.schema_jobs import JobSummary

_PATIENCE_SECONDS: Final = 0.5
_DRY_RUN: Final = "Dry run: nothing was posted."
_SAFE_FORMAT: Final = "raw"
"""Stands for a format that is not known yet; the price does not depend on it."""


class LearningChain:
    """A connection to the own node; it finds the node again after a restart."""

    def __init__(self, client: Client) -> None:
        """Speak through ``client``."""
        self._client = client

    def submit(
        self,
        train: Function,
        evaluate: Function,
        *,
        bounty: Written,
        expires: str,
        save: Function | None = None,
        load: Function | None = None,
        **options: Unpack[CellOptions],
    ) -> Job:
        """Package two functions with all they need, check them here, and post them as a job.

        Args:
            train: called with a trial; returns a model.
            evaluate: called with a model; returns its loss, or the losses of groups.
            bounty: credits for the best model.
            expires: how long bidding lasts, such as ``10m``.
            save: called with a model and a path, where no model format fits.
            load: called with the path; returns the model.
            options: ``predict``, called with a model and data by ``Job.predict`` (without it:
                ``model.predict(data)``), and those that ``lc_jupyter.terms.Options`` explains.

        Raises:
            UserError: something has to be changed first; nothing was posted.
            ApiError: the node refused, by name; nothing was posted.
        """
        predict = options.pop("predict", None)
        functions = JobFunctions(
            train=train, evaluate=evaluate, save=save, load=load, predict=predict
        )
        return self.submit_functions(functions, bounty, expires, options)

    def submit_program(
        self,
        program: str | Path,
        data: Sequence[str | Path] = (),
        *,
        bounty: Written,
        expires: str,
        negate: bool = False,
        **options: Unpack[Options],
    ) -> Job:
        """Package a program in Python as it lies here, check it, and post it under contract stdout/1.

        It trains, prints its loss as the last line and writes /tmp/model; where the variable VALIDATION is
        set, it evaluates /tmp/model (docs/CONTRACT.md). Its result will be labelled ``unverified``.

        Args:
            program: its file, which is run with this interpreter.
            data: files that lie beside it when it runs.
            bounty: credits for the best model.
            expires: how long bidding lasts, such as ``10m``.
            negate: what it prints is a score, more is better.
            options: as ``lc_jupyter.terms.Options`` explains them; the model format is ``raw`` if none is named.

        Raises:
            UserError: something has to be changed first; nothing was posted.
            ApiError: the node refused, by name; nothing was posted.
        """
        choice = PlainChoice(
            what=str(program),
            contract=plain_contract(negate=negate),
            model_format=options.get("model_format") or _SAFE_FORMAT,
            data=data,
            with_distributions=options.get("with_distributions", ()),
        )
        return self._post_plain(propose_program, choice, bounty, expires, options)

    def submit_image(
        self,
        image: str,
        *,
        bounty: Written,
        expires: str,
        contract: str = "lc/1",
        negate: bool = False,
        **options: Unpack[Options],
    ) -> Job:
        """Check an image that the own node has, and post it as a job.

        Args:
            image: its name or digest, as ``lc-node image list`` shows it.
            bounty: credits for the best model.
            expires: how long bidding lasts, such as ``10m``.
            contract: ``lc/1``, or ``stdout/1`` for an image that knows nothing of us (docs/CONTRACT.md).
            negate: with ``stdout/1``: what it prints is a score, more is better.
            options: as ``lc_jupyter.terms.Options`` explains them; the model format is ``raw`` if none is named.

        Raises:
            UserError: something has to be changed first; nothing was posted.
            ApiError: the node refused, by name; nothing was posted.
        """
        choice = image_choice(image, contract, negate=negate, options=options)
        return self._post_plain(propose_image, choice, bounty, expires, options)

    def submit_functions(
        self, functions: JobFunctions, bounty: Written, expires: str, options: Options
    ) -> Job:
        """Do what ``submit`` does."""
        with Live() as live:
            proposal = self._propose(functions, bounty, expires, options, live)
            watch = Stopwatch()
            submitted = post(self._client, proposal, live)
            watch.lap("posting")
        origin = Origin(load=functions.load, seconds={**proposal.seconds, **watch.seconds})
        job = Job(self._client, submitted.job, origin)
        note_posted(job)
        return job

    def validate(self, bounty: Written, expires: str, options: Options) -> None:
        """Check all that can be known before there is any code to package.

        Raises:
            UserError: an option is unknown or cannot be read, or the balance does not suffice.
            ApiError: a rule of the chain refuses the terms, by name.
        """
        complete = with_defaults(options)
        terms = terms_of(bounty, expires, complete)
        if complete["model_format"]:
            validate_format(complete["model_format"])
        validate_terms(self._client, terms, complete["model_format"] or _SAFE_FORMAT)

    def rehearse(
        self, functions: JobFunctions, bounty: Written, expires: str, options: Options
    ) -> None:
        """Do all that ``submit`` does but the posting.

        Raises:
            UserError: something has to be changed before this could be posted.
            ApiError: the node refused, by name.
        """
        with Live() as live:
            self._propose(functions, bounty, expires, options, live)
            live.keep(paragraph(_DRY_RUN))

    def rehearse_image(
        self, choice: PlainChoice, bounty: Written, expires: str, options: Options
    ) -> None:
        """Do all that ``submit_image`` does but the posting.

        Raises:
            UserError: something has to be changed before this could be posted.
            ApiError: the node refused, by name.
        """
        self.validate(bounty, expires, options)
        with Live() as live:
            terms = terms_of(bounty, expires, with_defaults(options))
            propose_image(self._client, choice, terms, live)
            live.keep(paragraph(_DRY_RUN))

    def jobs(self, *, mine: bool = False) -> tuple[JobSummary, ...]:
        """Return the jobs of the graph, or only those of this node, newest first."""
        return self._client.call(GetJobs(mine=mine))

    def find_jobs(self, prefix: str) -> tuple[JobSummary, ...]:
        """Return the jobs whose id begins so, if the node tells them at once: somebody is typing.

        Raises:
            ApiError: the node is gone, or busy.
        """
        return self._client.call(GetJobs(prefix=prefix), timeout_seconds=_PATIENCE_SECONDS)

    def job(self, prefix: str | None = None) -> Job:
        """Return the job whose id begins so; the last one posted here where none is named.

        Raises:
            UserError: there is none, or more than one.
        """
        return (
            get_last_job(self._client) if prefix is None else find_job(self._client, str(prefix))
        )

    def status(self) -> Status:
        """Return the node at a glance."""
        return self._client.call(GetStatus())

    def wallet(self, changes_max: int = 20) -> Wallet:
        """Return the own credits and their latest changes, newest first."""
        return self._client.call(GetWallet(changes_max=changes_max))

    def account(self, address: str) -> Account:
        """Return anybody's account."""
        return self._client.call(GetAccount(address=Address(address)))

    def peers(self) -> tuple[Peer, ...]:
        """Return the connected nodes."""
        return self._client.call(GetPeers())

    def policy(self) -> Policy:
        """Return which jobs the own node takes."""
        return self._client.call(GetPolicy())

    def set_policy(self, policy: Policy) -> Policy:
        """Let the own node take these jobs from now on.

        Raises:
            ApiError: the machine has less than is offered, or a term cannot be meant.
        """
        return self._client.call(SetPolicy(policy=policy))

    def close(self) -> None:
        """Close the connection; jobs that came from it can no longer be asked."""
        self._client.close()

    def _post_plain(
        self,
        propose_it: Callable[[Client, PlainChoice, Terms, Live], Proposal],
        choice: PlainChoice,
        bounty: Written,
        expires: str,
        options: Options,
    ) -> Job:
        self.validate(bounty, expires, options)
        terms = terms_of(bounty, expires, with_defaults(options))
        with Live() as live:
            proposal = propose_it(self._client, choice, terms, live)
            submitted = post(self._client, proposal, live)
        job = Job(self._client, submitted.job, Origin(load=None, seconds=proposal.seconds))
        note_posted(job)
        return job

    def _propose(
        self,
        functions: JobFunctions,
        bounty: Written,
        expires: str,
        options: Options,
        live: Live,
    ) -> Proposal:
        self.validate(bounty, expires, options)
        complete = with_defaults(options)
        terms = terms_of(bounty, expires, complete)
        return propose(self._client, snapshot_of(functions, complete), terms, live)


def connect(where: str | Path | None = None) -> LearningChain:
    """Connect to a node of this machine: by its home, as ``c.LearningChain.node`` or ``$LC_NODE`` says, or at the default home.

    Raises:
        NodeUnreachable: none runs there; the message says how to start one.
        UnusablePath: it would be the home of a user who is not there.
    """
    settings = current()
    place = where or settings.node or None
    client = Client(
        None if place is None else expand(place),
        silence_seconds=settings.silence_seconds,
    )
    return LearningChain(client)


def image_choice(image: str, contract: str, *, negate: bool, options: Options) -> PlainChoice:
    """Return an image that is to be run as it is.

    Raises:
        UserError: there is no such contract, or nothing to negate.
    """
    return PlainChoice(
        what=image,
        contract=plain_contract(contract, negate=negate),
        model_format=options.get("model_format") or _SAFE_FORMAT,
    )
