"""Jobs of the graph: looked at, waited for, and changed by who posted them."""

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter.arguments import get_job_and_last, parse_line
from lc_jupyter.commands.family import JOB, Family, in_one_line
from lc_jupyter.display import paragraph
from lc_jupyter.jobs import Job
from lc_jupyter.live import tell
from lc_jupyter.overviews import show_jobs
from lc_jupyter.units import short_job
from lc_node.api.schema import Receipt


@magics_class
class JobMagics(Family):
    """Jobs, one or all."""

    @magic_arguments()
    @argument("--mine", action="store_true", help="only jobs of this node, finished ones as well")
    @argument("--all", action="store_true", help="finished jobs as well")
    @line_magic
    @in_one_line
    def lc_jobs(self, line: str) -> None:
        """List the jobs of the graph, newest first."""
        options = parse_line(self.lc_jobs, line)
        jobs = self._chain.jobs(mine=options.mine)
        shown = [job for job in jobs if options.all or options.mine or not job.phase.is_over]
        tell(show_jobs(shown, self._chain.status().clock))

    @magic_arguments()
    @JOB
    @line_magic
    @in_one_line
    def lc_job(self, line: str) -> None:
        """Show one job's story as it stands."""
        if self._connection.proven:
            tell(self._connection.proven.job(parse_line(self.lc_job, line).job))
            return
        job = self._job(parse_line(self.lc_job, line).job)
        job.story()  # an unknown job is said in one line, before anything is shown
        tell(job)

    @magic_arguments()
    @JOB
    @line_magic
    @in_one_line
    def lc_wait(self, line: str) -> None:
        """Wait until a job is over, and draw its story; interrupting stops the waiting, not the job."""
        self._job(parse_line(self.lc_wait, line).job).wait()

    @magic_arguments()
    @JOB
    @line_magic
    @in_one_line
    def lc_watch(self, line: str) -> None:
        """Show a job below this cell as it goes on, with buttons; the kernel stays free for other cells."""
        self._job(parse_line(self.lc_watch, line).job).watch()

    @magic_arguments()
    @argument("words", nargs="*", metavar="[job] amount", help="credits to add, e.g. 5")
    @line_magic
    @in_one_line
    def lc_top_up(self, line: str) -> None:
        """Raise the bounty of an own job."""
        words = parse_line(self.lc_top_up, line).words
        prefix, amount = get_job_and_last(words, "%lc_top_up 5")
        job = self._job(prefix)
        _show_receipt(f"Added {amount} credits to the bounty of", job, job.top_up(amount))

    @magic_arguments()
    @argument("words", nargs="*", metavar="[job] time", help="how long from now, e.g. 10m")
    @line_magic
    @in_one_line
    def lc_extend(self, line: str) -> None:
        """Move the end of bidding of an own job that has no bids."""
        words = parse_line(self.lc_extend, line).words
        prefix, expires = get_job_and_last(words, "%lc_extend 10m")
        job = self._job(prefix)
        _show_receipt(f"Bidding ends {expires} from now for", job, job.extend(expires))

    @magic_arguments()
    @JOB
    @line_magic
    @in_one_line
    def lc_cancel(self, line: str) -> None:
        """Take back an own job that has no bids."""
        job = self._job(parse_line(self.lc_cancel, line).job)
        _show_receipt("Cancelled", job, job.cancel())


def _show_receipt(what: str, job: Job, receipt: Receipt) -> None:
    tell(paragraph(f"{what} job {short_job(job.id)}, at height {receipt.height}.", "good"))
