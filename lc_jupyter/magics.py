"""The magics: one thin method each; a mistake of the user is one message without a traceback."""

import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter.arguments import (
    at_most,
    get_bounty_and_expires,
    get_home,
    get_job_and_last,
    parse_line,
    validate_name,
)
from lc_jupyter.cells import functions_from_cell
from lc_jupyter.completion import Completer
from lc_jupyter.display import paragraph
from lc_jupyter.errors import StoppedWaiting, UserError
from lc_jupyter.jobs import Job
from lc_jupyter.live import tell
from lc_jupyter.overviews import (
    show_account,
    show_jobs,
    show_peers,
    show_status,
    show_wallet,
)
from lc_jupyter.policies import change_policy, show_policy
from lc_jupyter.session import LearningChain, connect
from lc_jupyter.terms import DEFAULTS, Options
from lc_jupyter.units import short_job, show_bytes
from lc_node.api.client import ApiError
from lc_node.api.schema import Receipt

if TYPE_CHECKING:
    from lc_jupyter.light import ProvenChain

_JOB: Final = argument(
    "job", nargs="?", help="job id, or its first digits; the last job posted here if left out"
)
_NOT_OPTIONS: Final = ("bounty", "expires", "dry_run")


def _in_one_line(magic: Callable[..., None]) -> Callable[..., None]:
    """Let what the user or the node is to blame for end a magic as one line."""

    @wraps(magic)
    def told(self: "LearningChainMagics", *texts: str) -> None:
        try:
            magic(self, *texts)
        except (UserError, ApiError, StoppedWaiting) as error:
            raise UsageError(str(error)) from None

    return told


@magics_class
class LearningChainMagics(Magics):
    """What a notebook says to the own node."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Serve a shell; the node is looked for when it is needed."""
        super().__init__(shell)
        self._connected: LearningChain | None = None
        self._proven: ProvenChain | None = None
        self.complete: Final = Completer(
            lambda name: getattr(self, name, None),
            lambda prefix: self.chain.find_jobs(prefix),  # noqa: PLW0108  # connects only when asked
        ).matcher()

    @magic_arguments()
    @argument(
        "where",
        nargs="*",
        help="the home of a node of this machine; with --light nodes as tcp://KEY@HOST:PORT, or join lines",
    )
    @argument("--light", action="store_true", help="prove facts without a node of your own")
    @argument("--genesis", help="with --light: the graph's genesis file, to begin with")
    @argument("--checkpoint", help="with --light: a checkpoint of somebody whom you trust")
    @argument(
        "--trust-old",
        action="store_true",
        help="with --light: trust what is older than bonds last",
    )
    @line_magic
    @_in_one_line
    def lc_connect(self, line: str) -> None:
        """Connect to a node of this machine, or, with ``--light``, prove facts by asking other nodes."""
        options = parse_line(self.lc_connect, line)
        if not options.light:
            chain = connect(get_home(options.where))
            self.close()
            self._connected = chain
            tell(show_status(chain.status()))
            return
        from lc_jupyter.light import connect_light  # noqa: PLC0415 (the import stays light)

        proven = connect_light(
            options.where,
            genesis=options.genesis,
            checkpoint=options.checkpoint,
            trust_old=options.trust_old,
        )
        shown = proven.status()
        self.close()
        self._proven = proven
        tell(shown)

    @magic_arguments()
    @line_magic
    @_in_one_line
    def lc_status(self, line: str) -> None:
        """Show the node at a glance."""
        parse_line(self.lc_status, line)
        tell(self._proven.status() if self._proven else show_status(self.chain.status()))

    @magic_arguments()
    @argument("address", nargs="?", help="an account; the own one if left out")
    @line_magic
    @_in_one_line
    def lc_wallet(self, line: str) -> None:
        """Show the own credits, and what they were earned and spent for; or another account's."""
        address = parse_line(self.lc_wallet, line).address
        if self._proven:
            tell(self._proven.wallet(address))
        elif address:
            tell(show_account(self.chain.account(address)))
        else:
            tell(show_wallet(self.chain.wallet()))

    @magic_arguments()
    @line_magic
    @_in_one_line
    def lc_peers(self, line: str) -> None:
        """List the connected nodes."""
        parse_line(self.lc_peers, line)
        tell(show_peers(self.chain.peers(), self.chain.status().clock))

    @magic_arguments()
    @argument("--mine", action="store_true", help="only jobs of this node, finished ones as well")
    @argument("--all", action="store_true", help="finished jobs as well")
    @line_magic
    @_in_one_line
    def lc_jobs(self, line: str) -> None:
        """List the jobs of the graph, newest first."""
        options = parse_line(self.lc_jobs, line)
        jobs = self.chain.jobs(mine=options.mine)
        shown = [job for job in jobs if options.all or options.mine or not job.phase.is_over]
        tell(show_jobs(shown, self.chain.status().clock))

    @magic_arguments()
    @_JOB
    @line_magic
    @_in_one_line
    def lc_job(self, line: str) -> None:
        """Show one job's story as it stands."""
        if self._proven:
            tell(self._proven.job(parse_line(self.lc_job, line).job))
            return
        job = self._job(parse_line(self.lc_job, line).job)
        job.story()  # an unknown job is said in one line, before anything is shown
        tell(job)

    @magic_arguments()
    @argument("--bounty", help="credits for the best model, e.g. 20")
    @argument("--expires", help="how long bidding lasts, e.g. 10m")
    @argument("--name", default=DEFAULTS["name"], help="what others see the job as")
    @argument("--trial-time", default=DEFAULTS["trial_time"], help="the longest trial, e.g. 10m")
    @argument(
        "--evaluate-time",
        default=DEFAULTS["evaluate_time"],
        help="the longest evaluation; five times what the check measured if left out",
    )
    @argument("--memory", default=DEFAULTS["memory"], help="memory of a run, e.g. 2G")
    @argument("--cpus", default=DEFAULTS["cpus"], help="processors of a run, e.g. 1")
    @argument("--disk", default=DEFAULTS["disk"], help="scratch space of a run, e.g. 1G")
    @argument("--model-bytes", default=DEFAULTS["model_bytes"], help="the largest model")
    @argument(
        "--tolerance",
        default=DEFAULTS["tolerance"],
        help="how far a re-evaluated loss may lie off, e.g. 100ppm",
    )
    @argument(
        "--format",
        dest="model_format",
        default=DEFAULTS["model_format"],
        help="skops, npz, safetensors, onnx, raw or pickle; guessed if left out",
    )
    @argument("--include", action="append", default=[], help="a file or folder the job reads")
    @argument("--exclude", action="append", default=[], help="a pattern left out of --include")
    @argument(
        "--with",
        dest="with_distributions",
        action="append",
        default=[],
        help="a distribution to add",
    )
    @argument(
        "--all",
        dest="all_distributions",
        action="store_true",
        help="take every installed distribution",
    )
    @argument(
        "--allow-secret",
        dest="allow_secrets",
        action="append",
        default=[],
        help="a name that may go although it looks secret",
    )
    @argument(
        "--check-time",
        default=DEFAULTS["check_time"],
        help="how long to wait for the first model in the check",
    )
    @argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="post without running the job here once",
    )
    @argument("--dry-run", action="store_true", help="do all but the posting")
    @cell_magic
    @_in_one_line
    def lc_submit(self, line: str, cell: str) -> None:
        """Run the cell, package what its ``train`` and ``evaluate`` need, and post it as a job.

        The cell defines train(trial), which returns a model, and evaluate(model), which returns its
        loss. It may define save(model, path) and load(path) where no model format fits.
        """
        values = vars(parse_line(self.lc_submit, line))
        bounty, expires = get_bounty_and_expires(values)
        options = cast(
            "Options", {name: v for name, v in values.items() if name not in _NOT_OPTIONS}
        )
        chain = self.chain
        chain.validate(bounty, expires, options)  # a slip is told before the cell runs
        try:
            functions = functions_from_cell(self._shell, cell)
            do = chain.rehearse if values["dry_run"] else chain.submit_functions
            do(functions, bounty, expires, options)
        except KeyboardInterrupt:
            message = "Interrupted; nothing was posted."
            raise UserError(message) from None

    @magic_arguments()
    @_JOB
    @line_magic
    @_in_one_line
    def lc_wait(self, line: str) -> None:
        """Wait until a job is over, and draw its story; interrupting stops the waiting, not the job."""
        self._job(parse_line(self.lc_wait, line).job).wait()

    @magic_arguments()
    @_JOB
    @line_magic
    @_in_one_line
    def lc_watch(self, line: str) -> None:
        """Show a job below this cell as it goes on, with buttons; the kernel stays free for other cells."""
        self._job(parse_line(self.lc_watch, line).job).watch()

    @magic_arguments()
    @argument("--work", choices=("on", "off"), help="whether to take jobs at all")
    @argument("--bounty-min", help="credits that a job must offer, e.g. 5")
    @argument("--time-left-min", help="jobs that end sooner are not taken, e.g. 1m")
    @argument("--trial-time-max", help="the longest trial, e.g. 30m")
    @argument("--image-bytes-max", help="the largest image, e.g. 5G")
    @argument("--jobs-at-once", help="how many jobs are trained at once, e.g. 2")
    @argument("--cpus", help="processors for all trainings together, e.g. 1.5")
    @argument("--memory", help="memory for all trainings together, e.g. 4G")
    @argument("--disk", help="disk for all trainings together, e.g. 20G")
    @argument("--gpus", help="GPUs for all trainings together, e.g. 1")
    @line_magic
    @_in_one_line
    def lc_policy(self, line: str) -> None:
        """Show which jobs the own node takes, or change what is named."""
        wished = vars(parse_line(self.lc_policy, line))
        policy = change_policy(self.chain.policy(), wished)
        named = any(value is not None for value in wished.values())
        tell(show_policy(self.chain.set_policy(policy) if named else policy))

    @magic_arguments()
    @argument(
        "words",
        nargs="*",
        metavar="[job] name",
        help="the variable that the model is put into; before it the job's id, if it is not the "
        "last one posted here",
    )
    @argument("--to", default=None, help="save the model's file here instead of loading it")
    @argument(
        "--trust",
        action="store_true",
        help="load a pickle: it runs whatever its author put into it",
    )
    @line_magic
    @_in_one_line
    def lc_pull(self, line: str) -> None:
        """Fetch the winner's model of a job, check its digest, and load it into a variable."""
        options = parse_line(self.lc_pull, line)
        if options.to is not None:
            [prefix] = at_most(options.words, 1, "%lc_pull [job] --to model.bin")
            tell(paragraph(_saved(self._job(prefix), Path(options.to).expanduser()), "good"))
            return
        prefix, name = get_job_and_last(options.words, "%lc_pull model")
        validate_name(name)
        job = self._job(prefix)
        model = self._shell.user_ns[name] = job.result(trust=options.trust)
        text = f"{name} is the model that won job {short_job(job.id)}: a {type(model).__name__}."
        tell(paragraph(text, "good"))

    @magic_arguments()
    @argument("words", nargs="*", metavar="[job] amount", help="credits to add, e.g. 5")
    @line_magic
    @_in_one_line
    def lc_top_up(self, line: str) -> None:
        """Raise the bounty of an own job."""
        words = parse_line(self.lc_top_up, line).words
        prefix, amount = get_job_and_last(words, "%lc_top_up 5")
        job = self._job(prefix)
        _show_receipt(f"Added {amount} credits to the bounty of", job, job.top_up(amount))

    @magic_arguments()
    @argument("words", nargs="*", metavar="[job] time", help="how long from now, e.g. 10m")
    @line_magic
    @_in_one_line
    def lc_extend(self, line: str) -> None:
        """Move the end of bidding of an own job that has no bids."""
        words = parse_line(self.lc_extend, line).words
        prefix, expires = get_job_and_last(words, "%lc_extend 10m")
        job = self._job(prefix)
        _show_receipt(f"Bidding ends {expires} from now for", job, job.extend(expires))

    @magic_arguments()
    @_JOB
    @line_magic
    @_in_one_line
    def lc_cancel(self, line: str) -> None:
        """Take back an own job that has no bids."""
        job = self._job(parse_line(self.lc_cancel, line).job)
        _show_receipt("Cancelled", job, job.cancel())

    def close(self) -> None:
        """Close the connection; the next command makes another."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None
        self._proven = None

    @property
    def chain(self) -> LearningChain:
        """The connection to the own node, made at its first use.

        Raises:
            UserError: this notebook proves facts without one.
        """
        if self._proven is not None:
            message = (
                "This needs a node, and the notebook is connected without one (--light): start one with "
                "`lc-node run` and say %lc_connect."
            )
            raise UserError(message)
        if self._connected is None:
            self._connected = connect()
        return self._connected

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None, "magics are made with a shell"
        return self.shell

    def _job(self, prefix: str | None) -> Job:
        return self.chain.job(prefix)


def _saved(job: Job, path: Path) -> str:
    fetched = job.fetch()
    try:
        shutil.copyfile(fetched.path, path)
    except OSError as error:
        message = (
            f"--to {path} cannot be written: {error.strerror}; name a file in a folder of yours."
        )
        raise UserError(message) from error
    return f"Saved {show_bytes(fetched.size)} ({fetched.model_format.value}) to {path}."


def _show_receipt(what: str, job: Job, receipt: Receipt) -> None:
    tell(paragraph(f"{what} job {short_job(job.id)}, at height {receipt.height}.", "good"))
