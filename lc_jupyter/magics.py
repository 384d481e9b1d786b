"""The magics: one thin method each; a mistake of the user is one message without a traceback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import DisplayHandle, display

from lc_jupyter.cells import request_from_cell
from lc_jupyter.display import Shown, paragraph
from lc_jupyter.errors import UserError
from lc_jupyter.jobs import Job, Source, find_job
from lc_jupyter.stories import show_jobs, show_status
from lc_jupyter.submit import Terms, submit
from lc_jupyter.units import (
    parse_bytes,
    parse_credits,
    parse_millicpus,
    parse_ppm,
    parse_seconds,
    show_bytes,
)
from lc_node.api.calls import GetJobs, GetStatus
from lc_node.api.client import ApiError, Client

_JOB: Final = argument(
    "job", nargs="?", help="job id, or its first digits; the last job posted here if left out"
)


@magics_class
class LearningChainMagics(Magics):
    """``%lc_status``, ``%%lc_submit``, ``%lc_jobs``, ``%lc_wait``, ``%lc_pull``."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Serve a shell; the node is looked for when it is needed."""
        super().__init__(shell)
        self._connection: Client | None = None
        self._last: Job | None = None
        self._sources: dict[str, Source] = {}

    @magic_arguments()
    @line_magic
    def lc_status(self, line: str) -> None:
        """Show the node at a glance."""
        with self._speaking():
            parse_argstring(self.lc_status, line)
            display(show_status(self._client().call(GetStatus())))

    @magic_arguments()
    @argument("--mine", action="store_true", help="only jobs of this node")
    @argument("--all", action="store_true", help="finished jobs as well")
    @line_magic
    def lc_jobs(self, line: str) -> None:
        """List the jobs of the graph, newest first."""
        with self._speaking():
            options = parse_argstring(self.lc_jobs, line)
            client = self._client()
            jobs = client.call(GetJobs(mine=options.mine))
            shown = [job for job in jobs if options.all or options.mine or not job.phase.is_over]
            display(show_jobs(shown, client.call(GetStatus()).clock))

    @magic_arguments()
    @argument("--bounty", required=True, help="credits for the best model, e.g. 20")
    @argument("--expires", required=True, help="how long bidding lasts, e.g. 10m")
    @argument("--name", default="untitled", help="what others see the job as")
    @argument("--trial-time", default="10m", help="the longest a trial may take")
    @argument("--memory", default="2G", help="memory of a run")
    @argument("--cpus", default="1", help="processors of a run")
    @argument("--disk", default="1G", help="scratch space of a run")
    @argument("--model-bytes", default="100M", help="the largest model")
    @argument("--tolerance", default="100ppm", help="how far a re-evaluated loss may lie off")
    @argument(
        "--format",
        default=None,
        help="skops, npz, safetensors, onnx, raw or pickle; guessed if left out",
    )
    @argument("--include", action="append", default=[], help="a file or folder the job reads")
    @argument("--exclude", action="append", default=[], help="a pattern left out of --include")
    @argument("--with", dest="with_", action="append", default=[], help="a distribution to add")
    @argument("--all", action="store_true", help="take every installed distribution")
    @argument(
        "--allow-secret",
        action="append",
        default=[],
        help="a name that may go although it looks secret",
    )
    @argument(
        "--check-time", default="30s", help="how long to wait for the first model in the check"
    )
    @argument("--no-check", action="store_true", help="post without running the job here once")
    @argument("--dry-run", action="store_true", help="do all but the posting")
    @cell_magic
    def lc_submit(self, line: str, cell: str) -> None:
        """Run the cell, package what its ``train`` and ``evaluate`` need, and post it as a job."""
        with self._speaking():
            options = parse_argstring(self.lc_submit, line)
            terms = _terms(options)
            client = self._client()
            snapshot = request_from_cell(self._shell(), cell, options)
            if snapshot is None:
                return
            posted = submit(client, snapshot, terms, display)
            if posted is not None:
                source = Source(load=snapshot.load, seconds=posted.seconds)
                self._sources[posted.submitted.job] = source
                self._last = Job(client, posted.submitted.job, source)

    @magic_arguments()
    @_JOB
    @line_magic
    def lc_wait(self, line: str) -> None:
        """Wait until a job is over, and draw its story; interrupting stops the waiting, not the job."""
        with self._speaking():
            job = self._job(parse_argstring(self.lc_wait, line).job)
            handle = display(paragraph("waiting ..."), display_id=True)
            try:
                job.wait(_drawing(handle))
            except KeyboardInterrupt:
                display(paragraph("No longer waiting; the job goes on. %lc_wait waits again."))
                raise

    @magic_arguments()
    @argument(
        "name", help="the variable that the model is put into; or a job id, followed by the name"
    )
    @argument("second", nargs="?", help="the variable, where a job id comes first")
    @argument("--to", default=None, help="save the model's file here instead of loading it")
    @argument(
        "--trust",
        action="store_true",
        help="load a pickle: it runs whatever its author put into it",
    )
    @line_magic
    def lc_pull(self, line: str) -> None:
        """Fetch the winner's model of a job, check its digest, and load it into a variable."""
        with self._speaking():
            options = parse_argstring(self.lc_pull, line)
            prefix, name = (
                (options.name, options.second) if options.second else (None, options.name)
            )
            if not name.isidentifier():
                message = f"{name!r} is no variable name; write for example %lc_pull model"
                raise UserError(message)
            job = self._job(prefix)
            if options.to is not None:
                display(paragraph(_saved(job, Path(options.to))))
                return
            self._shell().user_ns[name] = job.result(trust=options.trust)
            display(paragraph(f"{name} is the model that won job {job.id[:16]}.", "good"))

    def posted(self) -> Job:
        """Return the job that was posted last from this notebook.

        Raises:
            UserError: none was posted yet.
        """
        if self._last is None:
            message = "No job was posted from this notebook yet; name one: %lc_jobs lists them."
            raise UserError(message)
        return self._last

    def _client(self) -> Client:
        if self._connection is None:
            self._connection = Client()
        return self._connection

    def _shell(self) -> InteractiveShell:
        assert self.shell is not None, "magics are made with a shell"
        return self.shell

    def _job(self, prefix: str | None) -> Job:
        if prefix is None:
            if self._last is None:
                message = (
                    "No job was posted from this notebook yet; name one: %lc_jobs lists them."
                )
                raise UserError(message)
            return self._last
        job_id = find_job(self._client(), prefix)
        return Job(self._client(), job_id, self._sources.get(job_id))

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Turn what the user or the node is to blame for into one line."""
        try:
            yield
        except (UserError, ApiError) as error:
            if not isinstance(error, UserError):
                self._drop()
            raise UsageError(str(error)) from None

    def _drop(self) -> None:
        """Look for the node anew at the next call."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def register(shell: InteractiveShell) -> None:
    """Add the magics to a shell."""
    magics = LearningChainMagics(shell)
    shell.register_magics(magics)
    _registered[:] = [magics]


def get_last_job() -> Job:
    """Return the job that was posted last from this notebook.

    Raises:
        UserError: none was posted yet.
    """
    for magics in _registered:
        return magics.posted()
    message = "No job was posted here: %load_ext lc_jupyter, then %%lc_submit."
    raise UserError(message)


_registered: Final[list[LearningChainMagics]] = []


def _terms(options: Any) -> Terms:
    return Terms(
        title=options.name,
        bounty=parse_credits(options.bounty, "--bounty"),
        expiry_seconds=parse_seconds(options.expires, "--expires"),
        trial_seconds=parse_seconds(options.trial_time, "--trial-time"),
        memory_bytes=parse_bytes(options.memory, "--memory"),
        disk_bytes=parse_bytes(options.disk, "--disk"),
        millicpus=parse_millicpus(options.cpus, "--cpus"),
        model_bytes_max=parse_bytes(options.model_bytes, "--model-bytes"),
        tolerance_ppm=parse_ppm(options.tolerance, "--tolerance"),
        check_seconds=parse_seconds(options.check_time, "--check-time"),
        checks=not options.no_check,
        posts=not options.dry_run,
    )


def _drawing(handle: DisplayHandle | None) -> Callable[[Shown], None]:
    """Return what replaces a cell's output; drawing the same twice is skipped."""
    last: list[str] = []

    def draw(shown: Shown) -> None:
        if handle is not None and last != [shown.html]:
            last[:] = [shown.html]
            handle.update(shown)

    return draw


def _saved(job: Job, path: Path) -> str:
    fetched = job.fetch()
    path.write_bytes(Path(fetched.path).read_bytes())
    return f"Saved {show_bytes(fetched.size)} ({fetched.model_format.value}) to {path}."
